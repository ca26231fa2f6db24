"""How often the 95% interval of a difference holds the truth, and how often a test cries wolf.

    python benchmarks/paired_coverage.py [REPETITIONS]

Two runs on the same samples: accuracies with few and many disagreements, several questions a
picture, means over parallel and over independent languages, and a corpus metric. "false alarms" is
how often the two-sided p of the first language is at most 5% where the truth is no difference;
it cannot be more than that but by chance, and is less where few samples disagree. Wanted: coverage
of at least 93% (2,000 repetitions: +- 1%), and 90% where all of a handful of disagreements go one
way. Exits with 1 otherwise.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from towereval.flips import Cell
from towereval.paired import Contrast, Difference, differences
from towereval.types import Response, Sample

SEED = 20261121
Floats = NDArray[np.float64]
Runs = tuple[Floats, Floats]  # base and candidate: (rows, statistics)


@dataclass(frozen=True, slots=True)
class Made:
    """Accuracy, or matches per word in percent."""

    mean: bool
    name: str = "made"
    signature: str = "made"

    @property
    def scale(self) -> float:
        return 1.0 if self.mean else 100.0

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        raise AssertionError("statistics are made here, not taken from samples")

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count if self.mean else 100 * total[0] / total[1]

    def corpora(self, total_GK: Floats) -> Floats:
        return 100 * total_GK[:, 0] / total_GK[:, 1]


@dataclass(frozen=True, slots=True)
class Layout:
    """`draw` gives base and candidate of every language, `clusters` each language's codes."""

    name: str
    mean: bool
    truth: float
    clusters: Sequence[NDArray[np.int64]]
    draw: Callable[[np.random.Generator], list[Runs]]
    least: float = 0.93


def disagreeing(
    items: int, lost: float, won: float, size: int = 1, copied: float = 0
) -> Callable[[np.random.Generator], Runs]:
    """0/1 scores of which one run alone has some right; a cluster's items may share their draw."""

    def draw(rng: np.random.Generator) -> Runs:
        own = rng.random(items)
        common = np.repeat(rng.random(items // size), size)
        side = np.where(rng.random(items) < copied, common, own)
        base_alone, candidate_alone = side < lost, (side >= lost) & (side < lost + won)
        return tuple((~each).astype(float)[:, None] for each in (candidate_alone, base_alone))

    return draw


def one(name: str, items: int, lost: float, won: float, least: float = 0.93) -> Layout:
    draw = disagreeing(items, lost, won)
    return Layout(name, True, won - lost, [np.arange(items)], lambda rng: [draw(rng)], least)


def in_threes(name: str, items: int, lost: float, won: float) -> Layout:
    draw = disagreeing(items, lost, won, size=3, copied=math.sqrt(0.3))
    return Layout(name, True, won - lost, [np.arange(items) // 3], lambda rng: [draw(rng)])


def languages(name: str, count: int, items: int, *, parallel: bool) -> Layout:
    """Each item has a side to which its disagreements lean, in all languages that have it."""
    clusters = [np.arange(items) + (0 if parallel else items * index) for index in range(count)]

    def draw(rng: np.random.Generator) -> list[Runs]:
        shaky = rng.beta(0.2, 1.8, (1 if parallel else count, items))
        lost = np.broadcast_to(shaky * rng.random(shaky.shape), (count, items))
        side = rng.random((count, items))
        shaky = np.broadcast_to(shaky, (count, items))
        base_alone, candidate_alone = side < lost, (side >= lost) & (side < shaky)
        return [
            tuple((~each[index]).astype(float)[:, None] for each in (candidate_alone, base_alone))
            for index in range(count)
        ]

    return Layout(name, True, 0.0, clusters, draw)


def translated(name: str, count: int, items: int, drop: float) -> Layout:
    """Sentences of 5 to 40 words that are harder or easier for both runs and in all languages."""
    level, nodes = 0.5, np.polynomial.hermite_e.hermegauss(60)

    def chance(shift: float, ability: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(-(level + shift + 0.8 * ability))))

    means = [
        float(nodes[1] @ chance(shift, nodes[0])) / math.sqrt(2 * math.pi) for shift in (0, drop)
    ]

    def draw(rng: np.random.Generator) -> list[Runs]:
        words, ability = rng.integers(5, 41, items), rng.normal(size=items)
        found = []
        for _ in range(count):
            hits = [rng.binomial(words, chance(shift, ability)) for shift in (0, drop)]
            found.append(tuple(np.stack([each, words], 1).astype(float) for each in hits))
        return found

    clusters = [np.arange(items)] * count
    return Layout(name, False, 100 * (means[1] - means[0]), clusters, draw)


LAYOUTS = (
    one("30 items, 30% differ", 30, 0.15, 0.15),
    one("120 items, 10% differ", 120, 0.05, 0.05),
    one("1,000 items, 5% differ, 2 points lost", 1_000, 0.035, 0.015),
    one("300 items, 1% lost, none won", 300, 0.01, 0.0, least=0.90),
    in_threes("300 items in threes, correlation .3, 10% differ", 300, 0.05, 0.05),
    in_threes("999 items in threes, 6 points lost", 999, 0.08, 0.02),
    languages("mean of 9 languages x 60 own items", 9, 60, parallel=False),
    languages("mean of 12 parallel languages x 100", 12, 100, parallel=True),
    translated("corpus metric, 50 sentences", 1, 50, -0.2),
    translated("corpus metric, 300 sentences, equal runs", 1, 300, 0.0),
    translated("mean of 3 parallel languages, corpus metric, 100 sentences", 3, 100, -0.2),
)


def differences_of(layout: Layout, rng: np.random.Generator) -> dict[str, Difference]:
    drawn = zip(layout.draw(rng), layout.clusters, strict=True)
    cells = {
        f"l{index}": Cell(Made(layout.mean), *runs, codes)
        for index, (runs, codes) in enumerate(drawn)
    }
    return differences([Contrast(cells, gated=True)], flips=400, seed=int(rng.integers(2**31)))[0]


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    print(f"{repetitions} repetitions, seed {SEED}\n")
    print("| layout | coverage | truth below | truth above | width | false alarms |")
    print("|---|--:|--:|--:|--:|--:|")
    failed = False
    for index, layout in enumerate(LAYOUTS):
        below = above = alarms = 0
        width = 0.0
        for repetition in range(repetitions):
            found = differences_of(layout, np.random.default_rng([SEED, index, repetition]))
            last = list(found.values())[-1]
            assert last.low is not None and last.high is not None
            below += layout.truth < last.low
            above += layout.truth > last.high
            width += (last.high - last.low) / repetitions
            alarms += found["l0"].p <= 0.05
        coverage = 1 - (below + above) / repetitions
        room = 3 * math.sqrt(0.05 * 0.95 / repetitions)
        failed |= coverage < layout.least - room
        wolf = "-"
        if layout.truth == 0:
            wolf = f"{alarms / repetitions:.3f}"
            failed |= alarms / repetitions > 0.05 + room
        misses = f"{below / repetitions:.3f} | {above / repetitions:.3f}"
        print(f"| {layout.name} | {coverage:.3f} | {misses} | {width:.3g} | {wolf} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
