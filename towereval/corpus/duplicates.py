"""Which of many keys came before: eight bytes a key, so that millions of records fit."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path


class Duplicates:
    """Keys by the order in which they are added; two of them meet by chance once in 10^6 corpora of
    six million records.
    """

    def __init__(self) -> None:
        self._keys = array("Q")

    def add(self, key: bytes) -> None:
        self._keys.append(int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "little"))

    def found(self) -> Iterator[tuple[int, int]]:
        """Ordinals of each key that came before, and of the first with that key.

        N keys, U different ones.
        """
        import numpy as np

        keys_N = np.frombuffer(self._keys, dtype=np.uint64) if self._keys else np.empty(0)
        _, first_U, inverse_N = np.unique(keys_N, return_index=True, return_inverse=True)
        firsts_N = first_U[inverse_N]
        for ordinal in np.flatnonzero(firsts_N != np.arange(len(firsts_N))):
            yield int(ordinal), int(firsts_N[ordinal])


class Places:
    """Where the keys are from: file and line, in eight bytes each."""

    def __init__(self) -> None:
        self._files: list[Path] = []
        self._starts = array("Q")
        self._numbers = array("Q")

    def begin(self, file: Path) -> None:
        self._files.append(file)
        self._starts.append(len(self._numbers))

    def add(self, number: int) -> None:
        self._numbers.append(number)

    def of(self, ordinal: int) -> str:
        file = self._files[bisect_right(self._starts, ordinal) - 1]
        return f"{file}:{self._numbers[ordinal]}"
