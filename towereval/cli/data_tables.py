"""Tables and reports of `towereval data`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any


class Format(StrEnum):
    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


def tell_media(file: Path, output: Path) -> None:
    """Records name their media below the folder of the file that they came in."""
    if file.parent.resolve() != output.parent.resolve():
        print(
            f"note: media of {output} stay below {file.parent}: --media names it", file=sys.stderr
        )


def escaped(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def show_lines(
    head: tuple[str, ...],
    lines: Sequence[tuple[str, ...]],
    format: Format,  # noqa: A002
    numbers: tuple[int, ...],
) -> None:
    """A table for a terminal, or in Markdown."""
    from towereval.printable import markdown

    if format is Format.MARKDOWN:
        marks = ["--:" if column in numbers else "---" for column in range(len(head))]
        for cells in (head, marks, *([markdown(one) for one in line] for line in lines)):
            print(f"| {' | '.join(cells)} |")
        return
    from rich.table import Table

    from towereval.cli.console import print_table
    from towereval.printable import visible

    table = Table(box=None, pad_edge=False)
    for column, name in enumerate(head):
        table.add_column(name, justify="right" if column in numbers else "left")
    for line in lines:
        table.add_row(*(escaped(visible(cell)) for cell in line))
    print_table(table)


def write_json(file: Path, content: dict[str, Any]) -> None:
    import json

    from towereval.data.media import write_atomically
    from towereval.errors import DataError

    text = json.dumps(content, ensure_ascii=False, indent=1)
    try:
        write_atomically(file, text.encode("utf-8", errors="replace") + b"\n")
    except OSError as error:
        raise DataError(f"{file}: cannot be written: {error}") from error
