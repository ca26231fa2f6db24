"""A row's fields as what they must be: a null or a string for a list would score without a word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from towereval.errors import DataError
from towereval.types import Dataset, Image, Sample, Source, Video


def text(row: Mapping[str, Any], column: str) -> str:
    """Raises `DataError` for anything but a string; `KeyError` for a missing column."""
    value = row[column]
    if not isinstance(value, str):
        raise DataError(f"column {column}: wanted a text, found {_shown(value)}")
    return value


def texts(row: Mapping[str, Any], column: str) -> tuple[str, ...]:
    """A list of strings. Raises `DataError`; `KeyError` for a missing column."""
    value = row[column]
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise DataError(f"column {column}: wanted a list of texts, found {_shown(value)}")
    return tuple(value)


@dataclass(slots=True)
class Placed:
    """A `Source` that can tell which row it gave last: "row 3 of test, counted from 0"."""

    source: Source
    place: str = ""

    def rows(self, dataset: Dataset) -> Iterator[tuple[int, Mapping[str, Any]]]:
        name = f"{dataset.config}/{dataset.split}" if dataset.config else dataset.split
        for index, row in self.source.rows(dataset):
            self.place = f"row {index} of {name}, counted from 0"
            yield index, row
            self.place = ""  # what comes now is a fault in reading the next one

    def image(self, value: object) -> Image:
        return self.source.image(value)

    def video(self, value: object) -> Video:
        return self.source.video(value)


def checked(sample: Sample) -> Sample:
    """The sample, whose texts are texts whatever columns a task took them from.

    Raises `DataError`.
    """
    for name, texts in (("references", sample.references), ("choices", sample.choices)):
        if isinstance(texts, str):  # whose letters would each be one
            raise DataError(f"sample {sample.id!r:.40}: {name} are a tuple, found {_shown(texts)}")
    one = (sample.id, sample.language, sample.group, sample.cluster)
    for value in (*one, *sample.references, *sample.choices, *sample.meta.values()):
        if not isinstance(value, str):
            raise DataError(f"sample {sample.id!r:.40}: wanted a text, found {_shown(value)}")
    return sample


def truth(row: Mapping[str, Any], column: str) -> bool:
    """True or false, also written as a text or as 1 and 0. Raises `DataError`, `KeyError`."""
    value = row[column]
    found = _TRUTHS.get(value.strip().lower() if isinstance(value, str) else str(value).lower())
    if found is None:
        raise DataError(f"column {column}: wanted true or false, found {_shown(value)}")
    return found


def whole(row: Mapping[str, Any], column: str) -> int:
    """A whole number, also written as a text. Raises `DataError`, `KeyError`."""
    value = row[column]
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise DataError(f"column {column}: wanted a whole number, found {_shown(value)}")


_TRUTHS = {"true": True, "false": False, "1": True, "0": False}


def _shown(value: object) -> str:
    return f"{type(value).__name__} {str(value)[:40]!r}"
