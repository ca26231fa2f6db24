"""Records of files as training reads them: one at a time, by its place, or why it cannot."""

from __future__ import annotations

import functools
import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from towereval.corpus import records
from towereval.corpus.files import check_suffix
from towereval.corpus.pictures import look_at
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.train.clips import frames_of
from towereval.train.data import PLACE, LaterClip, LaterPicture, Picture, Record, Turn
from towereval.types import Text


class Faulty(DataError):
    """A record that cannot be trained on; `kind` is what such records are counted by."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


class Rows:
    """A file's rows by their place: the byte where a line begins, or a parquet row's number."""

    def __init__(self, file: Path) -> None:
        check_suffix(file)
        if not file.is_file():
            raise DataError(f"{file}: no such file")
        self.file = file
        self._lock = threading.Lock()  # both kinds of file have one position

    @functools.cached_property
    def _table(self) -> parquet.ParquetFile:
        return parquet.ParquetFile(self.file)

    @functools.cached_property
    def _lines(self) -> Any:
        return self.file.open("rb")

    @functools.cached_property
    def _group_ends(self) -> Any:
        about = self._table.metadata
        return np.cumsum([about.row_group(i).num_rows for i in range(about.num_row_groups)])

    def places(self) -> Iterator[int]:
        """All rows' places in the file's order; empty lines have none."""
        if self.file.suffix == ".parquet":
            with self._reading():
                count = self._table.metadata.num_rows
            yield from range(count)
            return
        at = 0
        with self.file.open("rb") as lines:
            for line in lines:
                if line.strip():
                    yield at
                at += len(line)

    def read(self, place: int) -> Any:
        """The row as JSON gives it. Raises `DataError`."""
        with self._lock, self._reading():
            if self.file.suffix == ".parquet":
                group = int(np.searchsorted(self._group_ends, place, side="right"))
                first = int(self._group_ends[group - 1]) if group else 0
                return self._group(group).slice(place - first, 1).to_pylist()[0]
            self._lines.seek(place)
            line = self._lines.readline()
        try:
            return json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{self.file}, byte {place}: not JSON: {error}") from error

    @functools.lru_cache(maxsize=8)  # noqa: B019 there are as many of these as files, to the end
    def _group(self, group: int) -> Any:
        return self._table.read_row_group(group)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.file}: cannot be read: {error}") from error


@functools.lru_cache(maxsize=256)
def rows_of(file: Path) -> Rows:
    return Rows(file)


def checked(record: records.Record, *, clips: bool = False) -> records.Record:
    """The record; `clips`: of a stage that shows them and no pictures.

    Raises `Faulty` where a conversation is none that can be learned from.
    """
    if record.language not in LANGUAGES:
        raise Faulty("unknown language", f"language {record.language!r} is none of the known")
    if clips and record.images:
        raise Faulty("picture", "a picture in a stage that shows clips")
    if record.video is not None and not clips:
        raise Faulty("clip", "a clip in a stage that shows pictures")
    slots = [p for turn in record.messages for p in turn.parts if isinstance(p, records.Slot)]
    media = len(record.images) + (record.video is not None)
    if len(slots) != media:
        raise Faulty("placeholders", f"{len(slots)} placeholders, but {media} pictures or clips")
    roles = [turn.role for turn in record.messages]
    talk = roles[1:] if roles[:1] == ["system"] else roles
    if not talk or talk != ["user", "assistant"] * (len(talk) // 2):
        raise Faulty("turns", f"user and assistant do not alternate: {', '.join(roles) or 'none'}")
    if not all(turn.text.strip() for turn in record.messages if turn.role == "assistant"):
        raise Faulty("turns", "an answer is empty")
    return record


def learned(record: records.Record, file: Path, sizes: Sequence[tuple[int, int]]) -> Record:
    """As training knows it; `sizes` as `picture_sizes` has them."""
    pictures: tuple[Picture, ...]
    if record.video is not None:
        ((frames, _),) = sizes
        decode = functools.partial(frames_of, record.video, file.parent, frames)
        pictures = (LaterClip(frames, decode),)
    else:
        pictures = tuple(
            LaterPicture(size, functools.partial(_decoded, picture, file.parent))
            for picture, size in zip(record.images, sizes, strict=True)
        )
    return Record(record.source, record.language, _turns(record), pictures)


def english_of(record: records.Record, own: Record) -> Record | None:
    """The same record before it was translated from English, where it was."""
    shown = record.translation
    if shown is None or shown.source_language.partition("-")[0] != "en":
        return None
    if len(shown.source_texts) != len(record.texts):
        said = f"{len(record.texts)} texts, but {len(shown.source_texts)} before translation"
        raise Faulty("translation", said)
    turns = _turns(record.with_texts(shown.source_texts))
    return Record(own.source, shown.source_language, turns, own.pictures)


def picture_sizes(record: records.Record, file: Path, frames: int) -> list[tuple[int, int]]:
    """Heights and widths, of a clip its frames and 0; all are decoded. Raises `Faulty`."""
    try:
        if record.video is not None:
            return [(len(frames_of(record.video, file.parent, frames)), 0)]
        return [_decoded(picture, file.parent).shape[:2] for picture in record.images]
    except DataError as error:
        raise Faulty("picture", str(error)) from error


def _turns(record: records.Record) -> tuple[Turn, ...]:
    return tuple(
        Turn(turn.role, "".join(_said(part) for part in turn.parts)) for turn in record.messages
    )


def _said(part: records.Part) -> str:
    # A text's own sign would be taken for a picture's place.
    return part.text.replace(PLACE, "") if isinstance(part, Text) else PLACE


def _decoded(picture: records.Picture, folder: Path) -> Any:
    return np.array(look_at(picture, folder).pixels)  # torch wants one that can be written to


def workers() -> int:
    return os.cpu_count() or 1
