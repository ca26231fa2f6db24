"""How results look in a terminal."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from towereval.cli import progress
from towereval.cli.progress import event
from towereval.printable import visible
from towereval.types import WAYS, Result

if TYPE_CHECKING:
    from towereval.run import Outcome

NARROW = 80  # columns


def quiet_libraries() -> None:
    """Engines load loudly: what they warn of is theirs to mend, and hides what a user must see."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    warnings.simplefilter("ignore")
    logging.getLogger("torch").setLevel(logging.ERROR)


def show_results(results: Sequence[Result]) -> None:
    """One row a language; categories are in results.json."""
    table = Table(box=None, pad_edge=False)
    for name in ("task", "metric", "language"):
        table.add_column(name, overflow="fold")  # to the last letter, in whatever the terminal has
    # Half an interval says what a narrow terminal has no room for.
    narrow = sys.stdout.isatty() and Console().width < NARROW
    shown = ("n", "failed") if narrow else ("95% interval", "n", "failed", "unscored")
    for name in ("score", plus_minus(), *shown):
        table.add_column(name, justify="right", no_wrap=True)
    whole = [result for result in results if not result.group]
    for _, rows in groupby(whole, key=lambda r: (r.task, r.metric)):
        for index, row in enumerate(rows):
            metric = f"{row.metric}{WAYS[row.better]}"
            head = (f"{row.task}@{row.variant}", metric) if index == 0 else ("", "")
            table.add_row(
                *head,
                "macro mean" if row.language == "*" else row.language,
                number(row.value, row),
                half_width(row),
                *([] if narrow else [interval(row)]),
                str(row.n),
                f"[red]{row.n_failed}[/]" if row.n_failed else "0",
                *([] if narrow else [str(row.n_unscored)]),
            )
        table.add_section()
    print_table(table)
    for row in whole:
        if row.n_failed and row.value is not None and row.note:
            named = "macro mean" if row.language == "*" else row.language
            print(f"{row.task} {row.metric} {named}: {row.n_failed} failed; {row.note}")
    reasons = {(r.task, r.metric, r.note) for r in whole if r.value is None and r.note}
    for task, metric, reason in sorted(reasons):
        print(f"{task} {metric} is {visible(reason)}")


def print_table(table: Table) -> None:
    # A log or a pipe has no width of its own: rows must not be broken there.
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)


def number(value: float | None, row: Result) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if row.metric in ("bleu", "chrf", "chrf_pp") else f"{value:.3f}"


def half_width(row: Result) -> str:
    """Half of the interval, which need not lie evenly around the value."""
    if row.ci_low is None or row.ci_high is None:
        return "-"
    return f"{plus_minus()}{number((row.ci_high - row.ci_low) / 2, row)}"


def plus_minus() -> str:
    return progress.plus_minus(sys.stdout.encoding)


def interval(row: Result) -> str:
    if row.ci_low is None or row.ci_high is None:
        return "-"
    return f"{number(row.ci_low, row)} to {number(row.ci_high, row)}"


def write_report(folder: Path) -> None:
    """`report.html` of a run whose results are written: they are never lost to a fault in it."""
    from towereval.leaderboard import publish

    try:
        publish.write_report(folder)
    except Exception as error:  # noqa: BLE001 the run itself is done and told
        reason = visible(" ".join(str(error).split()))
        print(f"note: no report.html: {type(error).__name__}: {reason}", file=sys.stderr)


def exit_status(outcome: Outcome, most_failed: float) -> int:
    """4 where a task lost more than that share of its samples, or all of a language's."""
    too_many = any(lost > most_failed * samples for _, samples, lost in outcome.lost)
    silent = any(row.n_failed and row.value is None for row in outcome.results)
    return 4 if too_many or silent else 0


def show_failures(failures: Iterable[tuple[str, int]], *, json_logs: bool = False) -> None:
    for reason, count in failures:
        if json_logs:
            event("failed", reason=reason, count=count)
            continue
        print(f"failed {count}x: {visible(reason)}", file=sys.stderr)
