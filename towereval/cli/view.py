"""`towereval view`: a run's page, or the board of all runs, in a browser."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from towereval.cli.leaderboard import FOLDER, write_board
from towereval.errors import UsageError


def view(
    place: Annotated[
        Path, typer.Argument(help="A run's folder, or the one where runs are kept.")
    ] = Path("results"),
    output: Annotated[Path, typer.Option(help="Folder for the board's files.")] = FOLDER,
) -> None:
    """Open a run's report, or the board of all runs."""
    page = find_page(place, output)
    print(page)
    if not shown(page):
        print("no browser here: open this file in one", file=sys.stderr)


def find_page(place: Path, output: Path) -> Path:
    """The page of a run or of a published board; of a folder of runs the board is made anew.

    Raises `UsageError` where there is none of them.
    """
    if place.is_file():
        place = place.parent
    if (place / "manifest.json").exists():
        return _report(place)
    if (place / "leaderboard.json").exists():
        return place / "index.html"
    if not place.is_dir():
        raise UsageError(f"{place}: no such folder; view wants a run or a folder of runs")
    for notice in write_board(place, output).notices:
        print(f"note: {notice}", file=sys.stderr)
    return output / "index.html"


def _report(run: Path) -> Path:
    """As the run left it, else made of its results: an older run has none."""
    page = run / "report.html"
    results = run / "results.json"
    if not results.exists():
        raise UsageError(f"{run} has no results yet; run: towereval score {run}")
    if page.exists() and page.stat().st_mtime >= results.stat().st_mtime:
        return page
    from towereval.leaderboard.publish import write_report

    return write_report(run)


def shown(page: Path) -> bool:
    """Whether a browser took it. One that draws in the terminal cannot show these pages."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if sys.platform == "linux" and not (screen or os.environ.get("BROWSER")):
        return False
    try:
        return webbrowser.open(page.resolve().as_uri())
    except webbrowser.Error:
        return False
