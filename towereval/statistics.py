"""A value with its 95% interval for every language, and for the unweighted mean over the languages.

Languages are fixed: an interval says how far other samples could have moved the number, not what
further languages would score. A cluster found in several languages (a parallel item) counts as one
draw for all of them, so their covariances are in; without common names languages are independent.

Variances come from the clusters' influences (`influence.py`):
  wilson       Means of scores within [0, scale]: the variance tells how many independent samples
               there are in effect; Wilson's interval of so many holds near 0 and 1 as well (Brown,
               Cai & DasGupta 2001). One language's design effect is noisy and is shrunk to a
               correlation within clusters common to all languages (Franco et al. 2019).
  jackknife-t  Other functions of summed statistics (BLEU, chrF), and means of unbounded scores:
               symmetric, with the degrees of freedom that CR2 would have for means.

Letters after a name are an array's axes, as in `influence.py`; X: L and their mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from towereval.influence import (
    MOST_DELETIONS,
    Corpus,
    Floats,
    Numbered,
    Spread,
    Unbounded,
    corpus_of,
    in_blocks,
    numbered,
    spread_of,
)
from towereval.influence import Observations as Observations
from towereval.types import Metric

LEVEL = 0.95
FEWEST_CLUSTERS = 5
# What is believed of the correlation within clusters before any data, worth so many errors.
PRIOR_CORRELATION = 0.3
PRIOR_ERRORS = 10.0
NORMAL = 1e9  # degrees of freedom at which Student's t is the normal distribution to eight digits
ROUNDING = 1e-8  # a standard error below this part of the scale is rounding, or a metric's epsilon
ALONE = 1 + 1e-9  # the mean size of clusters up to which nothing is clustered

_Interval: TypeAlias = tuple[float | None, float | None, float, str]  # low, high, effect, method


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its interval, in the metric's unit.

    `low` and `high` are None where nothing carries an interval: `method` says "none: " and why.
    `design_effect` is the variance over that of `n` independent samples; nan without an interval.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    clusters: int
    design_effect: float
    method: str


def estimate(
    metric: Metric, by_language: Mapping[str, Observations]
) -> tuple[dict[str, Estimate], Estimate | None]:
    """Every language's estimate, and their unweighted mean (None when there is only one).

    A language of fewer than 5 clusters has a value without an interval and tells the others
    nothing; the mean has an interval only when every language has at least 5 clusters. Raises
    ValueError on a language without samples and on numbers that are not finite.
    """
    samples, _ = numbered(metric, by_language)
    clusters = {key: np.unique(cluster_R).size for key, (_, cluster_R) in samples.items()}
    carriers = [key for key in samples if clusters[key] >= FEWEST_CLUSTERS]
    values = {
        key: _corpus(metric, [math.fsum(column) for column in values_RK.T.tolist()], len(values_RK))
        for key, (values_RK, _) in samples.items()
    }
    value_L = np.array([values[key] for key in carriers])
    *found, joint = _intervals(metric, [samples[key] for key in carriers], value_L)
    intervals = {key: _none(f"{clusters[key]} clusters") for key in samples}
    intervals |= zip(carriers, found, strict=True)
    rows = {key: len(values_RK) for key, (values_RK, _) in samples.items()}
    own = {key: _estimate(values[key], rows[key], clusters[key], intervals[key]) for key in samples}
    if len(samples) < 2:
        return own, None
    poorest = min(samples, key=lambda key: (clusters[key], key))
    if clusters[poorest] < FEWEST_CLUSTERS:
        joint = _none(f"{clusters[poorest]} clusters in {poorest}")
    mean = math.fsum(values.values()) / len(values)
    distinct = np.unique(np.concatenate([cluster_R for _, cluster_R in samples.values()])).size
    return own, _estimate(mean, sum(rows.values()), distinct, joint)


def _none(reason: str) -> _Interval:
    return None, None, math.nan, f"none: {reason}"


def _estimate(value: float, n: int, clusters: int, interval: _Interval) -> Estimate:
    low, high, effect, method = interval
    if low is not None and high is not None:
        low, high = min(low, value), max(high, value)  # rounding may put a limit beyond the value
    return Estimate(value, low, high, n, clusters, effect, method)


def _corpus(metric: Metric, total: Sequence[float], count: float) -> float:
    value = metric.corpus(total, int(count))
    if not math.isfinite(value):
        raise ValueError(f"{metric.name}: the value of {count:.0f} samples is {value}")
    return value


def _intervals(metric: Metric, samples: Sequence[Numbered], value_L: Floats) -> list[_Interval]:
    """Each language's interval, then that of their mean."""
    if not samples:
        return [_none("no clusters")]
    bounded = all(
        values_RK.shape[1] == 1 and abs(values_RK / metric.scale - 0.5).max() <= 0.5 + ROUNDING
        for values_RK, _ in samples
    )
    return (_wilson if metric.mean and bounded else _jackknife)(metric, samples, value_L)


