"""Which example a step sees: a pure function of the seed and the example's number.

No state is kept between steps, so to go on from a checkpoint is to ask for the next step, and
neither the number of workers nor that of processes can change an order.
"""

from __future__ import annotations

import functools
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from towereval.errors import UsageError
from towereval.train.recipe import Mix

# How many examples are mixed at a time: from round to round every stratum keeps its share.
ROUND = 1000
_GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True, slots=True)
class Stratum:
    """Examples that are drawn alike. `language` is "" where they choose it themselves.

    `count` is None where there is no end of them; `weight` is the natural share, before any mixing.
    """

    source: int
    language: str
    text_only: bool
    weight: float
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Mixture:
    """Which stratum the k-th example is from, and its how manieth it is."""

    weights: tuple[float, ...]
    seed: int

    def place(self, k: int) -> tuple[int, int]:
        """(stratum, index within the stratum) of the k-th example."""
        past = k // ROUND  # a round has ROUND examples, more or less one for each stratum
        while sum(_before(self.weights, past)) > k:
            past -= 1
        while sum(_before(self.weights, past + 1)) <= k:
            past += 1
        return _round(self.weights, self.seed, past)[k - sum(_before(self.weights, past))]


@functools.lru_cache(maxsize=4)
def _round(weights: tuple[float, ...], seed: int, past: int) -> Sequence[tuple[int, int]]:
    random = Random(f"round {seed} {past}")
    ends = zip(_before(weights, past), _before(weights, past + 1), strict=True)
    # A stratum's examples keep their order and are spread over the round, each within its own slice
    # of it: at no point has a stratum had much more or less than its share.
    order = [
        ((index - first + random.random()) / (end - first), stratum, index)
        for stratum, (first, end) in enumerate(ends)
        for index in range(first, end)
    ]
    return [(stratum, index) for _, stratum, index in sorted(order)]


@functools.lru_cache(maxsize=16)
def _before(weights: tuple[float, ...], rounds: int) -> Sequence[int]:
    """How many examples of each stratum the first rounds have.

    Rounded down from a start of its own for each, so that rare strata do not come all at once.
    """
    total = math.fsum(weights)
    return [
        math.floor(rounds * ROUND * (weight / total) + (at + 1) * _GOLDEN % 1)
        for at, weight in enumerate(weights)
    ]


def permuted(index: int, count: int, key: str) -> int:
    """Where the index-th of `count` things stands in the order that `key` gives.

    A Feistel network over the next power of four, walked until it falls within: no list is kept.
    """
    half = max(1, ((count - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(4):
            word = hashlib.blake2b(f"{key} {turn} {right}".encode(), digest_size=8).digest()
            left, right = right, left ^ int.from_bytes(word, "big") & mask
        index = left << half | right
        if index < count:
            return index


def shares(strata: Sequence[Stratum], mix: Mix) -> tuple[float, ...]:
    """Each stratum's share of the examples as the mix wants it. Raises `UsageError`.

    Where both languages and text-only examples have a wanted share, the natural shares are scaled
    to the one and the other in turn until both hold (iterative proportional fitting).
    """
    total = math.fsum(stratum.weight for stratum in strata)
    found = [stratum.weight / total for stratum in strata]
    margins: list[tuple[list[str], Mapping[str, float]]] = []
    if (share := mix.text_only_share) is not None:
        kinds = ["text only" if stratum.text_only else "with pictures" for stratum in strata]
        margins.append((kinds, {"text only": share, "with pictures": 1 - share}))
    if mix.english_share is not None or mix.temperature != 1:
        languages = [stratum.language for stratum in strata]
        if not all(languages):
            raise UsageError("drawn sources choose their own languages: only files' can be mixed")
        margins.append((languages, _wanted(_sums(languages, found), mix)))
    for labels, wanted in margins:
        if lacking := sorted({label for label in wanted if wanted[label]} - set(labels)):
            raise UsageError(f"the mix wants examples that the data lack: {', '.join(lacking)}")
    for _ in range(1000):
        off = 0.0
        for labels, wanted in margins:
            sums = _sums(labels, found)
            off = max(off, *(abs(sums[label] - wanted[label]) for label in sums))
            found = [
                share * wanted[label] / sums[label] if sums[label] else 0.0
                for label, share in zip(labels, found, strict=True)
            ]
        if off < 1e-9:
            return tuple(found)
    raise UsageError("the shares of languages and of text-only examples cannot both be had")


def _wanted(natural: Mapping[str, float], mix: Mix) -> Mapping[str, float]:
    """Each language's share: English as it is told, the others by the temperature."""
    others = {
        language: share**mix.temperature
        for language, share in natural.items()
        if not is_english(language) and share > 0
    }
    english = {language: share for language, share in natural.items() if is_english(language)}
    share = sum(english.values()) if mix.english_share is None else mix.english_share
    if share and not english:
        english = {"en": 1.0}
    if share < 1 and not others:
        raise UsageError("the mix wants other languages than English, and the data have none")
    return {
        language: part * value / sum(group.values())
        for group, part in ((english, share), (others, 1 - share))
        for language, value in group.items()
    }


def is_english(language: str) -> bool:
    return language.partition("-")[0] == "en"


def _sums(labels: Sequence[str], found: Sequence[float]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for label, share in zip(labels, found, strict=True):
        sums[label] = sums.get(label, 0.0) + share
    return sums
