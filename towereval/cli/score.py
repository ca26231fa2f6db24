"""`towereval score`: score a run's stored responses again."""

from __future__ import annotations

from contextlib import closing, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from towereval.cli import completion, options


def score(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    metrics: Annotated[str, typer.Option(help="Only these, as a,b.")] = "",
    judge: Annotated[
        str,
        typer.Option(help="A model that judges open answers.", autocompletion=completion.model),
    ] = "",
    judge_engine: Annotated[
        str, typer.Option(help="The judge's engine.", autocompletion=completion.engine)
    ] = "vllm",
    judge_engine_args: Annotated[list[str] | None, typer.Option(help="For it, as k=v,..")] = None,
    checkpoint: Annotated[list[str] | None, typer.Option(help="A metric's, as NAME=PATH.")] = None,
    max_failed: Annotated[
        str, typer.Option(help="The share of a task's samples that may fail, as 1%.")
    ] = "0",
    quiet: Annotated[bool, typer.Option("--quiet", help="Print errors and nothing else.")] = False,
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="Tell progress and errors as lines of JSON.")
    ] = False,
) -> None:
    """Score a run's stored responses again; only a judge needs an engine."""
    from towereval.cli.console import (
        exit_status,
        quiet_libraries,
        show_failures,
        show_results,
        write_report,
    )
    from towereval.cli.progress import listener
    from towereval.grading import Scoring
    from towereval.judging import JudgePlan
    from towereval.run import rescore

    most_failed = options.share(max_failed, "--max-failed")
    engine_args = options.values(judge_engine_args or (), "--judge-engine-args")
    scoring = Scoring(
        options.names(metrics),
        JudgePlan(judge, judge_engine, engine_args),
        options.pairs(checkpoint or (), "--checkpoint"),
    )
    if judge:
        quiet_libraries()
    told = judge or json_logs
    watched = listener(quiet=quiet, json_logs=json_logs) if told else None
    with closing(watched) if watched else nullcontext():
        outcome = rescore(run, scoring, watched)
    if not quiet:
        show_results(outcome.results)
    show_failures(outcome.failures, json_logs=json_logs)
    write_report(outcome.folder)
    raise typer.Exit(exit_status(outcome, most_failed))