def _student(freedom_X: Floats) -> Floats:
    from scipy import special  # its t is that of scipy.stats, which takes 0.3 s longer to import

    return np.asarray(special.stdtrit(freedom_X, (1 + LEVEL) / 2))


def _over(part_L: Floats, whole_L: Floats, otherwise: Floats | float) -> Floats:
    return np.where(whole_L > 0, part_L / np.where(whole_L > 0, whole_L, 1), otherwise)


def _wilson(metric: Metric, samples: Sequence[Numbered], value_L: Floats) -> list[_Interval]:
    scores = [values_RK[:, 0] / metric.scale for values_RK, _ in samples]
    n_L = np.array([len(score_R) for score_R in scores], np.float64)
    p_L = np.clip(value_L / metric.scale, 0, 1)
    binomial_L = p_L * (1 - p_L) / n_L
    binary = all(((score_R == 0) | (score_R == 1)).all() for score_R in scores)
    simple_L = binomial_L if binary else np.array([score_R.var(ddof=1) for score_R in scores]) / n_L
    simple_L = np.where(simple_L > ROUNDING**2, simple_L, 0)
    spread = spread_of(lambda total_GK, count_G: total_GK[:, 0] / count_G / metric.scale, samples)
    effect_L = _design_effects(np.minimum(p_L, 1 - p_L) * n_L, spread, simple_L)
    worth_L = _over(p_L * (1 - p_L), simple_L, n_L) / effect_L
    # A shrunk design effect rests on the clusters of all languages and on the prior.
    clustered_L = spread.crowd_L > ALONE
    pooled = PRIOR_ERRORS + (1 / np.diag(spread.noise_LL)).sum()
    freedom_L = np.where(clustered_L, pooled, NORMAL if binary else n_L - 1)
    # Own variances as shrunk, covariances as estimated; never below half of the estimate.
    p, squared = p_L.mean(), len(samples) ** 2
    shrunk = (effect_L * simple_L - spread.variance_L).sum() / squared
    joint = max(spread.joint + shrunk, spread.joint / 2)
    effect, worth = joint * squared / (simple_L.sum() or 1), p * (1 - p) / (joint or 1)
    if joint <= ROUNDING**2:  # all samples score alike: what is left is the design effects
        effect = (effect_L / n_L).sum() / (1 / n_L).sum()
        worth = squared / (effect_L / n_L).sum()
    v_L = binomial_L if binomial_L.any() else 1 / n_L
    t_X = _student(np.append(freedom_L, v_L.sum() ** 2 / (v_L @ spread.noise_LL @ v_L)))
    limits_2X = metric.scale * _wilson_limits(np.append(p_L, p), np.append(worth_L, worth), t_X)
    methods = ["wilson-cluster" if each else "wilson" for each in [*clustered_L, True]]
    return list(zip(*limits_2X.tolist(), [*effect_L.tolist(), float(effect)], methods, strict=True))


