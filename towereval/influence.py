"""What each cluster of samples does to a value: all that intervals, differences and ranks rest on.

The influence of a cluster is what deleting it changes (Efron & Stein 1981), scaled so that squares
add up to the variance; for a mean this is CR2 (Bell & McCaffrey 2002, Pustejovsky & Tipton 2018).
Influences of several languages or models on the same clusters add and subtract as their values do:
covariances need no resampling.

Letters after a name are an array's axes: L languages, R rows (samples) of one language, K
statistics of a row, G clusters of one language or whatever else is summed over, N cells (the G of
all languages in a row), C clusters of all. C x L is never dense: products are of sparse matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from towereval.types import Metric

# A deletion may be a call of the metric: more clusters are deleted in this many blocks.
MOST_DELETIONS = 1_000

Floats: TypeAlias = NDArray[np.float64]
Codes: TypeAlias = NDArray[np.int64]
Numbered: TypeAlias = tuple[Floats, Codes]  # a language's statistics (R, K), each row's cluster
Corpus: TypeAlias = Callable[[Floats, Floats], Floats]  # values of sums (G, K) and counts (G)


@runtime_checkable
class Vectorised(Protocol):
    """A metric that values many corpora in one call: 10,000 resamples are one call, not 10,000."""

    def corpora(self, total_GK: Floats) -> Floats:
        """`corpus` of every row."""


@runtime_checkable
class Unbounded(Protocol):
    """A metric whose values may lie on both sides of zero, as far from it as they like."""

    @property
    def unbounded(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Observations:
    """The scored samples of one language: additive statistics (n, k), and each sample's cluster.

    Equal names in two languages are the same cluster; a sample on its own needs a name of its own.
    """

    values: NDArray[np.float64]
    clusters: Sequence[str] | NDArray[Any]


@dataclass(frozen=True, slots=True)
class Influence:
    """A value, in the metric's unit, and what each cluster does to it.

    `parts` squared and summed is the value's variance, with `freedom` degrees of freedom
    (Satterthwaite). `clusters` are sorted names, or "block i" where many are deleted together.
    """

    value: float
    n: int
    scale: float
    clusters: tuple[str, ...]
    parts: Floats
    freedom: float


@dataclass(frozen=True, slots=True)
class Spread:
    """Variances from influences; `joint` is the mean's, where a cluster's influences add up first.

    With v a variance's parts by language and A = `noise_LL`, (sum v)^2 / v'Av is Satterthwaite's
    degrees of freedom (CR2 in closed form). `crowd_L` is the size of the average sample's cluster.
    `joined_C` holds the clusters' influences on the mean over languages.
    """

    variance_L: Floats
    joint: float
    noise_LL: Floats
    crowd_L: Floats
    joined_C: Floats


@dataclass(frozen=True, slots=True)
class Deleted:
    """One language's clusters: their influences on the value and their shares of its rows."""

    parts_G: Floats
    share_G: Floats
    cluster_G: Codes
    rows: int


def influences(metric: Metric, by_language: Mapping[str, Observations]) -> dict[str, Influence]:
    """Each language's, and that of their unweighted mean under "*" where there are several.

    Raises ValueError as `statistics.estimate` does, and where a language is one single cluster.
    """
    samples, names = numbered(metric, by_language)
    for key, (_, cluster_R) in samples.items():
        if np.unique(cluster_R).size < 2:
            raise ValueError(f"{metric.name}, {key}: one cluster alone has no influence")
    value_L = np.array([values_of(metric, *_whole(each[0]))[0] for each in samples.values()])
    pieces = list(samples.values())
    if not metric.mean:
        pieces, blocks = in_blocks(pieces)
        names = [f"block {i}" for i in range(MOST_DELETIONS)] if blocks else names
    corpus = corpus_of(metric)
    found = {}
    for key, piece, value in zip(samples, pieces, value_L.tolist(), strict=True):
        one = deletions(corpus, piece)
        freedom = 1 / float(joined([one]).noise_LL[0, 0])
        mine = tuple(names[code] for code in one.cluster_G.tolist())
        found[key] = Influence(value, one.rows, metric.scale, mine, one.parts_G, freedom)
    if len(found) > 1:
        spread = spread_of(corpus, pieces)
        total = float(spread.variance_L.sum())
        noise = float(spread.variance_L @ spread.noise_LL @ spread.variance_L)
        freedom = total**2 / noise if noise > 0 else min(each.freedom for each in found.values())
        rows, present = sum(len(piece[0]) for piece in pieces), _present(pieces)
        mine = tuple(names[code] for code in present.tolist())
        joined_C = spread.joined_C[present]
        found["*"] = Influence(float(value_L.mean()), rows, metric.scale, mine, joined_C, freedom)
    return found


def _whole(values_RK: Floats) -> tuple[Floats, Floats]:
    return values_RK.sum(0, keepdims=True), np.array([float(len(values_RK))])


def _present(pieces: Sequence[Numbered]) -> Codes:
    return np.unique(np.concatenate([cluster_R for _, cluster_R in pieces]))


