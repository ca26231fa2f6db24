"""`python -m tests.conformance FILE.jsonl ...`: lines of JSON with `kind`, inputs, `expected`.

Prints each mismatch and a line for each kind. Exit 0: all agree; 1: a mismatch or an unknown kind;
2: a file that cannot be read.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.conformance import captions, cc_ocr, choices, suite, translations
from towereval.errors import DataError, TowerevalError, Unscorable

CHECKS = choices.CHECKS | cc_ocr.CHECKS | translations.CHECKS | captions.CHECKS | suite.CHECKS


def main(files: Sequence[str]) -> int:
    if not files:
        print("usage: python -m tests.conformance FILE.jsonl ...", file=sys.stderr)
        return 2
    checked, mismatched, unknown = Counter[str](), Counter[str](), Counter[str]()
    try:
        vectors = list(rows(files))
        captions.prepare([row for _, row in vectors])
        for place, row in vectors:
            kind = row["kind"]
            if kind not in CHECKS:
                unknown[kind] += 1
                continue
            checked[kind] += 1
            differences = compare_row(row, place)
            mismatched[kind] += bool(differences)
            for difference in differences:
                print(f"{kind} {row.get('id', place)}: {difference}")
    except DataError as error:
        print(error, file=sys.stderr)
        return 2
    for kind, count in checked.items():
        print(f"{kind}: {count} checked, {mismatched[kind]} mismatched")
    for kind, count in unknown.items():
        print(f"{kind}: unknown kind, {count} rows not checked")
    return 1 if mismatched.total() or unknown else 0


def rows(files: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every row with its place. Texts hold other line separators: lines end at "\\n" only."""
    for file in files:
        try:
            lines = Path(file).read_bytes().decode().split("\n")
        except (OSError, UnicodeError) as error:
            raise DataError(f"{file} cannot be read: {error}") from error
        if not any(lines):
            raise DataError(f"{file} holds no rows")
        for number, line in enumerate(lines, start=1):
            if line:
                yield f"{file}:{number}", read_row(line, f"{file}:{number}")


def read_row(line: str, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place} is not JSON: {error}") from error
    if not isinstance(row, dict) or not isinstance(row.get("kind"), str) or "expected" not in row:
        raise DataError(f"{place} is not an object with `kind` and `expected`")
    return row


def compare_row(row: dict[str, Any], place: str) -> list[str]:
    """What differs. Where the official scorer raises (`ERR:...`), ours must say `Unscorable`."""
    expected = row["expected"]
    raises = isinstance(expected, str) and expected.startswith("ERR:")
    try:
        columns = CHECKS[row["kind"]](row)
    except Unscorable as error:
        return [] if raises else [f"unscorable: {error}"]
    except TowerevalError as error:
        return [f"cannot be checked: {error}"]
    except (LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{place} lacks an input: {type(error).__name__} {error}") from error
    if raises:
        return [f"the official scorer raises {expected}, ours gives {columns}"]
    return [
        f"{column} is {value!r}, expected {row[column]!r}"
        for column, value in columns.items()
        if column in row and not agrees(value, row[column])
    ]


def agrees(value: Any, expected: Any) -> bool:
    """Numbers to a relative 1e-9: CPython's sum of floats differs from 3.12 on."""
    if isinstance(expected, dict):
        same = isinstance(value, dict) and value.keys() == expected.keys()
        return same and all(agrees(value[name], expected[name]) for name in expected)
    if isinstance(expected, list):
        same = isinstance(value, list | tuple) and len(value) == len(expected)
        return same and all(map(agrees, value, expected))
    if isinstance(expected, int | float) and isinstance(value, int | float):
        both_nan = math.isnan(expected) and math.isnan(value)
        return both_nan or math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-15)
    return bool(value == expected)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
