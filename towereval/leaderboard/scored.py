"""The scored samples behind a cell, read from a run that may be in use or on a read-only disk."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from towereval.database import TABLES, other_version
from towereval.errors import StoreError
from towereval.influence import Observations

_SCORED = (
    "SELECT id, cluster, stats FROM samples JOIN scores ON scores.sample = samples.position"
    " WHERE task = ? AND language = ? AND metric = ? AND unscored = '' AND stats != '[]'"
    " ORDER BY id"
)


@dataclass(frozen=True, slots=True)
class Scored:
    """Samples of one language in the order of their ids, with their clusters and statistics."""

    ids: tuple[str, ...]
    clusters: tuple[str, ...]
    stats: tuple[str, ...]

    def observations(self) -> Observations:
        values = np.array(json.loads(f"[{','.join(self.stats)}]"), np.float64)
        return Observations(values.reshape(len(self.ids), -1), self.clusters)

    def only(self, ids: frozenset[str]) -> Scored:
        if len(ids) == len(self.ids):
            return self
        kept = [i for i, name in enumerate(self.ids) if name in ids]
        return Scored(
            *(tuple(column[i] for i in kept) for column in (self.ids, self.clusters, self.stats))
        )


def common(samples: Mapping[int, Scored]) -> dict[int, Scored]:
    """Each model's samples, those left out that another model has not."""
    if not samples:
        return {}
    shared = frozenset.intersection(*(frozenset(each.ids) for each in samples.values()))
    return {k: each.only(shared) for k, each in samples.items()}


@contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    """A run's log for reading alone: no lock, nothing is made. Raises `StoreError`."""
    file = folder / "run.sqlite"
    try:
        address = f"{file.resolve().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True)) as db:
            (version,) = db.execute("PRAGMA user_version").fetchone()
            if version != TABLES:
                raise StoreError(other_version(file, version))
            yield db
    except sqlite3.Error as error:
        raise StoreError(f"{file} cannot be read: {error}") from error


def read_scored(folder: Path, task: str, metric: str, language: str) -> Scored:
    """Raises `StoreError` for a run whose samples are not at hand."""
    with opened(folder) as db:
        rows: Sequence[tuple[str, str, str]] = db.execute(
            _SCORED, (task, language, metric)
        ).fetchall()
    # A sample without a cluster is one of its own; ids repeat in other languages.
    clusters = tuple(cluster or f"{language}/{name}" for name, cluster, _ in rows)
    return Scored(tuple(row[0] for row in rows), clusters, tuple(row[2] for row in rows))
