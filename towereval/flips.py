"""What differences two runs would show if only chance had dealt the answers between them.

If the runs are equally good, the two answers to an item could as well have been swapped: each flip
swaps base and candidate in every cluster with probability one half, in all languages, metrics and
means at once, and every difference is taken again. That is the exact distribution of the greatest
of all of them, however they depend on each other (Westfall & Young 1993); of a corpus metric it is
approximate randomisation (Riezler & Maxwell 2005), of one 0/1 score without clusters McNemar's.

C clusters that some cells share, B flips, K statistics, H hypotheses: the cells' differences, and
means of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from towereval.influence import Codes, Floats, values_of
from towereval.types import Metric

FLIPS = 10_000
MOST_BITS = 4_000_000  # clusters x flips that are held at a time
FEW_VALUES = (
    20  # scores of 0 and 1 have few: a language with items of its own needs no flip of each
)
# Sums in single precision, and BLAS orders, move a distance by less.
TIE = 1e-5


@dataclass(frozen=True, slots=True)
class Cell:
    """One language's samples by one metric in both runs, row by row, with each row's cluster.

    `span` is how far apart a sample's two scores may well be, in parts of the metric's scale.
    """

    metric: Metric
    base_RK: Floats
    candidate_RK: Floats
    cluster_R: Codes
    span: float = 1.0


def flipped(cells: Sequence[Cell], *, flips: int = FLIPS, seed: int = 0) -> Floats:
    """Each cell's difference, candidate less base, under every flip: (B, H), in its unit.

    Equal cluster codes are flipped together.
    """
    rng = np.random.default_rng(seed)
    drawn_BH = np.zeros((flips, len(cells)))
    for group in _sharing(cells):
        members = [cells[index] for index in group]
        for first, drawn in _drawn(members, flips, rng):
            drawn_BH[first : first + len(drawn), group] = drawn
    return drawn_BH


def _sharing(cells: Sequence[Cell]) -> list[list[int]]:
    """Cells that have clusters in common, directly or through others."""
    from scipy.sparse import csgraph, csr_array

    _, codes = np.unique(np.concatenate([cell.cluster_R for cell in cells]), return_inverse=True)
    cell_N = np.repeat(np.arange(len(cells)), [len(cell.cluster_R) for cell in cells])
    size = len(cells) + int(codes.max()) + 1
    links = csr_array((np.ones(len(codes)), (cell_N, len(cells) + codes)), shape=(size, size))
    label = csgraph.connected_components(links, directed=False)[1][: len(cells)]
    return [np.flatnonzero(label == each).tolist() for each in np.unique(label)]


def _drawn(
    cells: Sequence[Cell], flips: int, rng: np.random.Generator
) -> Iterator[tuple[int, Floats]]:
    """Differences of some cells on common clusters, some flips at a time, and the first's place."""
    differences = [cell.candidate_RK - cell.base_RK for cell in cells]
    pairs = zip(cells, differences, strict=True)
    # What does not differ cannot be flipped.
    code_C = np.unique(np.concatenate([cell.cluster_R[d.any(1)] for cell, d in pairs]))
    if not code_C.size:
        return
    change_CK = np.concatenate(
        [_sums(cell.cluster_R, d, code_C) for cell, d in zip(cells, differences, strict=True)], 1
    ).astype(np.float32)
    ends = np.cumsum([d.shape[1] for d in differences])
    first = 0
    for moved_BK in _moved(change_CK, flips, rng):
        pieces = np.split(moved_BK, ends[:-1], axis=1)
        yield first, np.stack([_swapped(*each) for each in zip(cells, pieces, strict=True)], 1)
        first += len(moved_BK)


