"""Texts of models and data sets made harmless for eyes, spreadsheets and Markdown."""

from __future__ import annotations

import unicodedata

# Controls, bidi marks and other invisible ones, line separators, lone surrogates.
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs"})
# Persian and the scripts of India are not written rightly without these two.
_JOINERS = frozenset("\u200c\u200d")
# A spreadsheet takes a cell that begins so for a formula; the full-width ones are Excel's in Japan.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
# What a cell of Excel holds; Python's reader of CSV files stops at four times as much.
CELL = 32_767
_MARKDOWN = str.maketrans(
    {sign: f"\\{sign}" for sign in "\\|`*_[]#~"} | {"<": "&lt;", "&": "&amp;"}
)


def visible(text: str, limit: int = 0) -> str:
    """The text in one line: what cannot be seen is written as \\uXXXX, a longer text is cut.

    `limit` counts the characters that are kept, the ellipsis included; 0 keeps all.
    """
    if limit and len(text) > limit:
        text = text[: limit - 1] + "…"
    return "".join(
        char if char in _JOINERS or unicodedata.category(char) not in _HIDDEN else _escape(char)
        for char in text
    )


def cell(text: str) -> str:
    """A spreadsheet's cell that is a text and no formula, by OWASP's rule: a quote in front.

    Cut at what a cell can hold.
    """
    shown = visible(text)
    if text.startswith(_FORMULA):
        shown = f"'{shown}"
    return shown if len(shown) <= CELL else f"{shown[: CELL - 1]}…"


def markdown(text: str, limit: int = 0) -> str:
    """A text within a Markdown table: no markup, no HTML, no new column."""
    return visible(text, limit).translate(_MARKDOWN)


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
