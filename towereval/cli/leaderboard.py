"""`towereval leaderboard`: runs side by side."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from towereval.leaderboard.build import Board

FOLDER = Path("leaderboard")


class Format(StrEnum):
    TABLE = "table"
    MARKDOWN = "markdown"


def leaderboard(
    results: Annotated[Path, typer.Argument(help="Where runs are kept.")] = Path("results"),
    output: Annotated[Path, typer.Option(help="Folder for leaderboard.json.")] = FOLDER,
    format: Annotated[Format, typer.Option(help="Markdown has the intervals.")] = Format.TABLE,  # noqa: A002
) -> None:
    """Put all runs into leaderboard.json and show them side by side."""
    from towereval.leaderboard.build import build

    board = build(results)
    board.write(output)
    for notice in board.notices:
        print(f"note: {notice}", file=sys.stderr)
    if format is Format.MARKDOWN:
        _show_markdown(board)
    else:
        _show_table(board)
    print(output / "leaderboard.json", file=sys.stderr)


def _show_table(board: Board) -> None:
    from rich.table import Table

    from towereval.cli.console import print_table

    table = Table(box=None, pad_edge=False)
    for name in ("task", "metric", "language"):
        table.add_column(name)
    for model in board.models:
        table.add_column(model, justify="right")
    shown = ("", "")
    for task, metric, language, *cells in _rows(board, intervals=False):
        fresh = (task, metric) != shown
        table.add_row(task if fresh else "", metric if fresh else "", language, *cells)
        shown = (task, metric)
    print_table(table)


def _show_markdown(board: Board) -> None:
    print(f"| task | metric | language | {' | '.join(board.models)} |")
    print("|---|---|---|" + "--:|" * len(board.models))
    for cells in _rows(board, intervals=True):
        print(f"| {' | '.join(cells)} |")


def _rows(board: Board, *, intervals: bool) -> Iterator[list[str]]:
    from towereval.cli.console import interval, number

    for line, cells in board.lines():
        task = f"{line.task}@{line.variant}" + (" (sample)" if line.split == "sample" else "")
        row = [task, line.metric, "macro mean" if line.language == "*" else line.language]
        for model in board.models:
            cell = cells.get(model)
            text = number(cell.value, cell) if cell else ""
            if cell and intervals and cell.ci_low is not None:
                text += f" ({interval(cell)})"
            row.append(text)
        yield row
