"""`towereval import`: other harnesses' logs as runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from towereval.bridges.lmms_eval import Imported

app = typer.Typer(help="Turn another harness's logs into a run.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Turn another harness's logs into a run."""


@app.command("lmms-eval")
def lmms_eval(
    folder: Annotated[Path, typer.Argument(help="Where lmms-eval wrote its logs.")],
    model: Annotated[str, typer.Option(help="The model's name in our results.")],
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("results"),
    verify: Annotated[bool, typer.Option("--verify", help="Show logged numbers and ours.")] = False,
) -> None:
    """Score lmms-eval's sample logs with our metrics."""
    from towereval.bridges.lmms_eval import import_logs
    from towereval.cli.console import show_failures, show_results, write_report

    imported = import_logs(folder, model=model, output=output)
    show_results(imported.outcome.results)
    show_failures(imported.outcome.failures)
    write_report(imported.outcome.folder)
    for notice in imported.notices:
        print(f"note: {notice}", file=sys.stderr)
    agree = _show_verification(imported) if verify else True
    print(f"{imported.outcome.folder}/results.json")
    raise typer.Exit(0 if agree and not imported.outcome.failures else 4)


def _show_verification(imported: Imported) -> bool:
    """Logged, ours and the difference; whether all that we have agree."""
    from rich.table import Table

    from towereval.bridges.logged import compare
    from towereval.cli.console import print_table

    table = Table(box=None, pad_edge=False)
    for name in ("task", "language", "metric"):
        table.add_column(name)
    for name in ("logged", "ours", "difference"):
        table.add_column(name, justify="right")
    outcome = imported.outcome
    rows = compare(outcome.folder, imported.logs, outcome.results)
    for row in rows:
        ours, difference = "not scored here", ""
        if row.ours is not None:
            ours, difference = f"{row.ours:.12f}", f"{row.ours - row.logged:.1e}"
        head = (row.task, row.language, row.metric)
        table.add_row(*head, f"{row.logged:.12f}", ours, difference)
    print_table(table)
    compared = [row for row in rows if row.ours is not None]
    wrong = sum(not row.agrees for row in compared)
    print(f"{len(rows)} logged, {len(compared)} compared, {wrong} differ by more than 1e-9")
    return not wrong