def numbered(
    metric: Metric, by_language: Mapping[str, Observations]
) -> tuple[dict[str, Numbered], list[str]]:
    """The observations, checked, and the sorted names; a cluster is its rank among them."""
    values = {key: np.asarray(each.values, np.float64) for key, each in by_language.items()}
    names = {key: list(each.clusters) for key, each in by_language.items()}
    for key, values_RK in values.items():
        if values_RK.ndim != 2 or not 0 < len(values_RK) == len(names[key]):
            got = f"statistics of shape {values_RK.shape} and {len(names[key])} clusters"
            raise ValueError(f"{metric.name}, {key}: {got}; wanted (n, k) and n, with n > 0")
        if not np.isfinite(values_RK).all():
            raise ValueError(f"{metric.name}, {key}: a sample's statistics are not finite")
    ordered = sorted(set().union(*names.values()), key=str)
    ranks = {name: i for i, name in enumerate(ordered)}
    codes = {key: np.array([ranks[name] for name in names[key]], np.int64) for key in values}
    return {key: (values[key], codes[key]) for key in values}, [str(name) for name in ordered]


def corpus_of(metric: Metric) -> Corpus:
    return lambda total_GK, count_G: values_of(metric, total_GK, count_G)


def values_of(metric: Metric, total_GK: Floats, count_G: Floats) -> Floats:
    """The metric's value of every row of sums. Raises ValueError where one is not finite."""
    if metric.mean:
        found = total_GK[:, 0] / count_G
    elif isinstance(metric, Vectorised):
        found = metric.corpora(total_GK)
    else:
        pairs = zip(total_GK.tolist(), count_G.tolist(), strict=True)
        found = np.array([metric.corpus(total, round(count)) for total, count in pairs])
    if not np.isfinite(found).all():
        where = int(np.flatnonzero(~np.isfinite(found))[0])
        got = f"the value of {count_G[where]:.0f} samples is {found[where]}"
        raise ValueError(f"{metric.name}: {got}")
    return found


def in_blocks(samples: Sequence[Numbered]) -> tuple[list[Numbered], bool]:
    """The samples, in `MOST_DELETIONS` clusters where a language has more; and whether."""
    if max(np.unique(cluster_R).size for _, cluster_R in samples) <= MOST_DELETIONS:
        return list(samples), False
    # One seeded shuffle of the sorted names for all languages: equal names meet in one block,
    # and no trend or rhythm of the names is balanced out of the differences between blocks.
    names = 1 + max(int(cluster_R.max()) for _, cluster_R in samples)
    block_C = np.random.default_rng(0).permutation(names) % MOST_DELETIONS
    return [(values_RK, block_C[cluster_R]) for values_RK, cluster_R in samples], True


def spread_of(corpus: Corpus, samples: Sequence[Numbered]) -> Spread:
    return joined([deletions(corpus, sample) for sample in samples])


def joined(cells: Sequence[Deleted]) -> Spread:
    """Languages' influences put together, each with equal weight in the mean."""
    influence_N = np.concatenate([cell.parts_G for cell in cells])
    share_N = np.concatenate([cell.share_G for cell in cells])
    cluster_N = np.concatenate([cell.cluster_G for cell in cells])
    language_N = np.repeat(np.arange(len(cells)), [len(cell.cluster_G) for cell in cells])
    noise_LL = _noise(share_N, cluster_N, language_N)
    joined_C = np.bincount(cluster_N, influence_N) / len(cells)
    rows_L = np.array([cell.rows for cell in cells], np.float64)
    crowd_L = rows_L * np.bincount(language_N, share_N**2)
    variance_L = np.bincount(language_N, influence_N**2).astype(np.float64)
    return Spread(variance_L, math.fsum(joined_C**2), noise_LL, crowd_L, joined_C)


def _noise(share_N: Floats, cluster_N: Codes, language_N: Codes) -> Floats:
    from scipy import sparse

    def product_LL(numbers_N: Floats) -> Floats:
        matrix = sparse.csr_array((numbers_N, (cluster_N, language_N)))
        return np.asarray((matrix.T @ matrix).toarray(), np.float64)

    scaled_N = share_N / np.sqrt(1 - share_N)
    return product_LL(share_N) + product_LL(scaled_N) ** 2 - product_LL(scaled_N**2)


def deletions(corpus: Corpus, sample: Numbered) -> Deleted:
    values_RK, (cluster_G, place_R) = sample[0], np.unique(sample[1], return_inverse=True)
    count_G = np.bincount(place_R).astype(np.float64)
    own_GK = np.stack([np.bincount(place_R, column_R) for column_R in values_RK.T], 1, dtype=float)
    (total_1K, whole_1), n = _whole(values_RK), len(values_RK)
    change_G = corpus(total_1K, whole_1) - corpus(total_1K - own_GK, n - count_G)
    # A mean changes by residual / (1 - share), and CR2 divides by the root of that only.
    return Deleted(change_G * np.sqrt(1 - count_G / n), count_G / n, cluster_G, n)
