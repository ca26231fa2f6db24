"""Differences between two runs on the same samples: how large, how sure, and what could be seen.

  interval    Student's t on the clusters' influences on the difference, after two made-up samples
              on which the runs disagree both ways (Bonett & Price 2012): with a handful of
              disagreements that all go one way, t alone covers as little as 26%.
  p           flips of the two answers (`flips.py`), two-sided, of one difference alone.
  p_drop      one-sided, adjusted for all gated cells and means together; `p_gain` likewise, a
              family of its own.
  detectable  the drop that would be found in 80 of 100 such comparisons, at the family's level.

Letters after a name are an array's axes: L languages, H hypotheses (the L and their mean, of every
contrast in turn), B flips, R rows, K statistics.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from towereval.flips import (
    FLIPS,
    Cell,
    changes,
    critical,
    distances,
    exact_spread,
    flipped,
    share_as_far,
    stepdown,
)
from towereval.influence import (
    Deleted,
    Floats,
    Unbounded,
    corpus_of,
    deletions,
    in_blocks,
    joined,
    values_of,
)
from towereval.statistics import FEWEST_CLUSTERS, LEVEL

POWER = 0.80
MEAN = "*"


@dataclass(frozen=True, slots=True)
class Contrast:
    """One metric of one task in both runs, by language; `gated` ones are judged together."""

    cells: Mapping[str, Cell]
    gated: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """Candidate less base, in the metric's unit; `low` and `high` are None without an interval.

    `floor` is the lower limit of the one-sided interval of level 1 - alpha. `discordant` clusters
    are those whose flip moves the difference: a cluster with an answer won and one lost does not.
    `detectable` is None where no drop could be found.
    """

    base: float
    candidate: float
    delta: float
    low: float | None
    high: float | None
    floor: float | None
    p: float
    p_drop: float | None
    p_gain: float | None
    n: int
    clusters: int
    discordant: int
    detectable: float | None

    def turned(self) -> Difference:
        """Base and candidate changed places; `floor`, `p_drop` and `p_gain` stay as they are."""
        low, high = (None if limit is None else -limit for limit in (self.high, self.low))
        return replace(
            self,
            base=self.candidate,
            candidate=self.base,
            delta=-self.delta,
            low=low,
            high=high,
        )


def fewest_discordant(alpha: float) -> int:
    """How many clusters must differ, all for the worse, before p can reach alpha."""
    return math.ceil(-math.log2(alpha))


def differences(
    contrasts: Sequence[Contrast], *, alpha: float = 0.05, flips: int = FLIPS, seed: int = 0
) -> list[dict[str, Difference]]:
    """Each contrast's differences by language, and of their unweighted mean where it has several.

    Cluster codes are one numbering for all contrasts: equal codes are flipped together.
    """
    cells = [cell for contrast in contrasts for cell in contrast.cells.values()]
    if not cells:
        return [{} for _ in contrasts]
    drawn_BH = _with_means(contrasts, flipped(cells, flips=flips, seed=seed))
    measured = [each for contrast in contrasts for each in _measured(contrast)]
    observed_H = np.array([each.delta for each in measured])
    exact_H = np.array([spread for contrast in contrasts for spread in _spreads(contrast)])
    distance_H, noise_BH = distances(observed_H, drawn_BH, exact_H)
    p_H = share_as_far(distance_H, noise_BH)
    gated = [contrast.gated for contrast in contrasts for _ in _keys(contrast)]
    gated_H = np.array(gated)
    p_drop_H, p_gain_H = (np.full(len(p_H), np.nan) for _ in range(2))
    needed_H = np.full(len(p_H), _normal(1 - alpha))
    if gated_H.any():
        p_drop_H[gated_H] = stepdown(distance_H[gated_H], noise_BH[:, gated_H])
        p_gain_H[gated_H] = stepdown(-distance_H[gated_H], -noise_BH[:, gated_H])
        needed_H[gated_H] = max(critical(noise_BH[:, gated_H], alpha), _normal(1 - alpha))
    null_H = np.square(drawn_BH).mean(0)
    found = [
        Difference(
            *(each.base, each.candidate, each.delta, *each.limits(alpha)),
            p=float(p_H[h]),
            p_drop=float(p_drop_H[h]) if gated_H[h] else None,
            p_gain=float(p_gain_H[h]) if gated_H[h] else None,
            n=each.n,
            clusters=each.clusters,
            discordant=each.discordant,
            detectable=each.detectable(float(null_H[h]), float(needed_H[h])),
        )
        for h, each in enumerate(measured)
    ]
    rest = iter(found)
    return [{key: next(rest) for key in _keys(contrast)} for contrast in contrasts]


def _keys(contrast: Contrast) -> list[str]:
    return [*contrast.cells, *([MEAN] if len(contrast.cells) > 1 else [])]


def _spreads(contrast: Contrast) -> Iterator[float]:
    cells = list(contrast.cells.values())
    yield from (exact_spread([cell]) for cell in cells)
    if len(cells) > 1:
        yield exact_spread(cells)


def _with_means(contrasts: Sequence[Contrast], drawn_BH: Floats) -> Floats:
    """A column for the mean over languages after those of each contrast that has several."""
    columns, first = [], 0
    for contrast in contrasts:
        mine = drawn_BH[:, first : first + len(contrast.cells)]
        columns += [mine] if mine.shape[1] < 2 else [mine, mine.mean(1, keepdims=True)]
        first += len(contrast.cells)
    return np.concatenate(columns, 1)


@dataclass(frozen=True, slots=True)
class _Measured:
    """A difference before it is tested; `centre` and variances are in units of the scale.

    `variance` is nan without an interval; `made_up` is the made-up samples' part of it.
    `per_sample`: the variance under flips over the mean square of a sample's difference, 0 where
    the value is no mean of scores. `bound` is the largest difference that there can be, `span`
    as `Cell` has it.
    """

    base: float
    candidate: float
    delta: float
    centre: float
    variance: float
    made_up: float
    freedom: float
    scale: float
    n: int
    clusters: int
    discordant: int
    per_sample: float
    bound: float
    span: float

    def limits(self, alpha: float) -> tuple[float | None, float | None, float | None]:
        from scipy import special

        if math.isnan(self.variance):
            return None, None, None
        error, most = math.sqrt(self.variance), self.scale
        half = error * float(special.stdtrit(self.freedom, (1 + LEVEL) / 2))
        side = error * float(special.stdtrit(self.freedom, 1 - alpha))
        low = most * max(self.centre - half, -self.bound)
        high = most * min(self.centre + half, self.bound)
        floor = most * max(self.centre - side, -self.bound)
        return min(low, self.delta), max(high, self.delta), min(floor, self.delta)

    def detectable(self, null: float, needed: float) -> float | None:
        """`null`: the difference's variance under flips; `needed`: the distance that counts.

        The closed form's fixed point: as the drop grows, what is left of the variance shrinks.
        """
        from scipy import special

        null /= self.scale**2
        found = 0.0
        for _ in range(20):
            left = max(null - found**2 * self.per_sample, 0.0)
            found = needed * math.sqrt(null) + _normal(POWER) * math.sqrt(left)
        # However few differ, so many must, all for the worse, before p can be small enough.
        if not math.isfinite(self.bound) and not self.discordant:
            return None
        if math.isfinite(self.bound):
            fewest = fewest_discordant(float(special.ndtr(-needed)))
            found = max(found, fewest * min(self.span, 1.0) / self.n)
        return self.scale * found if found <= self.bound else None


def _normal(level: float) -> float:
    from scipy import special

    return float(special.ndtri(level))


def _measured(contrast: Contrast) -> Iterator[_Measured]:
    """Each language's difference, then that of their mean."""
    cells = list(contrast.cells.values())
    pieces = influences_on_differences(cells)
    found = [_language(cell, piece) for cell, piece in zip(cells, pieces, strict=True)]
    yield from found
    if len(found) > 1:
        yield _mean(cells, found, pieces)


