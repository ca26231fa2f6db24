"""`towereval data`: what is made of training data before a model learns from it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import data_translation, options
from towereval.cli.data_tables import Format, escaped, show_lines, tell_media, write_json

if TYPE_CHECKING:
    from towereval.corpus.contamination import Held
    from towereval.corpus.evaluation_sets import Against
    from towereval.corpus.validation import Report

# A terminal is shown so many faults of a kind; the report has more.
SHOWN = 5

app = typer.Typer(help="Check, translate and count training data.", no_args_is_help=True)

Media = Annotated[
    Path | None, typer.Option(help="The folder of pictures and clips; the file's by default.")
]


class Origin(StrEnum):
    PUBLIC = "public"
    SYNTHETIC = "synthetic"


class Split(StrEnum):
    FULL = "full"
    SAMPLE = "sample"


@app.command("validate")
def validate(
    files: Annotated[list[Path], typer.Argument(help="Records, as JSONL or parquet.")],
    against: Annotated[
        list[str] | None, typer.Option(help="An evaluation set, TASK or TASK@VARIANT.")
    ] = None,
    data: Annotated[list[str] | None, typer.Option(help="A local copy of it, TASK=PATH.")] = None,
    split: Annotated[Split, typer.Option(help="Of the evaluation sets.")] = Split.FULL,
    languages: Annotated[str, typer.Option(help="Read them in these alone, as de,core.")] = "",
    media: Media = None,
    identify: Annotated[
        bool,
        typer.Option(
            "--identify", help="Also tell answers in another language than their record's."
        ),
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write all that is found as JSON.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Threads; 0: one a core.")] = 0,
) -> None:
    """Check records before they are trained on: exit 1 when something is wrong."""
    from towereval.cli.progress import Progress
    from towereval.corpus.evaluation_sets import hold
    from towereval.corpus.validation import Checks
    from towereval.corpus.validation import validate as check
    from towereval.plan import Plan

    held: Held | None = None
    read: list[Against] = []
    with closing(Progress()) as progress:
        if against:
            tasks = tuple(name for text in against for name in options.names(text))
            copies = {k: Path(v) for k, v in options.pairs(data or [], "--data").items()}
            spoken = options.names(languages)
            plan = Plan("", tasks, spoken, split=split.value, data=copies)
            held, read = hold(plan, lambda name: progress.stage(f"reading {name}", None))
        progress.stage("checking records", None)
        found = check(files, Checks(media, held, identify, workers), progress.advance)
    if report is not None:
        _write_report(report, files, read, found)
    _show(found, read)
    raise typer.Exit(1 if found.counts else 0)


def _show(found: Report, read: list[Against]) -> None:
    from rich.table import Table

    from towereval.cli.console import print_table
    from towereval.printable import visible

    table = Table(box=None, pad_edge=False)
    table.add_column("fault")
    table.add_column("n", justify="right")
    table.add_column("where", overflow="fold")
    for kind, count in found.counts.most_common():
        examples = [fault for fault in found.faults if fault.kind == kind][:SHOWN]
        for index, one in enumerate(examples):
            head = (kind, str(count)) if index == 0 else ("", "")
            table.add_row(*head, escaped(f"{one.place}: {visible(one.detail, 200)}"))
        if count > len(examples):
            table.add_row("", "", f"... and {count - len(examples)} more")
    if found.counts:
        print_table(table)
    for task in read:
        lost = f", {task.undecoded} pictures cannot be decoded" if task.undecoded else ""
        print(f"against {task.task}: {task.samples} samples{lost}")
    faults = found.counts.total()
    print(
        f"{found.records} records, {found.pictures} pictures, {found.clips} clips:"
        f" {f'{faults} faults' if faults else 'no fault'}"
    )


def _write_report(file: Path, files: list[Path], read: list[Against], found: Report) -> None:
    from dataclasses import asdict

    from towereval.corpus.perceptual import DISTANCE
    from towereval.corpus.phrases import GRAM, MOST_SHARED, SHORTEST

    write_json(
        file,
        {
            "schema": 1,
            "files": [str(path) for path in files],
            **{key: getattr(found, key) for key in ("records", "pictures", "clips")},
            "against": [asdict(one) for one in read],
            "rules": {
                "pictures": f"sha256; 256-bit DCT hash within {DISTANCE} bits",
                "texts": f"{GRAM}-grams; equal lines of {SHORTEST} to {GRAM - 1} words; what more"
                f" than {MOST_SHARED} prompts share is a template",
            },
            "faults": dict(found.counts.most_common()),
            "examples": [asdict(fault) for fault in found.faults],
        },
    )


@app.command("from-llava")
def from_llava(
    file: Annotated[Path, typer.Argument(help="Conversations, as a JSON list or JSONL.")],
    output: Annotated[Path, typer.Option(help="The file of records that is written.")],
    task: Annotated[str, typer.Option(help="What is trained, as caption or Doc VQA.")],
    source: Annotated[str, typer.Option(help="For rows without a data_source.")] = "",
    language: Annotated[str, typer.Option(help="For rows without a language.")] = "",
    origin: Annotated[Origin, typer.Option(help="Where all of it is from.")] = Origin.PUBLIC,
    licence: Annotated[str, typer.Option(help="What may be done with it.")] = "",
) -> None:
    """Turn conversations in LLaVA's form into records."""
    from towereval.corpus.llava import Stated, convert

    count = convert(file, Stated(source, language, task, origin.value, licence), output)
    print(f"{output}: {count} records")


