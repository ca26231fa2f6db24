"""`towereval score`: score a run's stored responses again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from towereval.cli import options


def score(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    metrics: Annotated[str, typer.Option(help="Only these, as a,b.")] = "",
) -> None:
    """Score a run's stored responses again, with no engine."""
    from towereval.cli.console import show_failures, show_results
    from towereval.run import rescore

    outcome = rescore(run, options.names(metrics))
    show_results(outcome.results)
    show_failures(outcome.failures)
    raise typer.Exit(4 if outcome.failures else 0)
