"""`towereval import`: other harnesses' logs as runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Turn another harness's logs into a run.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Turn another harness's logs into a run."""


@app.command("lmms-eval")
def lmms_eval(
    folder: Annotated[Path, typer.Argument(help="Where lmms-eval wrote its logs.")],
    model: Annotated[str, typer.Option(help="The model's name in our results.")],
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("results"),
) -> None:
    """Score lmms-eval's sample logs with our metrics."""
    from towereval.bridges.lmms_eval import import_logs
    from towereval.cli.console import show_failures, show_results

    imported = import_logs(folder, model=model, output=output)
    show_results(imported.outcome.results)
    show_failures(imported.outcome.failures)
    for notice in imported.notices:
        print(f"note: {notice}", file=sys.stderr)
    print(f"{imported.outcome.folder}/results.json")
    raise typer.Exit(4 if imported.outcome.failures else 0)