@app.command("select")
def select(
    file: Annotated[Path, typer.Argument(help="Records, as JSONL or parquet.")],
    output: Annotated[Path, typer.Option(help="The file that is written.")],
    languages: Annotated[str, typer.Option(help="Codes or groups, as de,fr or core.")] = "",
    sources: Annotated[str, typer.Option(help="Only these, as a,b.")] = "",
    tasks: Annotated[str, typer.Option(help="Only these, as a,b.")] = "",
    origins: Annotated[str, typer.Option(help="public, translated, synthetic; as a,b.")] = "",
    most: Annotated[int, typer.Option(min=0, help="So many a language at most; 0: all.")] = 0,
    seed: Annotated[int, typer.Option(help="Draws which.")] = 0,
) -> None:
    """Keep a part of records: by language, source, task, origin, and by lot."""
    from towereval.cli.progress import Progress
    from towereval.corpus.select import Choice
    from towereval.corpus.select import select as choose

    choice = Choice(
        *(options.names(languages), options.names(sources)),
        *(options.names(tasks), options.names(origins)),
        most=most,
        seed=seed,
    )
    with closing(Progress()) as progress:
        progress.stage("selecting", None)
        counts = choose(file, choice, output, progress.advance)
    for language, count in sorted(counts.items()):
        print(f"{language}: {count}")
    tell_media(file, output)
    print(output)


@app.command("census")
def census(
    files: Annotated[list[Path], typer.Argument(help="Records, as JSONL or parquet.")],
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Count records by source, language and tag."""
    import json

    from towereval.cli.progress import Progress
    from towereval.corpus.census import record_of, rows, take

    with closing(Progress()) as progress:
        progress.stage("counting", None)
        found = take(files, progress.advance)
    if format is Format.JSON:
        print(json.dumps(record_of(found), ensure_ascii=False, indent=1))
        return
    lines = [
        (*row.name, f"{row.count:,}", f"{100 * row.share:.2f}", row.tag) for row in rows(found)
    ]
    show_lines(("task", "source", "samples", "%", "tag"), lines, format, numbers=(2, 3))


@app.command("caption-prompts")
def caption_prompts(
    file: Annotated[
        Path | None, typer.Argument(help="Records with captions; without it the banks are shown.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file that is written.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed and id, same instruction.")] = 0,
    banks: Annotated[Path | None, typer.Option(help="Your own, as JSON by language.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Replace those that are there.")] = False,
    system: Annotated[
        bool, typer.Option("--system", help="The paper's 35 system prompts instead, in English.")
    ] = False,
) -> None:
    """Pair captions with instructions in their language, from the paper's banks."""
    from towereval.corpus.caption_prompts import BANKS, pair_file, read_banks
    from towereval.corpus.system_prompts import GROUPS, instruct_file
    from towereval.errors import UsageError
    from towereval.printable import visible

    if system and banks is not None:
        raise UsageError("--system prompts are the paper's: --banks goes without it")
    if system and file is None:
        for name, prompts in GROUPS.items():
            for prompt in prompts:
                print(f"{name}\t{visible(prompt)}")
        return
    known = read_banks(banks) if banks is not None else BANKS
    if file is None:
        for language, bank in known.items():
            for instruction in bank:
                print(f"{language}\t{instruction}")
        return
    if output is None:
        raise UsageError("caption-prompts FILE wants --output FILE")
    counts: Mapping[str, int] = (
        instruct_file(file, seed, output, again=again)
        if system
        else pair_file(file, known, seed, output, again=again)
    )
    for language, count in sorted(counts.items()):
        print(f"{language}: {count} {'records instructed' if system else 'captions paired'}")
    tell_media(file, output)
    print(output)


@app.command("video-split")
def video_split(
    file: Annotated[Path, typer.Argument(help="English records, as JSONL or parquet.")],
    languages: Annotated[str, typer.Option(help="What the rest is translated into, as a,b.")],
    output: Annotated[Path, typer.Option(help="The folder: one file a language.")],
    english: Annotated[str, typer.Option(help="The share that stays English.")] = "0.5",
    seed: Annotated[int, typer.Option(help="Same seed, same split.")] = 0,
) -> None:
    """Split conversations: a share stays English, the rest is spread over languages."""
    from towereval.corpus.video_split import split as divide

    share = options.share(english, "--english")
    counts = divide(file, share, options.names(languages), seed, output)
    for language, count in counts.items():
        name = output / f"{language}{file.suffix}"
        print(f"{name}: {count}{'' if language == 'en' else ' to be translated'}")
    tell_media(file, output / file.name)


app.command("translate")(data_translation.translate)
app.command("filter")(data_translation.filter_translations)
app.command("translate-benchmark")(data_translation.translate_benchmark)
