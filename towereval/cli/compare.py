"""`towereval compare` and `towereval baseline`: a gate between two runs.

Exit status: 0 pass, 1 regression, 2 cannot be paired, 3 inconclusive, 4 a run is incomplete.
"""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options
from towereval.errors import TowerevalError

if TYPE_CHECKING:
    from towereval.compare import Comparison, Report

STATUS = {"pass": 0, "regression": 1, "inconclusive": 3}


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITHUB = "github"


def compare(
    base: Annotated[Path, typer.Argument(help="A run's folder or a baseline file.")],
    candidate: Annotated[Path, typer.Argument(help="The same for the model under test.")],
    alpha: Annotated[float, typer.Option(help="False alarms allowed.")] = 0.05,
    margin: Annotated[float, typer.Option(help="Drop allowed, in parts of the scale.")] = 0.02,
    metrics: Annotated[str, typer.Option(help="Gate these instead of each task's first.")] = "",
    languages: Annotated[str, typer.Option(help="Only these; of a group its mean, too.")] = "",
    format: Annotated[Format, typer.Option(help="How the report is written.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Judge a run against another: exit 0 pass, 1 regression, 3 inconclusive."""
    from towereval import verdicts
    from towereval.compare import Settings
    from towereval.compare import compare as compare_runs
    from towereval.measured import read

    settings = Settings(alpha, margin, options.names(metrics), options.names(languages))
    try:
        old, new = (read(path, settings.metrics) for path in (base, candidate))
        report = compare_runs(old, new, settings)
    except TowerevalError as error:
        if format is Format.GITHUB:
            print(verdicts.annotation("error", "towereval", str(error)))
        raise
    match format:
        case Format.TABLE:
            _show_table(report)
        case Format.JSON:
            print(verdicts.as_json(report))
        case Format.MARKDOWN:
            print(verdicts.as_markdown(report))
        case Format.JUNIT:
            print(verdicts.as_junit(report))
        case Format.GITHUB:
            print("\n".join(verdicts.as_annotations(report)))
            _summarize_on_github(verdicts.as_markdown(report))
    raise typer.Exit(STATUS[report.verdict])


def baseline(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    file: Annotated[Path, typer.Argument(help="Where to write it, as JSON.")],
) -> None:
    """Write what `compare` needs of a run into one small file without texts."""
    from towereval.measured import write_baseline

    write_baseline(run, file)
    print(file)


def _summarize_on_github(markdown: str) -> None:
    if file := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(file).open("a", encoding="utf-8") as summary:
            summary.write(markdown + "\n")


def _show_table(report: Report) -> None:
    from rich.markup import escape
    from rich.table import Table

    from towereval.cli.console import print_table
    from towereval.printable import visible
    from towereval.verdicts import named

    table = Table(box=None, pad_edge=False)
    for name in ("task", "metric", "language"):
        table.add_column(name)
    for name in ("base", "candidate", "delta", "95% interval", "p", "BH", "gate", "seen", "n"):
        table.add_column(name, justify="right")
    table.add_column("verdict")
    shown = ("", "")
    for one in report.comparisons:
        head = (escape(visible(f"{one.task}@{one.variant}")), escape(visible(named(one))))
        table.add_row(*(head if head != shown else ("", "")), *_cells(one))
        shown = head
    print_table(table)
    print(f"base {visible(report.base, 200)}, candidate {visible(report.candidate, 200)}")
    print(f"{report.verdict} (alpha {report.settings.alpha:g}, margin {report.settings.margin:g})")
    for reason in report.reasons:
        print(f"  {visible(reason, 1_000)}")
    for notice in report.notices:
        print(f"note: {visible(notice, 1_000)}", file=sys.stderr)


def _cells(one: Comparison) -> list[str]:
    from rich.markup import escape

    from towereval.compare import language_of
    from towereval.printable import visible
    from towereval.verdicts import interval, number, probability, signed

    return [
        escape(visible(language_of(one), 40)),
        *(number(one.base, one.scale), number(one.candidate, one.scale)),
        *(signed(one.delta, one.scale), interval(one)),
        *map(probability, (one.p, one.p_bh, one.p_adjusted)),
        "-" if one.detectable is None else number(one.detectable, one.scale),
        *(str(one.n), f"[red]{one.verdict}[/]" if one.verdict == "regression" else one.verdict),
    ]
