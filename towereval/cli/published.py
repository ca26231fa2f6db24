"""`towereval published`: a run beside what papers print and authors logged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from towereval.published import Beside, Comparison
    from towereval.results import Run

COLUMNS = (
    *("task", "metric", "language", "ours", "95% interval", "published", "printed", "difference"),
    *("inside", "table", "note"),
)


class Format(StrEnum):
    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def published(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    name: Annotated[
        list[str] | None,
        typer.Option("--as", help="The model's published name or hub id; may be repeated."),
    ] = None,
    format: Annotated[Format, typer.Option(help="How to show it.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Set a run beside the numbers that papers and their authors' logs give."""
    from towereval.published import beside, load
    from towereval.results import read_run

    done = read_run(run)
    compared = beside(done, load(), name or ())
    if format is Format.JSON:
        print(json.dumps(_content(done, compared), indent=1, ensure_ascii=False, allow_nan=False))
    elif format is Format.MARKDOWN:
        _show_markdown(compared)
    else:
        _show_table(done, compared)


def _content(run: Run, compared: Comparison) -> dict[str, Any]:
    return {
        "schema": 1,
        "run_id": run.run_id,
        "model": run.model,
        "published_as": list(compared.names),
        "beside": [asdict(pair) for pair in compared.beside],
        "refused": [asdict(one) for one in compared.refused],
        "not_in_this_run": compared.absent,
    }


def _show_table(run: Run, compared: Comparison) -> None:
    """One table a source: what the authors logged is not what the paper prints."""
    from towereval.printable import visible

    notes = _notes(compared)
    print(f"{visible(run.model, 80)}, published numbers in our unit")
    for (paper, model), pairs in _sources(compared).items():
        print(f"\n{visible(model)} in {paper}")
        _print(pairs, notes)
        judged = [pair.inside for pair in pairs if pair.inside is not None]
        print(
            f"{sum(judged)} of {len(judged)} inside our interval,"
            f" {sum(pair.same for pair in pairs)} of {len(pairs)} equal as printed"
        )
    print()
    for number, note in enumerate(notes, start=1):
        print(f"[{number}] {visible(note)}")
    for line in _refusals(compared):
        print(visible(line))
    if compared.absent:
        listed = ", ".join(f"{name} ({count})" for name, count in compared.absent.items())
        print(f"published, but no task of this run: {listed}")


def _print(pairs: Sequence[Beside], notes: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from towereval.cli.console import print_table

    table = Table(box=None, pad_edge=False)
    for index, column in enumerate(COLUMNS):
        table.add_column(column, justify="right" if 3 <= index <= 8 else "left")
    shown = ("", "")
    for pair in pairs:
        task, metric, *cells = _cells(pair, notes)
        head = ("", "") if (task, metric) == shown else (task, metric)
        table.add_row(*map(Text, (*head, *cells)))
        shown = (task, metric)
    print_table(table)


def _show_markdown(compared: Comparison) -> None:
    from towereval.printable import markdown

    notes = _notes(compared)
    print(f"| model | paper | {' | '.join(COLUMNS)} |")
    print("|" + "---|" * 5 + "--:|" * 6 + "---|" * 2)
    for (paper, model), pairs in _sources(compared).items():
        for pair in pairs:
            print(f"| {' | '.join(map(markdown, (model, paper, *_cells(pair, notes))))} |")
    print()
    for number, note in enumerate(notes, start=1):
        print(f"{number}. {markdown(note)}")
    for line in _refusals(compared):
        print(f"- {markdown(line)}")


def _cells(pair: Beside, notes: list[str]) -> tuple[str, ...]:
    from towereval.cli.console import interval, number

    ours, row = pair.ours, pair.published
    return (
        f"{ours.task}@{ours.variant}",
        ours.metric,
        "macro mean" if ours.language == "*" else ours.language,
        number(ours.value, ours),
        interval(ours),
        number(pair.value, ours),
        f"{row.score:.{row.digits}f}",
        # One decimal more than values are shown with: roundings can hide or make a difference.
        "0" if pair.same else f"{pair.difference:+.4f}",
        {True: "yes", False: "no", None: "-"}[pair.inside],
        "" if row.kind == "logs" else row.table,
        " ".join(f"[{notes.index(note) + 1}]" for note in pair.notes),
    )


def _sources(compared: Comparison) -> dict[tuple[str, str], list[Beside]]:
    """Paper or logs and the model's name there -> pairs, a metric's together."""
    found: dict[tuple[str, str], list[Beside]] = {}
    for pair in compared.beside:
        found.setdefault((pair.published.paper, pair.published.model), []).append(pair)
    for pairs in found.values():
        pairs.sort(key=lambda pair: (pair.ours.task, pair.ours.metric))
    return found


def _notes(compared: Comparison) -> list[str]:
    return list(dict.fromkeys(note for pair in compared.beside for note in pair.notes))


def _refusals(compared: Comparison) -> list[str]:
    """A line a reason: what was published and in which languages."""
    found: dict[str, dict[str, list[str]]] = {}
    for one in compared.refused:
        row = one.published
        where = row.paper if row.kind == "logs" else f"{row.paper}, {row.table}"
        what = f"{row.benchmark} {row.metric} of {row.model}, {where}"
        marked = f"{row.language} (reconstructed)" if row.reconstructed else row.language
        found.setdefault(one.why, {}).setdefault(what, []).append(marked)
    return [
        f"not comparable, {why}: "
        + "; ".join(f"{what} ({', '.join(languages)})" for what, languages in rows.items())
        for why, rows in found.items()
    ]
