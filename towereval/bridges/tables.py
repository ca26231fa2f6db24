"""Rows of many runs as one CSV or parquet file, every field of `Result` with its model."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from towereval.data.media import write_atomically
from towereval.errors import StoreError
from towereval.printable import cell
from towereval.results import Run
from towereval.store import storable
from towereval.types import Result

COLUMNS = ("model", "created", "limit", *(field.name for field in fields(Result)))
_COUNTS = ("limit", "task_version", "n", "n_failed", "n_unscored")
_NUMBERS = ("value", "ci_low", "ci_high")


def write_csv(runs: Sequence[Run], file: Path) -> None:
    """UTF-8; no text is a formula to a spreadsheet, what is invisible is written as \\uXXXX."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(row[name]) for name in COLUMNS] for row in _rows(runs))
    _write(file, storable(stream.getvalue()).encode())


def write_parquet(runs: Sequence[Run], file: Path) -> None:
    """Texts as they are; `languages` is a list."""
    import pyarrow
    from pyarrow import parquet

    kinds = {
        **dict.fromkeys(COLUMNS, pyarrow.string()),
        **dict.fromkeys(_COUNTS, pyarrow.int64()),
        **dict.fromkeys(_NUMBERS, pyarrow.float64()),
        "languages": pyarrow.list_(pyarrow.string()),
    }
    schema = pyarrow.schema(list(kinds.items()))
    stream = io.BytesIO()
    rows = [
        {name: storable(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in _rows(runs)
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=schema), stream, compression="zstd")
    _write(file, stream.getvalue())


def _rows(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    names = [field.name for field in fields(Result)]
    for run in runs:
        limit = run.limit
        for row in run.rows:
            values = {name: getattr(row, name) for name in names}
            languages = [storable(code) for code in row.languages]
            head = {"model": run.model, "created": run.created, "limit": limit}
            yield {**head, **values, "languages": languages}


def _cell(value: object) -> str:
    if isinstance(value, list):
        value = " ".join(value)
    return cell(value) if isinstance(value, str) else "" if value is None else repr(value)


def _write(file: Path, data: bytes) -> None:
    try:
        write_atomically(file, data)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error