def _design_effects(errors_L: Floats, spread: Spread, simple_L: Floats) -> Floats:
    """1 + (crowd - 1) x correlation; `simple_L` is the variance of independent samples.

    The correlation is the language's as far as its errors tell it, else that of all, or the prior.
    """
    clustered_L, variance_L = spread.crowd_L > ALONE, spread.variance_L
    others_L = np.where(clustered_L, spread.crowd_L - 1, 1)
    most = (simple_L * others_L)[clustered_L].sum()  # the excess if all of a cluster scored alike
    pooled = (variance_L - simple_L)[clustered_L].sum() / most if most > 0 else PRIOR_CORRELATION
    errors = errors_L[clustered_L].sum()
    pooled = (errors * pooled + PRIOR_ERRORS * PRIOR_CORRELATION) / (errors + PRIOR_ERRORS)
    own_L = (_over(variance_L, simple_L, 1) - 1) / others_L
    trust_L = errors_L / (errors_L + PRIOR_ERRORS)
    correlation_L = trust_L * own_L + (1 - trust_L) * np.clip(pooled, 0, 1)
    return np.where(clustered_L, 1 + others_L * np.clip(correlation_L, 0, 1), 1)


def _wilson_limits(p_X: Floats, n_X: Floats, t_X: Floats) -> Floats:
    stretch_X = 1 + t_X**2 / n_X
    centre_X = p_X + t_X**2 / (2 * n_X)
    half_X = t_X * np.sqrt(np.maximum(p_X * (1 - p_X), 0) / n_X + t_X**2 / (4 * n_X**2))
    return np.clip(np.stack([centre_X - half_X, centre_X + half_X]) / stretch_X, 0, 1)


def _jackknife(metric: Metric, samples: Sequence[Numbered], value_L: Floats) -> list[_Interval]:
    clusters = sum(np.unique(cluster_R).size for _, cluster_R in samples)
    corpus = corpus_of(metric)
    samples, _ = in_blocks(samples)
    spread = spread_of(corpus, samples)
    variance_L = simple_L = spread.variance_L
    if clusters < sum(len(values_RK) for values_RK, _ in samples):
        simple_L = np.array([_simple_variance(corpus, values_RK) for values_RK, _ in samples])
    value_X = np.append(value_L, value_L.mean())
    variance_X = np.append(variance_L, spread.joint)
    freedom = _over(variance_L.sum() ** 2, variance_L @ spread.noise_LL @ variance_L, 1)
    half_X = _student(np.append(1 / np.diag(spread.noise_LL), freedom)) * np.sqrt(variance_X)
    effect_X = _over(variance_X, np.append(simple_L, simple_L.sum() / len(samples) ** 2), 1)
    anywhere = metric.mean or isinstance(metric, Unbounded)
    bottom, top = (-math.inf, math.inf) if anywhere else (0.0, metric.scale)
    limits_2X = np.clip([value_X - half_X, value_X + half_X], bottom, top)
    columns = np.stack([*limits_2X, effect_X, np.sqrt(variance_X) / metric.scale]).T.tolist()
    return [
        (low, high, effect, "jackknife-t") if error > ROUNDING else _none("clusters do not differ")
        for low, high, effect, error in columns
    ]


def _simple_variance(corpus: Corpus, values_RK: Floats) -> float:
    """The variance if rows were independent, from rows spread evenly over the sorted ones."""
    n, some = len(values_RK), min(len(values_RK), MOST_DELETIONS)
    spread_R = (np.arange(0.5, some) * n / some).astype(np.int64)
    row_RK = values_RK[np.lexsort(values_RK.T)][spread_R]
    total_1K = values_RK.sum(0, keepdims=True)
    change_R = corpus(total_1K, np.array([n])) - corpus(total_1K - row_RK, np.full(some, n - 1))
    return float(np.square(change_R).mean()) * (n - 1)
