"""`towereval setup`: environments that only some metrics need."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(help="Make the environments that some metrics need.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Make the environments that some metrics need."""


@app.command("comet")
def comet() -> None:
    """Install COMET and xCOMET into an environment of their own."""
    from towereval.environments import setup_comet

    print(setup_comet(_say))


def _say(line: str) -> None:
    print(line[:120], file=sys.stderr, flush=True)
