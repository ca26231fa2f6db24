"""Rows of a local folder: parquet, JSONL with media files, or `save_to_disk`.

A split's files are looked for under these names, `config/` first where the data set has one:
`<split>.jsonl`, `<split>.parquet`, `<split>-*.parquet`, each also below `data/`. A `save_to_disk`
folder may be the folder itself or its `<split>/`. A file that a row names is looked for next to the
rows, then from the top.
"""

from __future__ import annotations

import json
import os
import re
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
        yield from enumerate(self._rows(dataset))

    def image(self, value: object) -> Image:
        return row_image(value)

    def video(self, value: object) -> Video:
        return row_video(value)

    def _rows(self, dataset: Dataset) -> Iterator[Mapping[str, Any]]:
        root = self.folder / dataset.config
        for folder in (root, root / dataset.split):
            if _is_saved(folder):
                for row in saved_rows(folder, dataset):
                    yield self._with_files(row, dataset, folder)
                return
        for file in self._files(root, dataset):
            for row in _jsonl_rows(file) if file.suffix == ".jsonl" else _parquet_rows(file):
                yield self._with_files(row, dataset, file.parent)

    def _files(self, root: Path, dataset: Dataset) -> list[Path]:
        for folder in (root, root / "data"):
            for pattern in ("{}.jsonl", "{}.parquet", "{}-*.parquet"):
                files = sorted(folder.glob(pattern.format(dataset.split)))
                if files:
                    return _complete(files)
        wanted = f"{dataset.config}/{dataset.split}" if dataset.config else dataset.split
        raise DataError(
            f"{self.folder}: no {wanted}.jsonl or {wanted}.parquet (columns as in {dataset.repo})"
        )

    def _with_files(self, row: dict[str, Any], dataset: Dataset, near: Path) -> dict[str, Any]:
        """The row with whole paths in place of the names of pictures and clips."""
        for column in dataset.media:
            value = row.get(column)
            if isinstance(value, list):
                row[column] = [self._file(one, near) for one in value]
            elif value is not None:
                row[column] = self._file(value, near)
        return row

    def _file(self, value: object, near: Path) -> object:
        """The whole path of a file's name; anything else as it is."""
        if isinstance(value, Mapping) and not value.get("bytes"):
            value = value.get("path")
        return file_within(self.folder, value, near) if isinstance(value, str) else value


def file_within(folder: Path, name: str, near: Path) -> Path:
    """The file of that name beside `near` or in the folder.

    Raises `DataError` for what lies outside the folder that the user named. Also by a link: a data
    set that was unpacked here must not show a model the user's files.
    """
    try:
        beside = (near / name).exists() or not (folder / name).exists()
        top = os.path.normpath(folder.absolute())
        file = Path(os.path.normpath((near if beside else folder).absolute() / name))
        real = file.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # the second is a link to itself
        raise DataError(f"{folder}: {name[:40]!r}... is no file's name") from error
    if not file.is_relative_to(top):
        raise DataError(f"{file} lies outside {folder}")
    if not any(real.is_relative_to(place) for place in _places(folder)):
        raise DataError(f"{file} is a link to {real}, which lies outside {folder}")
    return file


def _places(folder: Path) -> tuple[Path, ...]:
    """Where a folder's files may really lie: in it; a snapshot of the hub's has them in `blobs`."""
    real = folder.resolve()
    blobs = [
        place.parent / "blobs"
        for place in (real, *real.parents)
        if place.name == "snapshots" and place.parent.name.startswith("datasets--")
    ]
    return (real, *blobs)


def row_video(value: object) -> Video:
    if isinstance(value, Path):
        return media.video_file(value)
    raise DataError(f"wanted the path of a clip, found {type(value).__name__}")


def row_image(value: object) -> Image:
    """A picture as rows hold it: a path, bytes, or the hub's {"bytes", "path"}."""
    if isinstance(value, Mapping):
        path = value.get("path")
        value = value.get("bytes") or (Path(path) if path else None)
    if isinstance(value, bytes):
        return media.image_bytes(value)
    if isinstance(value, Path):
        return media.image_file(value)
    raise DataError(f"wanted a picture (bytes or a path), found {type(value).__name__}")


def saved_rows(folder: Path, dataset: Dataset) -> Iterator[dict[str, Any]]:
    """Rows of a folder written by `datasets`' `save_to_disk`."""
    try:
        import datasets
    except ImportError as error:
        from towereval.errors import MissingExtra

        raise MissingExtra("datasets", "data") from error
    import pyarrow

    try:
        saved = datasets.load_from_disk(str(folder))
        if isinstance(saved, datasets.DatasetDict):
            held = {str(split): rows for split, rows in saved.items()}
        else:
            # "test[:10]" is of test; without a split's name the folder's name or the user is right.
            split = str(saved.split or "").partition("[")[0]
            held = {dataset.split if folder.name == dataset.split or not split else split: saved}
        if dataset.split not in held:
            raise DataError(f"{folder}: no split {dataset.split!r}; it holds {', '.join(held)}")
        yield from undecoded(held[dataset.split])
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise DataError(f"{folder}: not what `save_to_disk` writes: {error}") from error


def undecoded(rows: Any) -> Any:
    """The same `datasets.Dataset` with pictures and clips, or lists of them, as encoded bytes or
    paths.
    """
    import datasets

    for column, feature in rows.features.items():
        inner = getattr(feature, "feature", None)  # of a list
        if isinstance(feature, datasets.Image | datasets.Video):
            rows = rows.cast_column(column, type(feature)(decode=False))
        elif isinstance(inner, datasets.Image | datasets.Video):
            rows = rows.cast_column(column, type(feature)(type(inner)(decode=False)))
    return rows


def _is_saved(folder: Path) -> bool:
    return any((folder / name).exists() for name in ("dataset_dict.json", "dataset_info.json"))


def _complete(files: list[Path]) -> list[Path]:
    """All files of a split; their names tell how many there are. Raises `DataError`."""
    count = re.search(r"-\d+-of-(\d+)", files[-1].stem)
    if count and len(files) != int(count[1]):
        raise DataError(f"{files[-1]}: {len(files)} of {int(count[1])} files are there")
    return files


def _jsonl_rows(file: Path) -> Iterator[dict[str, Any]]:
    try:
        # Lines end with "\n" alone, as bytes do: texts may hold other line separators.
        with file.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _jsonl_row(line, f"{file}:{number}")
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error}") from error


def _jsonl_row(line: bytes, place: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise DataError(f"{place}: not JSON: {error}") from error
    if not isinstance(row, dict):
        raise DataError(f"{place}: wanted an object, found {type(row).__name__}")
    return row


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
