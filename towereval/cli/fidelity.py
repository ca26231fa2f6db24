"""`towereval fidelity`: in which languages a run's answers are."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options

if TYPE_CHECKING:
    from towereval.judging import JudgePlan
    from towereval.spoken import Spoken


_NUMBERS = ("fidelity", "n", "undecided")


def fidelity(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    tasks: Annotated[str, typer.Option(help="Only these, as a,b.")] = "",
    judge: Annotated[str, typer.Option(help="A model that judges more strictly (LF+).")] = "",
    judge_engine: Annotated[str, typer.Option(help="The judge's engine.")] = "vllm",
    judge_engine_args: Annotated[list[str] | None, typer.Option(help="For it, as k=v,..")] = None,
) -> None:
    """Show in which languages a run's answers are, and their scores."""
    from rich.table import Table

    from towereval.answer_languages import signatures, spoken_in
    from towereval.cli.console import print_table
    from towereval.judging import JudgePlan

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
    print("\n".join(signatures(run, rows)))
    if judge:
        engine_args = options.values(judge_engine_args or (), "--judge-engine-args")
        _show_judged(run, options.names(tasks), JudgePlan(judge, judge_engine, engine_args))


def _show_judged(run: Path, tasks: tuple[str, ...], plan: JudgePlan) -> None:
    from rich.table import Table

    from towereval.answer_languages import judged_in
    from towereval.cli.console import print_table, quiet_libraries
    from towereval.cli.progress import Progress
    from towereval.printable import visible

    quiet_libraries()
    with closing(Progress()) as progress:
        progress.stage("judging", None)
        signature, rows = judged_in(run, tasks, plan, progress.advance)
    table = Table(box=None, pad_edge=False)
    for name in ("task", "language", "judged", "95% interval", "n", "unscored"):
        table.add_column(name, justify="right" if name in ("judged", "n", "unscored") else "left")
    for row in rows:
        share = row.share
        limits = "-"
        if share and share.low is not None and share.high is not None:
            limits = f"{share.low:.1%} to {share.high:.1%}"
        table.add_row(
            *(row.task, row.language, f"{share.value:.1%}" if share else "-", limits),
            *(f"{share.n if share else 0}", f"{row.unscored}"),
        )
    print_table(table)
    for reason in dict.fromkeys(row.reason for row in rows if row.reason):
        print(f"unscored: {visible(reason, 200)}")
    print(signature)


def _scores(row: Spoken) -> str:
    return ", ".join(
        f"{name} {each.all:.3g} > {'-' if each.right is None else f'{each.right:.3g}'}"
        for name, each in row.kept.items()
    )
