"""A part of a corpus: by language, source, task and origin, and at most so many a language.

TowerVision (arXiv 2510.21849) trained on ten or on twenty languages, and its authors' scripts keep
at most 50,000 random records a language of CulturalGround.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from towereval.corpus.files import read, writing
from towereval.corpus.records import Record
from towereval.corpus.translate import check_languages
from towereval.errors import DataError
from towereval.languages import expand, members


@dataclass(frozen=True, slots=True)
class Choice:
    """What is kept; () and 0 keep all. `languages` are codes and groups, `most` is a language's."""

    languages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    most: int = 0
    seed: int = 0


def select(
    file: Path, choice: Choice, output: Path, advance: Callable[[], None]
) -> Mapping[str, int]:
    """Write the chosen records in their order; by language how many.

    Which of a language are drawn, ids and seed alone decide. Raises `TowerevalError`; `DataError`
    where nothing is left.
    """
    check_languages(name for name in choice.languages if not members(name))
    codes = frozenset(expand(choice.languages))
    last = _last_draws(file, choice, codes) if choice.most else {}
    counts: Counter[str] = Counter()
    with writing(output) as writer:
        for record in _chosen(file, choice, codes):
            advance()
            if choice.most and _draw(record, choice.seed) > last[record.language]:
                continue
            counts[record.language] += 1
            writer.add(record)
        if not counts:
            raise DataError(f"{file}: no record is left; towereval data census tells what there is")
    return counts


def _chosen(file: Path, choice: Choice, codes: frozenset[str]) -> Iterator[Record]:
    for _, record in read(file):
        told = (
            (record.language, codes),
            (record.source, choice.sources),
            (record.task, choice.tasks),
            (record.origin, choice.origins),
        )
        if all(value in wanted for value, wanted in told if wanted):
            yield record


def _last_draws(file: Path, choice: Choice, codes: frozenset[str]) -> dict[str, int]:
    """Each language's largest draw that is kept."""
    kept: dict[str, list[int]] = defaultdict(list)
    for record in _chosen(file, choice, codes):
        heap, draw = kept[record.language], -_draw(record, choice.seed)
        if len(heap) < choice.most:
            heapq.heappush(heap, draw)
        else:
            heapq.heappushpop(heap, draw)
    return {language: -heap[0] for language, heap in kept.items()}


def _draw(record: Record, seed: int) -> int:
    text = f"{seed} {record.id}".encode("utf-8", errors="replace")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