def influences_on_differences(cells: Sequence[Cell]) -> list[Deleted | None]:
    """Influences on the difference, None where too few clusters carry an interval."""
    clusters = [np.unique(cell.cluster_R).size for cell in cells]
    metric = cells[0].metric
    if metric.mean:  # the mean of the differences
        pieces = [(cell.candidate_RK - cell.base_RK, cell.cluster_R) for cell in cells]
        return [
            deletions(corpus_of(metric), piece) if size >= FEWEST_CLUSTERS else None
            for piece, size in zip(pieces, clusters, strict=True)
        ]
    base, _ = in_blocks([(cell.base_RK, cell.cluster_R) for cell in cells])
    candidate, _ = in_blocks([(cell.candidate_RK, cell.cluster_R) for cell in cells])
    found: list[Deleted | None] = []
    for old, new, size in zip(base, candidate, clusters, strict=True):
        if size < FEWEST_CLUSTERS:
            found.append(None)
            continue
        before, after = (deletions(corpus_of(metric), sample) for sample in (old, new))
        parts_G = after.parts_G - before.parts_G
        found.append(Deleted(parts_G, after.share_G, after.cluster_G, after.rows))
    return found


def _language(cell: Cell, piece: Deleted | None) -> _Measured:
    n, scale = len(cell.base_RK), cell.metric.scale
    count_1 = np.array([float(n)])
    base, candidate = (
        float(values_of(cell.metric, values_RK.sum(0, keepdims=True), count_1)[0])
        for values_RK in (cell.base_RK, cell.candidate_RK)
    )
    difference_RK = (cell.candidate_RK - cell.base_RK) / scale
    cluster_G, place_R = np.unique(cell.cluster_R, return_inverse=True)
    discordant = _discordant([cell])
    delta, shrink = (candidate - base) / scale, n / (n + 2)
    variance = made_up = freedom = math.nan
    unbounded = isinstance(cell.metric, Unbounded)
    if piece is not None:
        spread = joined([piece])
        own, freedom = spread.joint / scale**2, 1 / float(spread.noise_LL[0, 0])
        # A made-up sample of a mean disagrees by the whole span, that of another metric as much as
        # those do that disagree; where none do, nothing tells how far an unbounded one would.
        moved = cell.span**2 * (not unbounded)
        if discordant and not cell.metric.mean:
            moved = own * n**2 / discordant
        made_up = shrink**2 * 2 * (moved + delta**2) / n**2
        variance = shrink**2 * own + made_up
    # The variance under flips is per_sample x (mean square of a sample's difference).
    square = float(np.square(difference_RK[:, 0]).sum()) if cell.metric.mean else 0.0
    sum_G = np.bincount(place_R, difference_RK[:, 0])
    return _Measured(
        *(base, candidate, candidate - base),
        centre=shrink * delta,
        variance=variance,
        made_up=made_up,
        freedom=freedom,
        scale=scale,
        n=n,
        clusters=len(cluster_G),
        discordant=discordant,
        per_sample=float(np.square(sum_G).sum()) / square / n if square > 0 else 0.0,
        bound=math.inf if unbounded else max(1.0, cell.span),
        span=cell.span,
    )