def _moved(
    change_CK: NDArray[np.float32], flips: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """What is swapped, summed: each cluster's change with probability one half."""
    if change_CK.shape[1] == 1:
        value_V, count_V = np.unique(change_CK[:, 0], return_counts=True)
        if len(value_V) <= FEW_VALUES:  # how many of each is all that counts
            swapped_BV = rng.binomial(count_V, 0.5, (flips, len(value_V)))
            yield np.asarray(swapped_BV @ value_V.astype(np.float64), np.float64)[:, None]
            return
    size = max(1, MOST_BITS // len(change_CK))
    for first in range(0, flips, size):
        shape = min(size, flips - first), (len(change_CK) + 7) // 8
        bytes_BC = rng.integers(0, 256, shape, dtype=np.uint8)
        bits_BC = np.unpackbits(bytes_BC, axis=1, count=len(change_CK)).astype(np.float32)
        yield (bits_BC @ change_CK).astype(np.float64)


def _sums(cluster_R: Codes, values_RK: Floats, code_C: Codes) -> Floats:
    place_R = np.minimum(np.searchsorted(code_C, cluster_R), len(code_C) - 1)
    known_R = code_C[place_R] == cluster_R
    place_R, values_RK = place_R[known_R], values_RK[known_R]
    found_CK = np.zeros((len(code_C), values_RK.shape[1]))
    for k, column_R in enumerate(values_RK.T):
        found_CK[:, k] = np.bincount(place_R, column_R, len(code_C))
    return found_CK


def _swapped(cell: Cell, moved_BK: Floats) -> Floats:
    """The difference where what `moved_BK` sums has gone from the candidate to the base."""
    count_B = np.full(len(moved_BK), float(len(cell.base_RK)))
    base_B = values_of(cell.metric, cell.base_RK.sum(0) + moved_BK, count_B)
    return values_of(cell.metric, cell.candidate_RK.sum(0) - moved_BK, count_B) - base_B


def changes(cells: Sequence[Cell]) -> Floats:
    """What each cluster adds to the mean over the cells of their differences: (C, 1).

    Clusters are in the order of their codes. Of a metric that is no mean they are what it adds to
    its K statistics: (C, K).
    """
    _, place_R = np.unique(np.concatenate([cell.cluster_R for cell in cells]), return_inverse=True)
    rows_RK = np.concatenate(
        [(cell.candidate_RK - cell.base_RK) / (len(cells) * len(cell.base_RK)) for cell in cells]
    )
    largest = float(np.abs(rows_RK).max(initial=0.0))
    if cells[0].metric.mean:
        rows_RK = rows_RK[:, :1]
    sums_CK = np.stack([np.bincount(place_R, column_R) for column_R in rows_RK.T], 1)
    # 0.1 + 0.2 - 0.3 is not 0 by itself.
    sums_CK[np.abs(sums_CK) < 1e-12 * largest] = 0
    return np.asarray(sums_CK, np.float64)


def exact_spread(cells: Sequence[Cell]) -> float:
    """Standard deviation, under flips, of the mean over the cells; nan where the metric is no mean.

    A flip turns the sign of a cluster's sum, so squares stay: hypotheses that tie stay tied, which
    a spread that is itself drawn would part at random.
    """
    if not cells[0].metric.mean:
        return float("nan")
    return float(np.sqrt(np.square(changes(cells)).sum()))


def distances(observed_H: Floats, drawn_BH: Floats, exact_H: Floats) -> tuple[Floats, Floats]:
    """Drops in units of their spread under flips: positive where the candidate is worse.

    Where `exact_H` is nan the spread is that of the flips drawn. 0 where nothing differs.
    """
    squares_H = (observed_H**2 + (drawn_BH**2).sum(0)) / (1 + len(drawn_BH))
    spread_H = np.where(np.isnan(exact_H), np.sqrt(squares_H), exact_H)
    spread_H = np.where(spread_H > 0, spread_H, np.inf)
    return -observed_H / spread_H, -drawn_BH / spread_H


def share_as_far(distance_H: Floats, drawn_BH: Floats) -> Floats:
    """Two-sided p of each hypothesis alone."""
    reached_H = (np.abs(drawn_BH) >= np.abs(distance_H) - TIE).sum(0)
    return np.asarray((reached_H + 1) / (len(drawn_BH) + 1))


def stepdown(distance_H: Floats, drawn_BH: Floats) -> Floats:
    """One-sided p of each hypothesis, adjusted for all (step-down max-T, Romano & Wolf 2005)."""
    order = np.argsort(-distance_H, kind="stable")
    greatest_BH = np.maximum.accumulate(drawn_BH[:, order[::-1]], axis=1)[:, ::-1]
    reached_H = (greatest_BH >= distance_H[order] - TIE).sum(0)
    p_H = np.empty(len(order))
    p_H[order] = np.maximum.accumulate((reached_H + 1) / (len(drawn_BH) + 1))
    return p_H


def critical(drawn_BH: Floats, alpha: float) -> float:
    """The distance that one drop among all must reach to be told from chance."""
    return float(np.quantile(drawn_BH.max(1), 1 - alpha))


def benjamini_hochberg(p_H: Floats) -> Floats:
    """p adjusted to the share of false discoveries (1995): for exploring, not for a gate."""
    order = np.argsort(p_H, kind="stable")
    scaled_H = p_H[order] * len(p_H) / np.arange(1, len(p_H) + 1)
    adjusted_H = np.empty(len(p_H))
    adjusted_H[order] = np.minimum(np.minimum.accumulate(scaled_H[::-1])[::-1], 1)
    return adjusted_H
