"""Intervals: what they must do, and that they are the ones that were simulated."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

from towereval.statistics import MOST_DELETIONS, Estimate, Observations, estimate
from towereval.types import Response, Sample


@dataclass
class Made:
    """A metric made of a function of the summed statistics; counts how often it is asked."""

    corpus_value: Callable[[Sequence[float], int], float]
    mean: bool
    scale: float = 1.0
    name: str = "made"
    signature: str = "made"
    calls: list[int] = field(default_factory=list)

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        raise AssertionError("statistics are made here, not taken from samples")

    def corpus(self, total: Sequence[float], count: int) -> float:
        assert count >= 1
        self.calls.append(count)
        return self.corpus_value(total, count)


def accuracy(scale: float = 1.0) -> Made:
    return Made(lambda total, count: total[0] / count, mean=True, scale=scale)


def ratio() -> Made:
    """Matches per word, in percent: the plainest metric of a corpus."""
    return Made(lambda total, count: 100 * total[0] / total[1], mean=False, scale=100.0)


def rows(scores: Any, clusters: Sequence[str] | None = None, prefix: str = "") -> Observations:
    values = np.asarray(scores, float)
    values = values[:, None] if values.ndim == 1 else values
    return Observations(values, clusters or [f"{prefix}{i}" for i in range(len(values))])


def one(metric: Made, observations: Observations) -> Estimate:
    estimates, mean = estimate(metric, {"de": observations})
    assert mean is None
    return estimates["de"]


def limits(found: Estimate | None) -> tuple[float, float]:
    assert found is not None and found.low is not None and found.high is not None
    return found.low, found.high


def width(found: Estimate | None) -> float:
    low, high = limits(found)
    return high - low


# --- the code of the study that chose the method, as it was simulated -----------------------------


def wilson(p: Any, n: Any, q: Any) -> Any:
    d = 1 + q * q / n
    c = p + q * q / (2 * n)
    h = q * np.sqrt(np.clip(p * (1 - p), 0, None) / n + q * q / (4 * n * n))
    return np.maximum((c - h) / d, 0), np.minimum((c + h) / d, 1)


def tables(score: Any, lang: Any, cluster: Any, L: int) -> Any:
    key, inv = np.unique(cluster.astype(np.int64) * L + lang, return_inverse=True)
    s = np.bincount(inv, score)
    m = np.bincount(inv).astype(float)
    return s, m, key % L, np.unique(key // L, return_inverse=True)[1]


def cr2(s: Any, m: Any, l: Any, c: Any, L: int, w: Any) -> Any:  # noqa: E741
    n = np.bincount(l, m, L)
    p = np.bincount(l, s, L) / n
    h = m / n[l]
    g = 1 / np.sqrt(np.maximum(1 - h, 1e-12))
    e = (s - m * p[l]) * g / n[l]
    V = np.bincount(l, e * e, L)
    U = np.zeros((c.max() + 1, L))
    U[c, l] = e
    H = np.zeros_like(U)
    H[c, l] = h
    K = np.zeros_like(U)
    K[c, l] = h * g
    A = H.T @ H + (K.T @ K) ** 2 - (K * K).T @ (K * K)
    v = w * w * p * (1 - p) / n
    v = v if v.sum() > 0 else w * w / n
    return (
        *(p, n, V, 1 / np.diag(A), float(p @ w), ((U @ w) ** 2).sum()),
        *(v.sum() ** 2 / (v @ A @ v), U),
    )


def from_tables(
    s: Any,
    m: Any,
    l: Any,  # noqa: E741
    c: Any,
    L: int,
    w: Any,
    s2: Any = None,
) -> Any:
    level, icc0, k0 = 0.95, 0.3, 10.0
    a = (1 + level) / 2
    p, n, V, df, th, Vm, dfm, _ = cr2(s, m, l, c, L, w)
    B0 = p * (1 - p) / n
    binary = s2 is None
    B = B0 if binary else np.maximum(s2 - n * p * p, 0) / np.maximum(n - 1, 1) / n
    mt = np.bincount(l, m * m, L) / n
    e = np.minimum(p, 1 - p) * n
    wt = e / (e + k0)
    rep = mt > 1 + 1e-9
    x = np.where(rep, mt - 1, 1.0)
    sb = (B * x)[rep].sum()
    pool = (V - B)[rep].sum() / sb if sb > 0 else icc0
    E = e[rep].sum()
    pool = np.clip((E * pool + k0 * icc0) / (E + k0), 0, 1)
    own = np.where(B > 0, (V / np.where(B > 0, B, 1) - 1) / x, 0)
    f = np.where(rep, 1 + (mt - 1) * np.clip(wt * own + (1 - wt) * pool, 0, 1), 1.0)
    q = st.t.ppf(a, np.where(rep, k0 + df.sum(), 1e9 if binary else n - 1))
    ne = n / f if binary else n * np.where(B > 0, B0 / np.where(B > 0, B, 1), 1.0) / f
    lo, hi = wilson(p, ne, q)
    if L == 1:
        return p, lo, hi, p[0], lo[0], hi[0]
    V2 = max(Vm + (w * w * (f * B - V)).sum(), 0.5 * Vm)
    worth = th * (1 - th) / V2 if V2 > 0 and 0 < th < 1 else w.sum() ** 2 / (w * w * f / n).sum()
    ml, mh = wilson(th, worth, st.t.ppf(a, dfm))
    return p, lo, hi, th, ml, mh


def simulated(by_language: Mapping[str, Observations], scale: float) -> Any:
    scores = [each.values[:, 0] / scale for each in by_language.values()]
    names = [list(each.clusters) for each in by_language.values()]
    number = {name: i for i, name in enumerate(sorted(set().union(*names)))}
    score = np.concatenate(scores)
    lang = np.repeat(np.arange(len(scores)), [len(each) for each in scores])
    cluster = np.array([number[name] for each in names for name in each])
    languages = len(scores)
    squares = None if np.isin(score, (0, 1)).all() else np.bincount(lang, score**2)
    cells = tables(score, lang, cluster, languages)
    return from_tables(*cells, languages, np.full(languages, 1 / languages), squares)


def layout(
    rng: np.random.Generator, languages: int, shared: str, largest: int, graded: bool
) -> dict[str, Observations]:
    """Random scores around a random ability of each language and a common one of each cluster."""
    found = {}
    ability = rng.normal(size=80)
    for language in range(languages):
        items = np.arange(rng.integers(5, 40)) if shared != "parallel" else np.arange(30)
        sizes = rng.integers(1, largest + 1, len(items))
        own = shared == "own" or (shared == "some" and language % 2)
        names = [f"{language if own else ''}-{item}" for item in items]
        level = rng.choice([-2.0, 0.0, 2.0, 9.0])
        p = 1 / (1 + np.exp(-level - np.repeat(ability[items], sizes)))
        score = rng.beta(3 * p, 3 * (1 - p)).round(2) if graded else rng.random(len(p)) < p
        clusters = [name for name, size in zip(names, sizes, strict=True) for _ in range(size)]
        found[f"l{language:02}"] = rows(score, clusters)
    return found


@pytest.mark.parametrize("graded", [False, True], ids=["0/1", "graded"])
@pytest.mark.parametrize("largest", [1, 4], ids=["alone", "clustered"])
@pytest.mark.parametrize("shared", ["own", "parallel", "some"])
@pytest.mark.parametrize("languages", [1, 2, 7, 15])
def test_equals_the_simulated_code(languages: int, shared: str, largest: int, graded: bool) -> None:
    rng = np.random.default_rng([languages, len(shared), largest, graded])
    for _ in range(10):
        by_language = layout(rng, languages, shared, largest, graded)
        scale = float(rng.choice([1, 100]))
        scaled = {
            key: Observations(each.values * scale, each.clusters)
            for key, each in by_language.items()
        }
        estimates, mean = estimate(accuracy(scale), scaled)
        p, low, high, p_mean, low_mean, high_mean = simulated(scaled, scale)
        found = np.array([[each.value, each.low, each.high] for each in estimates.values()])
        np.testing.assert_allclose(found / scale, np.stack([p, low, high], 1), rtol=0, atol=1e-12)
        if mean is not None:
            expected = scale * np.array([p_mean, low_mean, high_mean])
            assert [mean.value, *limits(mean)] == pytest.approx(expected, rel=0, abs=1e-12 * scale)


# --- means ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("right", "n", "low", "high"),
    [  # Newcombe 1998, table I, score method; Brown, Cai & DasGupta 2001 for 15 of 30
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (15, 30, 0.3315, 0.6685),
        (20, 20, 0.8389, 1.0),
    ],
)
def test_wilson_of_the_textbooks(right: int, n: int, low: float, high: float) -> None:
    found = one(accuracy(), rows([1] * right + [0] * (n - right)))
    assert found.value == right / n
    assert limits(found) == pytest.approx((low, high), abs=5.1e-5)
    assert (found.n, found.clusters, found.design_effect, found.method) == (n, n, 1.0, "wilson")


def test_the_value_is_the_metric_s_own() -> None:
    rng = np.random.default_rng(1)
    scores = {key: rng.random(997) for key in "abc"}
    estimates, mean = estimate(accuracy(), {key: rows(each) for key, each in scores.items()})
    for key, each in scores.items():
        assert estimates[key].value == math.fsum(each) / 997
    assert mean is not None
    assert mean.value == math.fsum(each.value for each in estimates.values()) / 3
    assert (mean.n, mean.clusters) == (3 * 997, 997)
    assert one(accuracy(), rows([1, 0, 0] * 111)).value == pytest.approx(1 / 3, rel=0, abs=1e-15)


def test_clusters_that_agree_widen_the_interval() -> None:
    rng = np.random.default_rng(2)
    scores = np.repeat(rng.random(60) < 0.7, 3)
    clusters = [str(i // 3) for i in range(180)]
    alone, clustered = one(accuracy(), rows(scores)), one(accuracy(), rows(scores, clusters))
    assert width(clustered) > 1.4 * width(alone)
    assert 2 < clustered.design_effect <= 3
    assert (clustered.clusters, clustered.method) == (60, "wilson-cluster")


def test_repeating_each_row_in_its_cluster_tells_nothing_new() -> None:
    rng = np.random.default_rng(3)
    scores = rng.random(400) < 0.6
    once = one(accuracy(), rows(scores))
    names = [str(i // 2) for i in range(800)]
    twice = one(accuracy(), rows(np.repeat(scores, 2), names))
    assert limits(twice) == pytest.approx(limits(once), abs=0.003)
    bleu = np.stack([rng.integers(0, 9, 400), np.full(400, 9)], 1)
    once, twice = one(ratio(), rows(bleu)), one(ratio(), rows(np.repeat(bleu, 2, 0), names))
    assert limits(twice) == pytest.approx(limits(once), rel=1e-12)
    assert twice.design_effect == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("metric", [accuracy, ratio])
def test_no_order_matters(metric: Callable[[], Made], many: bool) -> None:
    rng = np.random.default_rng(4)
    by_language, shuffled = {}, {}
    for language in ("de", "fr", "is"):
        n = 3 * MOST_DELETIONS if many else 150
        clusters = np.array([f"{language[0] if i % 2 else ''}{i // 2}" for i in range(n)])
        hits = rng.integers(0, 2, n)
        values = np.stack([hits, hits + rng.integers(1, 9, n)], 1)[:, : 1 if metric().mean else 2]
        order = rng.permutation(n)
        by_language[language] = Observations(values.astype(float), clusters)
        shuffled[language] = Observations(values[order].astype(float), clusters[order].tolist())
    estimates, mean = estimate(metric(), by_language)
    backwards = dict(reversed(shuffled.items()))
    again, mean_again = estimate(metric(), backwards)
    assert list(again) == list(backwards)
    pairs = [(estimates[key], again[key]) for key in estimates]
    for before, after in [*pairs, (mean, mean_again)]:
        assert before is not None and after is not None
        assert after.value == before.value
        assert limits(after) == pytest.approx(limits(before), rel=1e-12)
        assert after.design_effect == pytest.approx(before.design_effect, rel=1e-9)


@pytest.mark.parametrize("metric", [accuracy, ratio])
def test_parallel_items_widen_the_mean(metric: Callable[[], Made]) -> None:
    rng = np.random.default_rng(5)
    ability = rng.normal(size=200)
    parallel, apart = {}, {}
    for language in ("de", "fr", "is", "zh"):
        right = rng.random(200) < 1 / (1 + np.exp(-1.5 * ability))
        values = np.stack([right, np.ones(200)], 1)[:, : 1 if metric().mean else 2]
        parallel[language], apart[language] = rows(values), rows(values, prefix=language)
    own, together = estimate(metric(), parallel)
    own_apart, separate = estimate(metric(), apart)
    assert own == own_apart
    assert together is not None and separate is not None
    assert width(together) > 1.3 * width(separate)
    assert separate.design_effect == pytest.approx(1, abs=0.1)
    assert together.design_effect > 1.7
    assert (together.clusters, separate.clusters) == (200, 800)


@pytest.mark.parametrize("score", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("size", [1, 3])
def test_equal_scores_leave_doubt(score: float, size: int) -> None:
    clusters = [str(i // size) for i in range(60)]
    by_language = {key: rows([score] * 60, clusters) for key in "abcdefghij"}
    estimates, mean = estimate(accuracy(), by_language)
    for found in [*estimates.values(), mean]:
        assert found is not None
        low, high = limits(found)
        assert low <= found.value <= high and low >= 0 and high <= 1
        assert width(found) > 0.005
    assert mean is not None and mean.value == pytest.approx(score, rel=1e-15)
    assert width(mean) < width(estimates["a"])


def test_few_clusters_have_a_value_and_no_interval() -> None:
    whole = rows([1, 0] * 50)
    poor = {"xx": rows([1, 0, 1, 1], ["a", "a", "b", "c"]), "yy": rows([1, 0], ["p", "p"])}
    alone, _ = estimate(accuracy(), {"de": whole})
    estimates, mean = estimate(accuracy(), {"de": whole, **poor})
    assert estimates["de"] == alone["de"]
    assert (estimates["xx"].value, estimates["xx"].low, estimates["xx"].high) == (0.75, None, None)
    assert (estimates["xx"].method, estimates["yy"].method) == (
        "none: 3 clusters",
        "none: 1 clusters",
    )
    assert math.isnan(estimates["xx"].design_effect)
    assert mean is not None
    assert (mean.value, mean.low, mean.high) == (1.75 / 3, None, None)
    assert mean.method == "none: 1 clusters in yy"
    assert one(ratio(), Observations(np.ones((9, 2)), ["a"] * 9)).method == "none: 1 clusters"
    none, mean = estimate(accuracy(), {"xx": poor["xx"], "yy": poor["yy"]})
    assert [each.low for each in none.values()] == [None, None] and mean is not None
    five = one(accuracy(), rows([1, 0, 1, 0, 1]))
    assert five.low is not None and five.high is not None


def test_nothing_to_estimate() -> None:
    assert estimate(accuracy(), {}) == ({}, None)


def test_rounding_does_not_change_the_method() -> None:
    scores = [1.0, 0.5, 1.0, 0.2, 0.9, 1.0]
    exact, rounded = one(accuracy(), rows(scores)), one(accuracy(), rows([1 + 3e-16, *scores[1:]]))
    assert rounded.method == exact.method == "wilson"
    assert limits(rounded) == pytest.approx(limits(exact), rel=1e-12)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="made, de: a sample's"):
        one(accuracy(), rows([1.0, bad, 0.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match=r"made: the value of 5 samples"):
        one(Made(lambda total, count: bad, mean=False), rows([1.0] * 5))


@pytest.mark.parametrize("clusters", [["a"], ["a", "b", "c"]])
def test_shapes_that_do_not_fit_are_refused(clusters: list[str]) -> None:
    with pytest.raises(ValueError, match="made, de: statistics of shape"):
        one(accuracy(), Observations(np.ones((2, 1)), clusters))
    with pytest.raises(ValueError, match="made, de: statistics of shape"):
        one(accuracy(), Observations(np.ones((0, 1)), []))


# --- other functions of summed statistics ---------------------------------------------------------


def test_jackknife_is_the_textbook_s() -> None:
    rng = np.random.default_rng(6)
    values = np.stack([rng.integers(0, 20, 50), rng.integers(20, 40, 50)], 1)
    total = values.sum(0)
    left = [100 * a / b for a, b in total - values]
    value = 100 * total[0] / total[1]
    error = math.sqrt(49 / 50 * sum((each - value) ** 2 for each in left))
    found = one(ratio(), rows(values))
    assert found.value == value
    half = st.t.ppf(0.975, 49) * error
    assert limits(found) == pytest.approx((value - half, value + half), rel=1e-12)
    assert (found.design_effect, found.method) == (1.0, "jackknife-t")


def test_jackknife_of_a_mean_is_cr2() -> None:
    rng = np.random.default_rng(7)
    by_language = {
        key: rows(rng.normal(size=90), [f"{i % 23 if i < 60 else 30}" for i in range(90)])
        for key in "abc"
    }
    estimates, mean = estimate(accuracy(), by_language)
    scores = np.concatenate([each.values[:, 0] for each in by_language.values()])
    cluster = np.concatenate([np.array(each.clusters, int) for each in by_language.values()])
    cells = tables(scores, np.repeat(np.arange(3), 90), cluster, 3)
    _, _, variance, freedom, *_ = cr2(*cells, 3, np.ones(3) / 3)
    joint = cr2(*cells, 3, np.ones(3) / 3)[5]
    for found, v, df in zip(estimates.values(), variance, freedom, strict=True):
        assert width(found) / 2 == pytest.approx(st.t.ppf(0.975, df) * math.sqrt(v), rel=1e-10)
        assert found.method == "jackknife-t"  # scores below 0 have no Wilson interval
    assert mean is not None
    assert width(mean) / 2 > 1.95 * math.sqrt(joint)
    assert width(mean) / 2 < 2.4 * math.sqrt(joint)


def test_independent_languages_of_one_size_add_their_variances() -> None:
    rng = np.random.default_rng(8)
    by_language = {
        key: rows(np.stack([rng.integers(0, 9, 120), np.full(120, 9)], 1), prefix=key)
        for key in "abcd"
    }
    estimates, mean = estimate(ratio(), by_language)
    errors = [width(each) / 2 / st.t.ppf(0.975, 119) for each in estimates.values()]
    joint = math.sqrt(sum(error**2 for error in errors)) / 4
    assert 1.96 * joint < width(mean) / 2 < 1.98 * joint


def test_limits_stay_on_the_scale_and_no_variation_has_none() -> None:
    good = np.stack([[9] * 28 + [0, 5], [9] * 30], 1)
    assert limits(one(ratio(), rows(good)))[1] == 100.0
    perfect = one(ratio(), rows(np.full((30, 2), 9)))
    assert (perfect.value, perfect.low, perfect.high) == (100.0, None, None)
    assert perfect.method == "none: clusters do not differ"
    smoothed = Made(lambda total, count: total[0] / (total[1] + 1e-6), mean=False)
    assert one(smoothed, rows(np.full((30, 2), 9))).method == "none: clusters do not differ"
    assert width(one(smoothed, rows([[9, 9]] * 9_999 + [[8, 9]]))) > 0


def test_many_clusters_are_deleted_in_blocks() -> None:
    rng = np.random.default_rng(9)
    n = 20_000
    values = np.stack([rng.integers(0, 9, n), np.full(n, 9)], 1)
    metric = ratio()
    found = one(metric, rows(values))
    assert len(metric.calls) == MOST_DELETIONS + 2
    error = 100 * values[:, 0].std() / 9 / math.sqrt(n)
    assert width(found) / 2 == pytest.approx(1.96 * error, rel=0.1)
    # Neither a trend along the names nor a rhythm in them hides in the blocks.
    trend = one(ratio(), rows(values[np.argsort(values[:, 0])], [f"{i:05}" for i in range(n)]))
    assert width(trend) / 2 == pytest.approx(1.96 * error, rel=0.1)
    twice = one(ratio(), rows(np.repeat(values, 2, 0), [str(i // 2) for i in range(2 * n)]))
    assert limits(twice) == pytest.approx(limits(found), rel=1e-12)
    assert twice.design_effect == pytest.approx(2, rel=0.1)
    assert found.clusters == n
    # A parallel language keeps its covariance, a small one its interval.
    by_language = {"de": rows(values), "fr": rows(values), "is": rows(values[:40])}
    estimates, mean = estimate(ratio(), by_language)
    assert estimates["de"] == estimates["fr"] == found
    assert width(estimates["is"]) == pytest.approx(width(one(ratio(), rows(values[:40]))), rel=0.2)
    _, mean = estimate(ratio(), {"de": rows(values), "fr": rows(values)})
    assert width(mean) == pytest.approx(width(found), rel=1e-3)


# --- whether they keep their promise --------------------------------------------------------------


def test_intervals_cover_the_truth() -> None:
    """Six languages, the first four parallel, clusters of 1 to 3; 300 repetitions, 95% +- 1.3%."""
    rng = np.random.default_rng(10)
    sizes = rng.integers(1, 4, 60)
    names = {
        key: [f"{'' if key < 'e' else key}{i}" for i in np.repeat(np.arange(60), sizes)]
        for key in "abcdef"
    }
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    levels = dict(zip("abcdef", (-0.5, 0.0, 0.5, 1.0, 1.5, 2.5), strict=True))
    truth = {
        key: float(weights @ (1 / (1 + np.exp(-level - nodes)))) / math.sqrt(2 * math.pi)
        for key, level in levels.items()
    }
    inside, inside_mean, repetitions = 0, 0, 300
    for _ in range(repetitions):
        common = rng.normal(size=60)
        by_language = {}
        for key, level in levels.items():
            ability = common if key < "e" else rng.normal(size=60)
            p = 1 / (1 + np.exp(-level - np.repeat(ability, sizes)))
            by_language[key] = rows(rng.random(len(p)) < p, names[key])
        estimates, mean = estimate(accuracy(), by_language)
        for key, found in estimates.items():
            inside += limits(found)[0] <= truth[key] <= limits(found)[1]
        low, high = limits(mean)
        inside_mean += low <= sum(truth.values()) / 6 <= high
    assert 0.93 <= inside / repetitions / 6 <= 0.97
    assert 0.91 <= inside_mean / repetitions <= 0.99


def test_importing_does_not_load_scipy() -> None:
    code = "import sys, towereval.statistics; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