def _discordant(cells: Sequence[Cell]) -> int:
    if cells[0].metric.mean:
        return int(changes(cells).any(1).sum())
    # Statistics that cancel out between languages need not cancel in the mean of their values.
    moved = [np.unique(cell.cluster_R)[changes([cell]).any(1)] for cell in cells]
    return np.unique(np.concatenate(moved)).size


def _mean(
    cells: Sequence[Cell], found: Sequence[_Measured], pieces: Sequence[Deleted | None]
) -> _Measured:
    base, candidate = (
        math.fsum(getattr(each, name) for each in found) / len(found)
        for name in ("base", "candidate")
    )
    cluster_R = np.concatenate([cell.cluster_R for cell in cells])
    clusters, scale = np.unique(cluster_R).size, found[0].scale
    variance = made_up = freedom = math.nan
    whole = [piece for piece in pieces if piece is not None]
    if len(whole) == len(found):
        spread = joined(
            [replace(each, parts_G=each.parts_G * each.rows / (each.rows + 2)) for each in whole]
        )
        # The made-up samples are shared by languages as far as the true ones move together; where
        # nothing moves, by as many as a cluster is in.
        shared, apart = sum(each.clusters for each in found) / clusters, spread.variance_L.sum()
        if apart > 0:
            shared = min(max(spread.joint * len(found) ** 2 / apart, 1), shared)
        made_up = shared * sum(each.made_up for each in found) / len(found) ** 2
        variance = spread.joint / scale**2 + made_up
        variance_L = np.array([each.variance for each in found])
        noise = float(variance_L @ spread.noise_LL @ variance_L)
        # Of an unbounded metric two equal runs vary by nothing.
        freedom = float(variance_L.sum()) ** 2 / noise if noise > 0 else 1.0
    return _Measured(
        *(base, candidate, candidate - base),
        centre=math.fsum(each.centre for each in found) / len(found),
        variance=variance,
        made_up=made_up,
        freedom=freedom,
        scale=scale,
        n=sum(each.n for each in found),
        clusters=clusters,
        discordant=_discordant(cells),
        per_sample=0.0,
        bound=found[0].bound,
        span=found[0].span,
    )
