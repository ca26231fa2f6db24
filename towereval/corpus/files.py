"""Files of records: JSONL or parquet, read and written row by row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from towereval.corpus.records import Record
from towereval.corpus.rows import parse, row_of
from towereval.errors import DataError, UsageError

SUFFIXES = (".jsonl", ".parquet")
# Rows of a parquet file that are written together; they may hold whole pictures.
BATCH = 64


def read(file: Path) -> Iterator[tuple[int, Record]]:
    """Records with their line or row, from 1. Raises `DataError` that names file and line."""
    for number, found in read_all(file):
        if isinstance(found, DataError):
            raise found
        yield number, found


def read_all(file: Path) -> Iterator[tuple[int, Record | DataError]]:
    """As `read`, but a row that is no record is given as what is wrong with it."""
    for number, row in _rows(file):
        if isinstance(row, DataError):
            yield number, row
            continue
        try:
            yield number, parse(row)
        except DataError as error:
            yield number, DataError(f"{file}:{number}: {error}")


def check_suffix(file: Path) -> None:
    if file.suffix not in SUFFIXES:
        raise UsageError(f"{file}: records lie in a .jsonl or a .parquet file")


def _rows(file: Path) -> Iterator[tuple[int, Any]]:
    check_suffix(file)
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    yield from (_jsonl_rows if file.suffix == ".jsonl" else _parquet_rows)(file)


def _jsonl_rows(file: Path) -> Iterator[tuple[int, Any]]:
    try:
        with file.open("rb") as lines:  # "\n" alone ends a line: texts may hold other separators
            for number, line in enumerate(lines, start=1):
                if not line.strip():
                    continue
                try:
                    yield number, json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield number, DataError(f"{file}:{number}: not JSON: {error}")
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _parquet_rows(file: Path) -> Iterator[tuple[int, Any]]:
    import pyarrow
    from pyarrow import parquet

    number = 0
    try:
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=16):  # rows may hold whole pictures
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file}: not a readable parquet file: {error}") from error


class Writer:
    """Writes records to a file in the making; made by `writing`."""

    def __init__(self, file: Path, temporary: Path) -> None:
        self._file = file
        self._temporary = temporary
        with self._told():
            file.parent.mkdir(parents=True, exist_ok=True)
            form = _Lines if file.suffix == ".jsonl" else _Table
            self._rows: _Lines | _Table = form(temporary)

    def add(self, record: Record) -> None:
        """Raises `DataError` where the disk is full."""
        with self._told():
            self._rows.add(record)

    def finish(self) -> None:
        with self._told():
            self._rows.close()
            self._temporary.replace(self._file)

    def give_up(self) -> None:
        with suppress(OSError, ValueError):  # the second is pyarrow's, of what failed before
            self._rows.close()
        with suppress(OSError):
            self._temporary.unlink()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            with suppress(OSError):
                self._temporary.unlink()
            raise DataError(f"{self._file}: cannot be written: {error}") from error


@contextmanager
def writing(file: Path) -> Iterator[Writer]:
    """A file of records in the making: it has its name once all of them are written.

    Raises `UsageError` for another suffix and `DataError` where it cannot be written.
    """
    check_suffix(file)
    writer = Writer(file, file.with_name(f".{file.stem}.{os.getpid()}{file.suffix}"))
    try:
        yield writer
    except BaseException:
        writer.give_up()
        raise
    writer.finish()


class _Lines:
    def __init__(self, file: Path) -> None:
        # Lone surrogates, which some detokenizers give, have no encoding in UTF-8.
        self._file = file.open("w", encoding="utf-8", errors="replace", newline="\n")

    def add(self, record: Record) -> None:
        json.dump(row_of(record, encoded=True), self._file, ensure_ascii=False)
        self._file.write("\n")

    def close(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


class _Table:
    def __init__(self, file: Path) -> None:
        from pyarrow import parquet

        self._file = parquet.ParquetWriter(file, _schema())
        self._rows: list[dict[str, Any]] = []

    def add(self, record: Record) -> None:
        self._rows.append(row_of(record, encoded=False))
        if len(self._rows) >= BATCH:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._file.close()

    def _flush(self) -> None:
        import pyarrow

        if self._rows:
            self._file.write_table(pyarrow.Table.from_pylist(self._rows, _schema()))
        self._rows = []


def _schema() -> Any:
    import pyarrow as pa

    part = pa.struct({"type": pa.string(), "text": pa.string()})
    turn = pa.struct({"role": pa.string(), "content": pa.list_(part)})
    sizes = {"width": pa.int32(), "height": pa.int32()}
    picture = pa.struct({"path": pa.string(), "bytes": pa.binary(), **sizes, "sha256": pa.string()})
    translation = {
        **dict.fromkeys(("source_id", "source_language", "model", "score_signature"), pa.string()),
        "source_texts": pa.list_(pa.string()),
        "score": pa.float64(),
    }
    return pa.schema(
        {
            **dict.fromkeys(("id", "source", "language", "task"), pa.string()),
            "messages": pa.list_(turn),
            "images": pa.list_(picture),
            "video": pa.struct({"path": pa.string(), "frames": pa.list_(picture)}),
            "origin": pa.string(),
            "translation": pa.struct(translation),
            "licence": pa.string(),
            "split": pa.string(),
        }
    )
