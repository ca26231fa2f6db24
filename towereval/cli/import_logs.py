"""`towereval import`: other harnesses' logs as runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.core import TyperGroup

from towereval.cli import options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from towereval.bridges.lmms_eval import Imported
    from towereval.run import Outcome

ANY = "logs"


class PathFirst(TyperGroup):
    """`import PATH` is `import logs PATH`."""

    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        named = args and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named or not args else [ANY, *args])


app = typer.Typer(
    cls=PathFirst, help="Turn another harness's logs into a run.", no_args_is_help=True
)


@app.callback()
def group() -> None:
    """Turn another harness's logs into a run: towereval import PATH."""


@app.command(ANY)
def logs(
    path: Annotated[Path, typer.Argument(help="A log, or a folder of one model's logs.")],
    model: Annotated[str, typer.Option(help="The model's name in our results.")] = "",
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("results"),
    language: Annotated[
        list[str] | None, typer.Option(help="A code for all tasks, or TASK=CODE,..")
    ] = None,
) -> None:
    """Take the scores of lm-eval's, lmms-eval's or inspect's logs as they are."""
    from towereval.bridges.find_logs import find_files, open_logs
    from towereval.bridges.logged_runs import write_run

    harness, files = find_files(path)
    found = open_logs(harness, files, _languages(language or []))
    taken = write_run(found, model=model, output=output)
    _show(taken.outcome, taken.notices)
    print(f"{taken.outcome.folder}/results.json")
    raise typer.Exit(4 if taken.outcome.failures else 0)


@app.command("lmms-eval")
def lmms_eval(
    folder: Annotated[Path, typer.Argument(help="Where lmms-eval wrote its logs.")],
    model: Annotated[str, typer.Option(help="The model's name in our results.")],
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("results"),
    verify: Annotated[bool, typer.Option("--verify", help="Show logged numbers and ours.")] = False,
) -> None:
    """Score lmms-eval's sample logs of our tasks with our metrics."""
    from towereval.bridges.lmms_eval import import_logs

    imported = import_logs(folder, model=model, output=output)
    _show(imported.outcome, imported.notices)
    agree = _show_verification(imported) if verify else True
    print(f"{imported.outcome.folder}/results.json")
    raise typer.Exit(0 if agree and not imported.outcome.failures else 4)


def _languages(given: list[str]) -> dict[str, str]:
    if len(given) == 1 and "=" not in given[0]:
        return {"": given[0]}
    return options.pairs(given, "--language")


def _show(outcome: Outcome, notices: Iterable[str]) -> None:
    from towereval.cli.console import show_failures, show_results, write_report

    show_results(outcome.results)
    show_failures(outcome.failures)
    write_report(outcome.folder)
    for notice in notices:
        print(f"note: {notice}", file=sys.stderr)


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
