"""What a model learns from, and which of it a step sees: a pure function of (seed, step).

No state is kept between steps, so to go on from a checkpoint is to ask for the next step.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from numpy.typing import NDArray

# How many examples are mixed at a time: within a round every source has its share but for one.
ROUND = 1000


@dataclass(frozen=True, slots=True)
class Turn:
    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """A conversation; its pictures (height, width, 3; uint8) stand before the first user's text."""

    source: str
    language: str
    turns: tuple[Turn, ...]
    pictures: tuple[NDArray[Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Mixture:
    """Which source the k-th example is from, and its how manieth it is.

    Every round has the same counts in another order, so shares hold from the first round on.
    """

    weights: tuple[float, ...]
    seed: int

    def place(self, k: int) -> tuple[int, int]:
        """(source, index within the source) of the k-th example."""
        past, at = divmod(k, ROUND)
        source, rank = _round(self.weights, self.seed, past)[at]
        return source, past * _counts(self.weights)[source] + rank


@functools.lru_cache(maxsize=4)
def _round(weights: tuple[float, ...], seed: int, past: int) -> Sequence[tuple[int, int]]:
    order = [source for source, count in enumerate(_counts(weights)) for _ in range(count)]
    Random(f"round {seed} {past}").shuffle(order)
    ranks, seen = [], [0] * len(weights)
    for source in order:
        ranks.append((source, seen[source]))
        seen[source] += 1
    return ranks


@functools.lru_cache(maxsize=4)
def _counts(weights: tuple[float, ...]) -> Sequence[int]:
    """ROUND shared out by weight, by the largest remainder."""
    total = sum(weights)
    shares = [ROUND * weight / total for weight in weights]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (counts[i] - shares[i], i))
    for source in by_remainder[: ROUND - sum(counts)]:
        counts[source] += 1
    return counts
