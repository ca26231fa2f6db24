"""`towereval fidelity`: in which languages a run's answers are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options

if TYPE_CHECKING:
    from towereval.spoken import Spoken


_NUMBERS = ("fidelity", "n", "undecided")


def fidelity(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    tasks: Annotated[str, typer.Option(help="Only these, as a,b.")] = "",
) -> None:
    """Show in which languages a run's answers are, and their scores."""
    from rich.table import Table

    from towereval.answer_languages import spoken_in
    from towereval.cli.console import print_table
    from towereval.metrics.fidelity import LanguageFidelity

    rows = spoken_in(run, options.names(tasks))
    table = Table(box=None, pad_edge=False)
    for name in ("task", "language", "fidelity", "95% interval", "n", "undecided"):
        table.add_column(name, justify="right" if name in _NUMBERS else "left")
    table.add_column("taken for")
    table.add_column("all answers > without those in a wrong language")
    for row in rows:
        table.add_row(
            *(row.task, row.language, "-" if row.fidelity is None else f"{row.fidelity:.1%}"),
            "-" if row.low is None or row.high is None else f"{row.low:.1%} to {row.high:.1%}",
            *(f"{row.n}", f"{row.undecided}"),
            ", ".join(f"{code} {count}" for code, count in row.wrong[:3]) or "-",
            _scores(row),
        )
    print_table(table)
    for row in rows:
        if row.reason:
            print(f"{row.task} {row.language}: {row.reason}")
    print(LanguageFidelity().signature)


def _scores(row: Spoken) -> str:
    return ", ".join(
        f"{name} {each.all:.3g} > {'-' if each.right is None else f'{each.right:.3g}'}"
        for name, each in row.kept.items()
    )
