"""How often the 95% interval of the mean over languages holds the truth, by simulation.

    python benchmarks/interval_coverage.py [REPETITIONS]

Prints one row per layout. Wanted: 93 to 97%, and misses on both sides; with 2,000 repetitions two
standard errors of a coverage are 1%. "own" is the coverage of the languages' own intervals.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from towereval.statistics import Observations, estimate
from towereval.types import Response, Sample

SEED = 20261121
Floats = NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class Layout:
    """Languages of given difficulty; `draw` gives every language's statistics (n, k)."""

    name: str
    metric: Made
    truth: Floats
    clusters: Mapping[str, Sequence[str]]
    draw: Callable[[np.random.Generator], list[Floats]]


def logistic(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-x)))


def mean_right(level: Floats, sd: float) -> Floats:
    """The expected score over items whose difficulty is normal."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    return np.asarray(logistic(level[:, None] + sd * nodes) @ weights / math.sqrt(2 * math.pi))


def names(sizes: Sequence[int], *, shared: bool) -> dict[str, list[str]]:
    return {
        f"l{index:02}": [f"{'' if shared else index}-{item}" for item in range(size)]
        for index, size in enumerate(sizes)
    }


def own(name: str, sizes: Sequence[int], truth: Floats) -> Layout:
    """Every language has items of its own."""

    def draw(rng: np.random.Generator) -> list[Floats]:
        pairs = zip(sizes, truth, strict=True)
        return [(rng.random((size, 1)) < p).astype(np.float64) for size, p in pairs]

    return Layout(name, Made(mean=True), truth, names(sizes, shared=False), draw)


def parallel(name: str, languages: int, items: int, level: Floats, sd: float) -> Layout:
    """All languages have the same items, which are easier or harder for all of them."""

    def draw(rng: np.random.Generator) -> list[Floats]:
        chance = logistic(level + sd * rng.normal(size=(items, 1)))
        right = (rng.random((items, languages)) < chance).astype(np.float64)
        return [right[:, [language]] for language in range(languages)]

    clusters = names([items] * languages, shared=True)
    return Layout(name, Made(mean=True), mean_right(level, sd), clusters, draw)


def translated(name: str, languages: int, items: int, level: Floats, sd: float) -> Layout:
    """The same sentences, of 5 to 40 words, in all languages; a corpus metric: the jackknife."""

    def draw(rng: np.random.Generator) -> list[Floats]:
        words = rng.integers(5, 41, items)
        chance = logistic(level + sd * rng.normal(size=(items, 1)))
        hits = rng.binomial(words[:, None], chance)
        return [np.stack([hits[:, i], words], 1).astype(np.float64) for i in range(languages)]

    clusters = names([items] * languages, shared=True)
    return Layout(name, Made(mean=False), 100 * mean_right(level, sd), clusters, draw)


def layouts() -> Iterator[Layout]:
    sizes = [5_000] + [200] * 19
    yield own("a. 20 languages, 5,000 and 19 x 200 items", sizes, np.linspace(0.3, 0.8, 20))
    yield parallel("b. 36 parallel x 200", 36, 200, np.linspace(-0.5, 1.5, 36), 1.2)
    sizes = np.linspace(30, 76, 9).astype(int).tolist()
    yield own("c. 9 languages of 30 to 76 items", sizes, np.linspace(0.5, 0.8, 9))
    yield own("c'. the same near the ceiling", sizes, np.full(9, 0.95))
    yield translated("d. 9 parallel x 100, corpus metric", 9, 100, np.linspace(-0.5, 1.5, 9), 0.8)


def measured(layout: Layout, repetitions: int) -> str:
    rng = np.random.default_rng(SEED)
    truth = float(layout.truth.mean())
    below = above = inside = 0
    width = seconds = 0.0
    for _ in range(repetitions):
        drawn = zip(layout.clusters.items(), layout.draw(rng), strict=True)
        by_language = {key: Observations(values, each) for (key, each), values in drawn}
        start = time.perf_counter()
        estimates, mean = estimate(layout.metric, by_language)
        seconds += time.perf_counter() - start
        assert mean is not None and mean.low is not None and mean.high is not None
        below += truth < mean.low
        above += truth > mean.high
        width += mean.high - mean.low
        for found, p in zip(estimates.values(), layout.truth, strict=True):
            assert found.low is not None and found.high is not None
            inside += bool(found.low <= p <= found.high)
    share = [1 - (below + above) / repetitions, below / repetitions, above / repetitions]
    columns = [f"{each:.3f}" for each in [*share, inside / repetitions / len(layout.truth)]]
    columns += [f"{width / repetitions:.3g}", f"{1000 * seconds / repetitions:.1f}"]
    return f"| {layout.name} | {' | '.join(columns)} |"


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    print(f"{repetitions} repetitions, seed {SEED}, numpy {np.__version__}\n")
    print("| layout | coverage | truth below | truth above | own | width | ms per estimate |")
    print("|---|---|---|---|---|---|---|")
    for layout in layouts():
        print(measured(layout, repetitions), flush=True)


if __name__ == "__main__":
    main()
