"""A file's records by their lengths: read and decoded once, then known from an Arrow file.

The index lies in the cache under the digest of the file and of what its lengths depend on: the
tokenizer, how pictures are cut, the prompt. It is memory-mapped, so millions of records cost
little, and a record is read from its file when a step wants it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import compute, ipc

from towereval.corpus import records
from towereval.corpus.rows import parse
from towereval.data.media import cache_folder
from towereval.digests import sha256
from towereval.errors import DataError, StoreError
from towereval.train import formats
from towereval.train.corpus_files import (
    Faulty,
    checked,
    english_of,
    learned,
    picture_sizes,
    rows_of,
    workers,
)
from towereval.train.data import Record
from towereval.train.packing import Encoder, Rendering
from towereval.train.recipe import Formats
from towereval.types import digest

VERSION = 1
BLOCK = 1024
_SCHEMA = pa.schema(
    {
        "at": pa.int64(),  # where its row is read: the byte of a line, the number of a parquet row
        "language": pa.string(),
        "sizes": pa.list_(pa.int32()),  # height and width of each picture; frames and 0 of a clip
        "tokens": pa.int32(),
        "tiles": pa.int32(),
        "fault": pa.string(),  # "" for a record that can be trained on
        "detail": pa.string(),
    }
)


@dataclass(frozen=True, slots=True)
class Index:
    """One row a record, in the file's order; `digest` is of the file and what was asked of it."""

    file: Path
    digest: str
    table: Any

    def column(self, name: str) -> NDArray[Any]:
        return np.asarray(self.table[name].to_numpy())

    @property
    def pictures(self) -> NDArray[Any]:
        return np.asarray(compute.list_value_length(self.table["sizes"]).to_numpy()) // 2

    def faults(self, tokens: int, tiles: int) -> tuple[NDArray[np.bool_], dict[str, Any]]:
        """Which rows cannot be trained on in packs of this room, and their counts by kind.

        Under "first" some are named.
        """
        kinds = np.asarray(self.table["fault"].to_pylist(), dtype=object)
        long = (self.column("tokens") > tokens) | (self.column("tiles") > tiles)
        kinds[(kinds == "") & long] = "longer than a pack"
        bad = kinds != ""
        first = [
            f"row {row + 1}: {kinds[row]}: {self.table['detail'][row].as_py()}".rstrip(": ")
            for row in np.flatnonzero(bad)[:5].tolist()
        ]
        return bad, {**Counter(kinds[bad].tolist()), **({"first": first} if first else {})}

    def record(self, row: int, source: str, asked: Formats, key: str) -> Record:
        """A record as it is asked; `key` decides the format. Raises `DataError`."""
        found = parse(rows_of(self.file).read(self.table["at"][row].as_py()))
        sizes: list[int] = self.table["sizes"][row].as_py()
        pairs = list(zip(sizes[::2], sizes[1::2], strict=True))
        record = learned(found, self.file, pairs)
        record = Record(source, record.language, record.turns, record.pictures)
        english = english_of(found, record)
        return record if english is None else formats.asked_as(record, english, asked, key)


def index_of(file: Path, encoder: Encoder, rendering: Rendering) -> Index:
    """Read from the cache, or made: then every picture is decoded. Raises `DataError`."""
    rows = rows_of(file)
    key = digest([sha256(file), str(file.resolve().parent), encoder.digest, rendering.key, VERSION])
    cached = cache_folder() / "lengths" / f"{key}.arrow"
    if not cached.is_file():
        try:
            cached.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(mkdtemp(prefix=".writing-", dir=cached.parent)) / "index"
            with ipc.new_file(str(temporary), _SCHEMA) as sink:
                for block in _blocks(file, rows.places(), encoder, rendering):
                    sink.write_batch(pa.RecordBatch.from_pylist(block, _SCHEMA))
            temporary.rename(cached)
            temporary.parent.rmdir()
        except OSError as error:
            raise StoreError(f"{cached}: the index cannot be written: {error}") from error
    with pa.memory_map(str(cached)) as mapped:
        return Index(file, key, ipc.open_file(mapped).read_all())


def _blocks(
    file: Path, places: Iterable[int], encoder: Encoder, rendering: Rendering
) -> Iterable[list[Mapping[str, Any]]]:
    left = iter(places)
    with ThreadPoolExecutor(workers()) as pool:  # decoding holds no lock
        while block := list(islice(left, BLOCK)):
            yield list(pool.map(lambda at: _row(file, at, encoder, rendering), block))


def _row(file: Path, at: int, encoder: Encoder, rendering: Rendering) -> Mapping[str, Any]:
    row: dict[str, Any] = {"at": at, "language": "", "sizes": [], "tokens": 0, "tiles": 0}
    try:
        found = checked(_parsed(file, at), clips=rendering.view == "clips")
        row["language"] = found.language
        sizes = picture_sizes(found, file, rendering.frames)
        record = learned(found, file, sizes)
        english_of(found, record)
        example = encoder.example(record, rendering)
    except Faulty as fault:
        return {**row, "fault": fault.kind, "detail": str(fault)}
    except DataError as error:  # a text that holds a placeholder of the model's own
        return {**row, "fault": "placeholders", "detail": str(error)}
    flat = [int(side) for size in sizes for side in size]
    lengths = {"tokens": len(example.ids), "tiles": example.tiles}
    return {**row, "sizes": flat, **lengths, "fault": "", "detail": ""}


def _parsed(file: Path, at: int) -> records.Record:
    try:
        return parse(rows_of(file).read(at))
    except DataError as error:
        raise Faulty("not a record", str(error)) from error
