"""Rows from a local folder in the data set's own columns: parquet, JSONL with media files, or
`save_to_disk`.

A split's files are looked for under these names, `config/` first where the data set has one:
`<split>.jsonl`, `<split>.parquet`, `<split>-*.parquet`, each also below `data/`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.data import media
from towereval.errors import DataError
from towereval.types import Dataset, Image, Video


@dataclass(frozen=True, slots=True)
class FolderSource:
    folder: Path

    def rows(self, dataset: Dataset) -> Iterator[tuple[int, Mapping[str, Any]]]:
        if _is_saved(self.folder):
            rows = saved_rows(self.folder, dataset)
        else:
            rows = (row for file in self._files(dataset) for row in self._file_rows(file, dataset))
        yield from enumerate(rows)

    def image(self, value: object) -> Image:
        return row_image(value)

    def video(self, value: object) -> Video:
        if isinstance(value, Path):
            return media.video_file(value)
        raise DataError(f"wanted the path of a clip, found {type(value).__name__}")

    def _files(self, dataset: Dataset) -> list[Path]:
        roots = [self.folder / dataset.config] if dataset.config else [self.folder]
        roots += [root / "data" for root in roots]
        for root in roots:
            for pattern in ("{}.jsonl", "{}.parquet", "{}-*.parquet"):
                files = sorted(root.glob(pattern.format(dataset.split)))
                if files:
                    return files
        wanted = f"{dataset.config}/{dataset.split}" if dataset.config else dataset.split
        raise DataError(
            f"{self.folder}: no {wanted}.jsonl or {wanted}.parquet (columns as in {dataset.repo})"
        )

    def _file_rows(self, file: Path, dataset: Dataset) -> Iterator[Mapping[str, Any]]:
        rows = _jsonl_rows(file) if file.suffix == ".jsonl" else _parquet_rows(file)
        for row in rows:
            for column in dataset.media:
                if isinstance(row.get(column), str):
                    row[column] = self._within(file.parent / row[column])
            yield row

    def _within(self, file: Path) -> Path:
        # A row must not reach files outside the folder that the user named.
        if not file.resolve().is_relative_to(self.folder.resolve()):
            raise DataError(f"{file} lies outside {self.folder}")
        return file


def row_image(value: object) -> Image:
    """A picture as rows hold it: a path, bytes, or the hub's {"bytes", "path"}."""
    if isinstance(value, Mapping):
        value = value["bytes"] if value.get("bytes") else Path(str(value.get("path")))
    if isinstance(value, bytes):
        return media.image_bytes(value)
    if isinstance(value, Path):
        return media.image_file(value)
    raise DataError(f"wanted a picture (bytes or a path), found {type(value).__name__}")


def saved_rows(folder: Path, dataset: Dataset) -> Iterator[Mapping[str, Any]]:
    """Rows of a folder written by `datasets`' `save_to_disk`."""
    try:
        import datasets
    except ImportError as error:
        from towereval.errors import MissingExtra

        raise MissingExtra("datasets", "data") from error
    saved = datasets.load_from_disk(str(folder / dataset.config if dataset.config else folder))
    if isinstance(saved, datasets.DatasetDict):
        if dataset.split not in saved:
            raise DataError(f"{folder}: no split {dataset.split!r}; it holds {', '.join(saved)}")
        saved = saved[dataset.split]
    yield from undecoded(saved)


def undecoded(rows: Any) -> Any:
    """The same `datasets.Dataset` with pictures and clips as encoded bytes or paths."""
    import datasets

    for column, feature in rows.features.items():
        if isinstance(feature, datasets.Image | datasets.Video):
            rows = rows.cast_column(column, type(feature)(decode=False))
    return rows


def _is_saved(folder: Path) -> bool:
    return any(
        (folder / name).exists() for name in ("dataset_dict.json", "dataset_info.json")
    ) or any(folder.glob("*/dataset_info.json"))


def _jsonl_rows(file: Path) -> Iterator[dict[str, Any]]:
    # Lines end with "\n" alone: texts may hold other line separators.
    with file.open(encoding="utf-8", newline="\n") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{file}:{number}: not JSON: {error}") from error
            if not isinstance(row, dict):
                raise DataError(f"{file}:{number}: wanted an object, found {type(row).__name__}")
            yield row


def _parquet_rows(file: Path) -> Iterator[dict[str, Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        # Rows hold whole pictures: a small batch bounds the memory.
        with parquet.ParquetFile(file) as table:
            for batch in table.iter_batches(batch_size=16):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise DataError(f"{file}: not a readable parquet file: {error}") from error
