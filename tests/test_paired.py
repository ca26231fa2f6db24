"""Differences of two runs: intervals and detectable drops as the study that chose them has them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

from tests.test_flips import Made, cell, wins_and_losses
from towereval.flips import Cell
from towereval.metrics.picture_use import LikelihoodGain
from towereval.metrics.translation import Bleu
from towereval.paired import Contrast, Difference, differences, fewest_discordant


def one(only: Cell, *, gated: bool = True, alpha: float = 0.05) -> Difference:
    [found] = differences([Contrast({"de": only}, gated)], alpha=alpha)
    assert list(found) == ["de"]
    return found["de"]


def discordant(share: float, n: int, drop: float = 0.0) -> tuple[Any, Any]:
    losses = round((share + drop) / 2 * n)
    return wins_and_losses(round(share * n) - losses, losses, n)


# --- intervals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wins", "losses", "n"), [(3, 7, 30), (0, 4, 300), (20, 20, 100)])
def test_the_interval_is_bonett_and_prices(wins: int, losses: int, n: int) -> None:
    found = one(cell(*wins_and_losses(wins, losses, n)))
    total, squares = wins - losses, wins + losses
    centre = total / (n + 2)
    # The study divides by n + 2 clusters where CR2 has n - 1 degrees of freedom.
    error = math.sqrt(squares + 2 - total**2 / (n + 2)) / (n + 2) * math.sqrt(n / (n - 1))
    half = st.t.ppf(0.975, n - 1) * error
    assert found.delta == pytest.approx(total / n)
    assert found.low == pytest.approx(centre - half, rel=1e-2, abs=1e-4)
    assert found.high == pytest.approx(centre + half, rel=1e-2, abs=1e-4)
    assert found.floor == pytest.approx(centre - st.t.ppf(0.95, n - 1) * error, rel=1e-2, abs=1e-4)
    assert (found.n, found.clusters, found.discordant) == (n, n, wins + losses)


def test_questions_on_one_picture_count_as_one_draw() -> None:
    base, candidate = wins_and_losses(9, 18, 300)
    alone = one(cell(base, candidate))
    in_threes = one(cell(base, candidate, np.arange(300) // 3))
    assert (in_threes.clusters, in_threes.discordant) == (100, 9)
    ratio = (in_threes.high - in_threes.low) / (alone.high - alone.low)
    assert ratio == pytest.approx(math.sqrt(3), rel=0.05)


def test_the_mean_over_languages_has_what_they_share() -> None:
    base, candidate = wins_and_losses(9, 18, 300)
    together = Contrast({key: cell(base, candidate) for key in ("de", "fr", "cs")}, gated=True)
    apart = Contrast(
        {key: cell(base, candidate, np.arange(300) + 300 * i) for i, key in enumerate("abc")},
        gated=True,
    )
    same, own = differences([together, apart])
    assert list(same) == ["de", "fr", "cs", "*"]
    width = {name: found.high - found.low for name, found in same.items()}
    assert width["*"] == pytest.approx(width["de"], rel=0.02)
    shrunk = (own["*"].high - own["*"].low) / (own["a"].high - own["a"].low)
    assert shrunk == pytest.approx(1 / math.sqrt(3), rel=0.02)
    assert same["*"].delta == own["*"].delta == pytest.approx(-0.03)
    assert (own["*"].n, own["*"].clusters, own["*"].discordant) == (900, 900, 81)
    assert (same["*"].n, same["*"].clusters, same["*"].discordant) == (900, 300, 27)


def test_intervals_are_in_the_metrics_unit() -> None:
    base, candidate = wins_and_losses(9, 18, 300)
    percent = cell(100 * base, 100 * candidate, metric=Made(scale=100.0))
    found, plain = one(percent), one(cell(base, candidate))
    assert found.delta == pytest.approx(100 * plain.delta)
    assert found.low == pytest.approx(100 * plain.low)
    assert found.detectable == pytest.approx(100 * plain.detectable)
    assert found.p == plain.p


def test_a_corpus_metric_has_the_jackknife_of_the_difference() -> None:
    rng = np.random.default_rng(1)
    n = rng.integers(5, 30, 120)
    base, candidate = (np.stack([rng.binomial(n, p), n], 1) for p in (0.6, 0.7))
    found = one(cell(base, candidate, metric=Made(mean=False)))
    left = [
        (candidate[:, 0].sum() - b) / (n.sum() - k) - (base[:, 0].sum() - a) / (n.sum() - k)
        for a, b, k in zip(base[:, 0], candidate[:, 0], n, strict=True)
    ]
    error = math.sqrt(119 / 120 * np.square(np.array(left) - found.delta).sum())
    made_up = 2 * (error**2 / found.discordant + (found.delta / 120) ** 2)
    half = st.t.ppf(0.975, 119) * math.sqrt(error**2 + made_up) * 120 / 122
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=1e-3)
    assert found.low < found.delta < found.high


def test_bleu_has_an_interval_even_where_nothing_differs() -> None:
    rows = [[9, 9, 8, 6, 4, 2, 9, 8, 7, 6]] * 40
    found = one(cell(rows, rows, metric=Bleu()))
    assert (found.delta, found.p, found.discordant) == (0.0, 1.0, 0)
    assert -10 < found.low < 0 < found.high < 10


def test_too_few_clusters_carry_no_interval() -> None:
    found = one(cell([1, 1, 0, 1], [0, 0, 0, 0]))
    assert (found.low, found.high, found.floor) == (None, None, None)
    assert found.delta == -0.75
    base, candidate = wins_and_losses(9, 18, 300)
    both = {"de": cell(base, candidate), "is": cell(base[:4], candidate[:4])}
    [found_] = differences([Contrast(both, gated=True)])
    assert found_["de"].low is not None
    assert found_["*"].low is None


def test_limits_stay_on_the_scale_and_hold_the_difference() -> None:
    found = one(cell(np.ones(8), np.zeros(8)))
    assert (found.delta, found.low) == (-1.0, -1.0)
    assert -1 < found.high < 0


def test_a_metric_that_all_samples_lose_alike_has_an_interval() -> None:
    perfect, hopeless = [[9, 9, 9, 8, 7, 6, 9, 8, 7, 6]] * 8, [[9, 9, 0, 0, 0, 0, 9, 8, 7, 6]] * 8
    both = {key: cell(perfect, hopeless, metric=Bleu()) for key in ("de", "fr")}
    [found] = differences([Contrast(both, gated=True)])
    assert found["*"].delta == pytest.approx(-100)
    assert -100.01 < found["*"].low < found["*"].high < -20
    assert found["*"].p_drop == pytest.approx(2**-8, abs=0.002)


# --- what is gated --------------------------------------------------------------------------------


def test_only_gated_differences_have_adjusted_p() -> None:
    base, candidate = wins_and_losses(3, 14)
    gated = Contrast({"de": cell(base, candidate)}, gated=True)
    shown = Contrast({"de": cell(base, candidate)}, gated=False)
    judged, other = differences([gated, shown])
    assert judged["de"].p_drop == pytest.approx(st.binomtest(14, 17, 0.5).pvalue / 2, abs=0.004)
    assert judged["de"].p_gain == pytest.approx(1, abs=0.01)
    assert (other["de"].p_drop, other["de"].p_gain) == (None, None)
    assert other["de"].p == judged["de"].p


@pytest.mark.parametrize("seed", range(6))
def test_cells_that_tie_stay_tied_whatever_the_seed(seed: int) -> None:
    """Nine languages in which nine own items differ: exactly as many flips reach a net loss of 7.

    Spreads that are themselves drawn would part the ties by chance, and halve p.
    """
    losses = (8, 4, 5, 4, 5, 4, 5, 4, 5)
    cells = {
        f"l{i}": cell(*wins_and_losses(9 - lost, lost, 60), np.arange(60) + 60 * i)
        for i, lost in enumerate(losses)
    }
    [found] = differences([Contrast(cells, gated=True)], seed=seed)
    reached = st.binom.sf(7, 9, 0.5)  # 8 or 9 of 9
    exact = 1 - (1 - reached) ** 9
    # The mean over languages is one more hypothesis and reaches as far in a few flips of its own.
    assert exact - 0.012 <= found["l0"].p_drop <= exact + 0.024


def test_languages_that_share_their_items_have_the_exact_spread_of_their_mean() -> None:
    """The same changes in three languages: their mean is the same test, not one more."""
    base, candidate = wins_and_losses(3, 14)
    [found] = differences([Contrast({k: cell(base, candidate) for k in "abc"}, gated=True)])
    assert {each.p_drop for each in found.values()} == {found["a"].p_drop}


def test_nothing_to_compare_is_no_difference() -> None:
    assert differences([]) == []


# --- detectable drops -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n", "points"), [(30, 14), (76, 9.0), (200, 5.6), (300, 4.5), (1_000, 2.5), (5_000, 1.1)]
)
def test_detectable_drops_are_the_studys(n: int, points: float) -> None:
    """A tenth of the items differ, alpha 5%, power 80%."""
    found = one(cell(*discordant(0.10, n)))
    least = 100 * fewest_discordant(0.05) / n  # as the study's normal formula does not know
    assert found.detectable is not None
    assert 100 * found.detectable == pytest.approx(max(points, least), rel=0.09)


def test_a_larger_family_sees_less() -> None:
    pairs = [discordant(0.10, 1_000) for _ in range(40)]
    cells = {f"l{i}": cell(*pair, np.arange(1_000) + 1_000 * i) for i, pair in enumerate(pairs)}
    [found] = differences([Contrast(cells, gated=True)])
    alone = one(cell(*pairs[0]))
    assert alone.detectable < found["l0"].detectable < 1.6 * alone.detectable
    assert found["*"].detectable < alone.detectable / 3


def test_what_is_seen_is_found_in_80_of_100_comparisons() -> None:
    """500 comparisons, 80% +- 3.6%; the test is discrete and may find a little less."""
    rng = np.random.default_rng(2)
    seen = one(cell(*discordant(0.10, 500))).detectable
    assert seen is not None
    lost = (0.10 + seen) / 2
    found = 0
    for _ in range(500):
        side = rng.random(500)
        base_alone, candidate_alone = side < lost, (side >= lost) & (side < 0.10)
        both = {"de": cell(~candidate_alone, ~base_alone)}
        result = differences([Contrast(both, gated=True)], flips=1_000)
        found += result[0]["de"].p_drop <= 0.05
    assert 0.72 <= found / 500 <= 0.85


def test_clusters_that_cancel_out_are_not_counted_as_discordant() -> None:
    """A picture with one answer won and one lost is the same whichever run gave which."""
    base, candidate = np.ones(60), np.ones(60)
    candidate[[0, 2, 4, 6, 8]], base[9] = 0, 0
    found = one(cell(base, candidate, np.arange(60) // 2))
    assert (found.clusters, found.discordant) == (30, 4)
    across = {"de": cell(base, candidate), "fr": cell(candidate, base)}
    [both] = differences([Contrast(across, gated=True)])
    assert (both["de"].discordant, both["fr"].discordant, both["*"].discordant) == (6, 6, 0)
    assert (both["*"].delta, both["*"].p) == (0.0, 1.0)
    graded = one(cell([0.1, 0.2, 0.3], [0.0, 0.0, 0.6], [0, 0, 0]))
    assert (graded.discordant, graded.p) == (0, 1.0)


def test_sentences_of_a_corpus_that_cancel_out_are_not_counted_either() -> None:
    rows = np.array([[1, 2], [2, 3], [3, 4], [0, 2], [1, 1], [2, 2]])
    turned = rows[[1, 0, 2, 3, 4, 5]]
    found = one(cell(rows, turned, [0, 0, 1, 2, 3, 4], metric=Made(mean=False)))
    assert (found.delta, found.discordant) == (0.0, 0)
    ways = {"de": cell(rows, rows + 1, metric=Made(mean=False))}
    ways |= {"fr": cell(rows + 1, rows, metric=Made(mean=False))}
    [both] = differences([Contrast(ways, gated=True)])
    assert both["*"].discordant == 6  # a mean of quotients is moved all the same


def test_where_no_drop_could_be_found_it_says_so() -> None:
    assert one(cell([1, 1, 0], [1, 0, 0])).detectable is None
    assert fewest_discordant(0.05) == 5
    assert fewest_discordant(0.05 / 9) == 8
    assert fewest_discordant(0.05 / 300) == 13


def test_equal_runs_of_an_unbounded_metric_differ_by_nothing() -> None:
    """In one language or several: how far a sample could have moved nothing tells."""
    metric = LikelihoodGain("none", "sentence")
    gain_RK = np.random.default_rng(0).normal(0.0, 2.0, (20, 3)) ** [1, 0, 0]
    same = Cell(metric, gain_RK, gain_RK, np.arange(20))
    [found] = differences([Contrast({"de": same, "fr": same}, gated=True)], flips=100)
    for name in ("de", "fr", "*"):
        each = found[name]
        assert (each.delta, each.low, each.high, each.floor) == (0.0, 0.0, 0.0, 0.0)
        assert (each.p, each.p_drop, each.discordant, each.detectable) == (1.0, 1.0, 0, None)
