"""Hostile texts are shown, and do nothing."""

from __future__ import annotations

import csv
import io

import pytest

from towereval.printable import CELL, cell, markdown, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\tc", r"a\u000ab\u0009c"),
        ("x\u202egpj.exe", r"x\u202egpj.exe"),
        ("\x1b[31mred", r"\u001b[31mred"),
        ("a\u2028b\ufeffc\x85d", r"a\u2028b\ufeffc\u0085d"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),  # an invisible tag
        ("中文 हिन्दी اردو ქართული 🐘", "中文 हिन्दी اردو ქართული 🐘"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner that Persian needs
    ],
)
def test_what_cannot_be_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_long_text_is_cut() -> None:
    assert visible("a" * 1_000_000, 20) == "a" * 19 + "…"
    assert visible("a" * 20, 20) == "a" * 20


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"])
def test_a_formula_is_a_text_in_a_spreadsheet(start: str) -> None:
    assert cell(f"{start}1+1").startswith("'")
    assert cell(f"{start}1+1") == f"'{visible(start)}1+1"


def test_other_cells_are_left_as_they_are() -> None:
    text = 'towervision-2b, "x" = 1'
    assert cell(text) == text
    stream = io.StringIO()
    csv.writer(stream).writerow([cell("a\r\nb"), cell('"')])
    assert stream.getvalue().count("\n") == 1


def test_a_cell_holds_what_a_cell_can() -> None:
    assert cell("a" * CELL) == "a" * CELL
    assert len(cell("=\n" * 1_000_000)) == CELL


def test_markdown_has_no_markup() -> None:
    assert markdown("a|b*c*<i>&[x](y)\n") == r"a\|b\*c\*&lt;i>&amp;\[x\](y)\\u000a"
