"""`towereval setup`: environments that only some metrics and tasks need."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(help="Make environments that some metrics and tasks need.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Make the environments that some metrics and tasks need."""


@app.command("comet")
def comet() -> None:
    """Install COMET and xCOMET into an environment of their own."""
    from towereval.environments import setup_comet

    print(setup_comet(_say))


@app.command("lmms-eval")
def lmms_eval() -> None:
    """Install lmms-eval, whose tasks `run --tasks lmms:NAME` runs, into one of its own."""
    from towereval.environments import LMMS_EVAL, set_up

    print(set_up(LMMS_EVAL, _say))


def _say(line: str) -> None:
    print(line[:120], file=sys.stderr, flush=True)
