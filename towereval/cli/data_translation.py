"""`towereval data translate`, `filter` and `translate-benchmark`: what asks a model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options
from towereval.errors import UsageError

if TYPE_CHECKING:
    from towereval.corpus.benchmark import Built, Job
    from towereval.corpus.translate import Translator

Languages = Annotated[str, typer.Option("--to", help="Languages to translate into, as a,b.")]
Model = Annotated[str, typer.Option(help="Who translates: as for run.")]
Engine = Annotated[str, typer.Option(help="The engine: as for run.")]
EngineArgs = Annotated[list[str] | None, typer.Option(help="For it, as k=v,..")]
MaxTokens = Annotated[int, typer.Option(min=1, help="A longer answer counts as cut.")]
Retries = Annotated[int, typer.Option(min=0, help="Ask what failed so many times again.")]
MaxFailed = Annotated[str, typer.Option(help="The share that may be left out, as 1%.")]


def translate(
    file: Annotated[Path, typer.Argument(help="Records, as JSONL or parquet.")],
    to: Languages,
    model: Model,
    output: Annotated[Path, typer.Option(help="The file that is written.")],
    engine: Engine = "vllm",
    engine_args: EngineArgs = None,
    max_tokens: MaxTokens = 1024,
    retries: Retries = 0,
    max_failed: MaxFailed = "0",
) -> None:
    """Translate records' texts; the same command asks only what is missing."""
    from towereval.cli.console import quiet_libraries, show_failures
    from towereval.cli.data_tables import tell_media
    from towereval.cli.progress import Progress
    from towereval.corpus.translated_records import translate_file

    _check_apart(file, output)
    share = options.share(max_failed, "--max-failed")
    quiet_libraries()
    translator = _translator(model, engine, engine_args, max_tokens, retries)
    with closing(Progress()) as progress:
        counts = translate_file(file, _codes(to), translator, output, progress)
    for language in dict.fromkeys(_codes(to)):
        missing = counts.missing[language]
        left_out = f", {missing} left out" if missing else ""
        print(f"{language}: {counts.translated[language]} translated{left_out}")
    show_failures(counts.reasons.most_common())
    if counts.failed:
        print(f"{counts.failed} requests failed: the same command asks them again")
    tell_media(file, output)
    print(output)
    raise typer.Exit(_status(counts.translated.total(), counts.missing.total(), share))


def filter_translations(
    file: Annotated[Path, typer.Argument(help="Translated records, as JSONL or parquet.")],
    output: Annotated[Path, typer.Option(help="The file that is written.")],
    metric: Annotated[str, typer.Option(help="cometkiwi or xcomet.")] = "cometkiwi",
    least: Annotated[float, typer.Option("--min", help="The least score that is kept.")] = 0.85,
    checkpoint: Annotated[str, typer.Option(help="The metric's: a path or a hub id.")] = "",
    report: Annotated[Path | None, typer.Option(help="Write the counts as JSON.")] = None,
) -> None:
    """Keep the translations that a reference-free metric scores high enough."""
    from towereval.cli.data_tables import Format, show_lines, tell_media, write_json
    from towereval.cli.progress import Progress
    from towereval.corpus.quality import filter_file, find_metric

    _check_apart(file, output)
    chosen = find_metric(metric, checkpoint)
    with closing(Progress()) as progress:
        found = filter_file(file, chosen, least, output, progress)
    lines = [
        (code, f"{kept.scored}", f"{kept.kept}", f"{kept.dropped_share:.1%}", f"{kept.mean:.4f}")
        for code, kept in sorted(found.languages.items())
    ]
    head = ("language", "scored", "kept", "dropped", "mean score")
    show_lines(head, lines, Format.TABLE, numbers=(1, 2, 3, 4))
    if found.untranslated:
        print(f"{found.untranslated} records are no translations: kept as they are")
    print(found.signature)
    if report is not None:
        languages = {
            code: {"scored": kept.scored, "kept": kept.kept, "mean": kept.mean}
            for code, kept in sorted(found.languages.items())
        }
        content = {"schema": 1, "signature": found.signature, "min": least, "languages": languages}
        write_json(report, {**content, "untranslated": found.untranslated})
    tell_media(file, output)
    print(output)


