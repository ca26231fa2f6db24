"""`towereval leaderboard`: runs side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def leaderboard(
    results: Annotated[Path, typer.Argument(help="Where runs are kept.")] = Path("results"),
    output: Annotated[Path, typer.Option(help="Folder for leaderboard.json.")] = Path(
        "leaderboard"
    ),
) -> None:
    """Put all runs into leaderboard.json and show them side by side."""
    from rich.table import Table

    from towereval.cli.console import number, print_table
    from towereval.leaderboard.build import build

    board = build(results)
    board.write(output)
    for notice in board.notices:
        print(f"note: {notice}", file=sys.stderr)
    table = Table(box=None, pad_edge=False)
    for name in ("task", "metric", "language"):
        table.add_column(name)
    for model in board.models:
        table.add_column(model, justify="right")
    shown = ""
    for line, cells in board.lines():
        head = f"{line.task}@{line.variant}" + (" (sample)" if line.split == "sample" else "")
        values = [number(cells[m].value, cells[m]) if m in cells else "" for m in board.models]
        language = "macro mean" if line.language == "*" else line.language
        table.add_row(head if head != shown else "", line.metric, language, *values)
        shown = head
    print_table(table)
    print(output / "leaderboard.json")
