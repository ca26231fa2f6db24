"""Scores of learned metrics in a run's database, by what they depend on: each costs GPU time."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path

from towereval.database import Transaction

# A commit takes what a CPU needs minutes for.
COMMIT = 64


class Segments:
    """By a metric's signature and a segment's key, which is a digest of all that it depends on."""

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        self._db, self._folder = db, folder

    def add(
        self, signature: str, scores: Iterable[tuple[str, float]]
    ) -> Generator[tuple[str, float], None, None]:
        """Keep each score and hand it on; commit every so many, and at the end."""
        batch: list[tuple[str, str, float]] = []
        try:
            for key, value in scores:
                batch.append((signature, key, value))
                if len(batch) >= COMMIT:
                    self._commit(batch)
                    batch = []
                yield key, value
        finally:
            self._commit(batch)

    def _commit(self, batch: Sequence[tuple[str, str, float]]) -> None:
        with Transaction(self._db, self._folder):
            self._db.executemany("INSERT OR REPLACE INTO segments VALUES (?, ?, ?)", batch)

    def keys(self, signature: str) -> frozenset[str]:
        query = "SELECT key FROM segments WHERE signature = ?"
        return frozenset(row[0] for row in self._db.execute(query, (signature,)))

    def score(self, signature: str, key: str) -> float | None:
        query = "SELECT score FROM segments WHERE signature = ? AND key = ?"
        row = self._db.execute(query, (signature, key)).fetchone()
        return float(row[0]) if row else None