def translate_benchmark(
    task: Annotated[str, typer.Argument(help="mme, pope, seedbench, mmbench, or a name.")],
    to: Languages,
    model: Model,
    output: Annotated[Path, typer.Option(help="The folder that is written.")],
    engine: Engine = "vllm",
    engine_args: EngineArgs = None,
    second_model: Annotated[str, typer.Option(help="Another one, to compare with.")] = "",
    second_engine: Annotated[str, typer.Option(help="Its engine.")] = "vllm",
    second_engine_args: EngineArgs = None,
    min_bleu: Annotated[
        float | None, typer.Option(help="Flag items on which the two agree less.")
    ] = None,
    data: Annotated[str, typer.Option(help="A local copy of the English set, a folder.")] = "",
    columns: Annotated[Path | None, typer.Option(help="Another set's columns, as JSON.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="So many rows; 0: all.")] = 0,
    max_tokens: MaxTokens = 1024,
    retries: Retries = 0,
    max_failed: MaxFailed = "0",
) -> None:
    """Translate an English benchmark into a folder for --data, one file a language."""
    from towereval.cli.console import quiet_libraries
    from towereval.cli.progress import Progress
    from towereval.corpus.benchmark import Job, build
    from towereval.corpus.benchmark_sets import find_set
    from towereval.data.folder import FolderSource
    from towereval.data.hub import HubSource
    from towereval.types import Source

    if min_bleu is not None and not second_model:
        raise UsageError("--min-bleu wants a --second-model to agree with")
    share = options.share(max_failed, "--max-failed")
    folder = Path(data.removeprefix(f"{task}="))
    if data and not folder.is_dir():
        raise UsageError(f"--data {data}: no such folder")
    source: Source = FolderSource(folder) if data else HubSource(task)
    second = _translator(second_model, second_engine, second_engine_args, max_tokens, retries)
    job = Job(
        name=task,
        set=find_set(task, columns),
        source=source,
        languages=tuple(dict.fromkeys(_codes(to))),
        first=_translator(model, engine, engine_args, max_tokens, retries),
        second=second if second_model else None,
        least=min_bleu,
        limit=limit or None,
    )
    quiet_libraries()
    with closing(Progress()) as progress:
        built = build(job, output, progress)
    _show(job, built)
    lost = built.missing.total() + built.unpaired.total()
    if built.failed:
        print(f"{built.failed} requests failed: the same command asks them again")
    if unpaired := built.unpaired.total():
        print(f"{unpaired} translations have no second one beside them")
    print(f"{built.rows} rows, {output}")
    raise typer.Exit(_status(built.translated.total(), lost, share))


def _show(job: Job, built: Built) -> None:
    """What became of each language, and the reasons of what is left out."""
    from towereval.cli.console import show_failures
    from towereval.cli.data_tables import Format, show_lines

    lines = []
    for code in job.languages:
        agreement = built.agreements.get(code)
        bleu = agreement.bleu if agreement else None
        counts = (built.translated[code], built.missing[code], built.flagged[code])
        shown = "-" if bleu is None else f"{bleu:.2f}"
        signature = agreement.signature if agreement else ""
        lines.append((code, *map(str, counts), shown, signature))
    head = ("language", "translated", "left out", "flagged", "BLEU", "signature")
    show_lines(head, lines, Format.TABLE, numbers=(1, 2, 3, 4))
    show_failures(built.reasons.most_common())


def _translator(
    model: str, engine: str, engine_args: list[str] | None, max_tokens: int, retries: int
) -> Translator:
    from towereval.corpus.translate import Translator

    found = options.values(engine_args or [], "--engine-args")
    return Translator(model, engine, found, max_tokens, retries)


def _check_apart(file: Path, output: Path) -> None:
    if file.resolve() == output.resolve():
        raise UsageError(f"--output {output} is the file that is read: name another one")


def _status(translated: int, missing: int, most: float) -> int:
    return 4 if missing > most * (translated + missing) else 0


def _codes(text: str) -> tuple[str, ...]:
    """Codes as they are written: a group's languages must be named one by one."""
    codes = options.names(text)
    if not codes:
        raise UsageError("--to names no language")
    return codes
