"""What a corpus is made of: counts by source, language and origin, as the paper's Table 8 has them.

Source: TowerVision (arXiv 2510.21849), table 8.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towereval.corpus.files import read
from towereval.corpus.records import ORIGINS, Record

ENGLISH = "en"


@dataclass(slots=True)
class Census:
    """`sources` by (task, source, origin)."""

    sources: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    media: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        self.sources[record.task, record.source, record.origin] += 1
        self.languages[record.language] += 1
        self.licences[record.licence or "not stated"] += 1
        shown = "image" if record.images else "text"
        self.media["video" if record.video is not None else shown] += 1

    @property
    def total(self) -> int:
        return self.languages.total()

    @property
    def origins(self) -> dict[str, int]:
        found = dict.fromkeys(ORIGINS, 0)
        for (_, _, origin), count in self.sources.items():
            found[origin] += count
        return found

    @property
    def english(self) -> int:
        return self.languages[ENGLISH]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table: what it is of, how many samples, which share of all, and the tag."""

    name: tuple[str, str]
    count: int
    share: float
    tag: str = ""


def take(files: Sequence[Path], advance: Callable[[], None]) -> Census:
    """Raises `DataError` at the first row that is no record."""
    census = Census()
    for file in files:
        for _, record in read(file):
            census.add(record)
            advance()
    return census


def rows(census: Census) -> Iterator[Row]:
    """Sources as the paper lists them, then origins, languages, media, licences and the total."""

    def row(kind: str, name: str, count: int, tag: str = "") -> Row:
        return Row((kind, name), count, count / census.total if census.total else 0.0, tag)

    for (task, source, origin), count in sorted(census.sources.items()):
        yield row(task, source, count, origin)
    for origin, count in census.origins.items():
        yield row("origin", origin, count)
    if census.total:
        yield row("language", "English", census.english)
        yield row("language", "multilingual", census.total - census.english)
    for kind, counts in (
        ("language", census.languages),
        ("shown", census.media),
        ("licence", census.licences),
    ):
        for name, count in counts.most_common():
            yield row(kind, name, count)
    yield row("total", "", census.total)


def record_of(census: Census) -> dict[str, Any]:
    """The same for a program."""
    return {
        "schema": 1,
        "total": census.total,
        "english": census.english,
        "multilingual": census.total - census.english,
        "sources": [
            {"task": task, "source": source, "origin": origin, "samples": count}
            for (task, source, origin), count in sorted(census.sources.items())
        ],
        "origins": census.origins,
        "languages": dict(census.languages.most_common()),
        "media": dict(census.media.most_common()),
        "licences": dict(census.licences.most_common()),
    }
