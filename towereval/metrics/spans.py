"""Cutting spans out of a text in linear time."""

from __future__ import annotations

from collections.abc import Sequence


def replace_spans(text: str, opening: str, *closings: str, instead: str = "") -> str:
    """Replace from each opening to its closings in turn, all on one line.

    What the official scorers do by a non-greedy regular expression, which takes quadratic time in
    an answer that opens a megabyte of braces and closes none.
    """
    if opening not in text:
        return text
    lines = text.split("\n")
    return "\n".join(_replace_in_line(line, opening, closings, instead) for line in lines)


def _replace_in_line(line: str, opening: str, closings: Sequence[str], instead: str) -> str:
    kept: list[str] = []
    position = 0
    while (start := line.find(opening, position)) >= 0:
        end = start + len(opening)
        for closing in closings:
            found = line.find(closing, end)
            if found < 0:
                return "".join((*kept, line[position:]))
            end = found + len(closing)
        kept += (line[position:start], instead)
        position = end
    return "".join((*kept, line[position:]))
