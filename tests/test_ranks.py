"""Shared ranks: what cannot be told apart shares them, and nothing else does."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.stats as st

from towereval.errors import UsageError
from towereval.influence import MOST_DELETIONS, Influence, Observations, influences
from towereval.ranks import rank_sets
from towereval.statistics import estimate
from towereval.types import Response, Sample


@dataclass(frozen=True)
class Made:
    mean: bool = True
    scale: float = 1.0
    name: str = "made"
    signature: str = "made"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        raise AssertionError("statistics are made here, not taken from samples")

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count if self.mean else 100 * total[0] / total[1]


def items(scores: np.ndarray, prefix: str = "") -> Observations:
    values = np.asarray(scores, float).reshape(len(scores), -1)
    return Observations(values, [f"{prefix}{i:05}" for i in range(len(values))])


def model(right: np.ndarray, prefix: str = "") -> Influence:
    return influences(Made(), {"de": items(right, prefix)})["de"]


def drawn(chances: Sequence[float], n: int, seed: int, languages: int = 1) -> list[Influence]:
    """Models that answer the same items, which are easier or harder for all of them."""
    rng = np.random.default_rng(seed)
    ability = rng.normal(size=n)
    found = []
    for chance in chances:
        level = ability + math.log(chance / (1 - chance))
        right = rng.random((languages, n)) < 1 / (1 + np.exp(-level))
        each = {f"l{i}": items(scores) for i, scores in enumerate(right)}
        found.append(influences(Made(), each)["*" if languages > 1 else "l0"])
    return found


# --- influences -----------------------------------------------------------------------------------


def test_influences_of_a_mean_give_the_variance_of_the_mean() -> None:
    right = np.array([1] * 30 + [0] * 10)
    found = model(right)
    assert (found.value, found.n, len(found.clusters)) == (0.75, 40, 40)
    assert np.square(found.parts).sum() == pytest.approx(right.var(ddof=1) / 40)
    assert found.freedom == pytest.approx(39)


def test_influences_on_a_mean_over_languages_carry_what_they_have_in_common() -> None:
    rng = np.random.default_rng(1)
    right = rng.random(200) < 0.7
    same = influences(Made(), {"de": items(right), "fr": items(right)})
    assert np.square(same["*"].parts).sum() == pytest.approx(np.square(same["de"].parts).sum())
    own = influences(Made(), {"de": items(right, "de"), "fr": items(right, "fr")})
    assert np.square(own["*"].parts).sum() == pytest.approx(np.square(own["de"].parts).sum() / 2)
    assert own["*"].freedom == pytest.approx(398, rel=0.01)
    assert (own["*"].n, len(own["*"].clusters), own["*"].value) == (400, 400, own["de"].value)


def test_the_interval_of_a_corpus_metric_is_made_of_its_influences() -> None:
    rng = np.random.default_rng(2)
    values = np.stack([rng.integers(0, 9, 80), np.full(80, 9)], 1)
    found = influences(Made(mean=False, scale=100.0), {"de": items(values)})["de"]
    shown = estimate(Made(mean=False, scale=100.0), {"de": items(values)})[0]["de"]
    half = st.t.ppf(0.975, found.freedom) * math.sqrt(np.square(found.parts).sum())
    assert shown.high == pytest.approx(found.value + half)


def test_many_clusters_are_deleted_in_blocks_that_match_between_models() -> None:
    rng = np.random.default_rng(3)
    metric = Made(mean=False, scale=100.0)
    one, other = (
        influences(metric, {"de": items(np.stack([hits, np.full(5_000, 9)], 1))})["de"]
        for hits in rng.integers(0, 9, (2, 5_000))
    )
    assert len(one.clusters) == MOST_DELETIONS
    assert one.clusters == other.clusters
    assert rank_sets([one, other]) == [(1, 2), (1, 2)]


def test_a_language_of_one_cluster_is_refused() -> None:
    with pytest.raises(ValueError, match="one cluster alone"):
        influences(Made(), {"de": Observations(np.ones((3, 1)), ["a", "a", "a"])})


# --- ranks ----------------------------------------------------------------------------------------


def test_far_apart_models_have_ranks_of_their_own() -> None:
    assert rank_sets(drawn([0.3, 0.9, 0.6], 1_000, 4)) == [(3, 3), (1, 1), (2, 2)]


def test_a_model_and_its_copy_share_a_rank() -> None:
    good, bad = drawn([0.8, 0.4], 500, 5)
    assert rank_sets([good, good, bad]) == [(1, 2), (1, 2), (3, 3)]


def test_perfect_models_tie_and_one_that_fails_throughout_is_told_apart() -> None:
    perfect, hopeless = model(np.ones(30)), model(np.zeros(30))
    assert rank_sets([perfect, perfect, hopeless]) == [(1, 2), (1, 2), (3, 3)]
    nearly = model(np.array([1] * 29 + [0]))
    assert rank_sets([perfect, nearly]) == [(1, 2), (1, 2)]


def test_one_model_or_none_needs_no_comparison() -> None:
    assert rank_sets([model(np.ones(30))]) == [(1, 1)]
    assert rank_sets([]) == []


def test_ranks_are_the_same_each_time_and_in_any_unit() -> None:
    models = drawn([0.5, 0.55, 0.6, 0.7], 400, 6)
    percent = [
        Influence(100 * m.value, m.n, 100.0, m.clusters, 100 * m.parts, m.freedom) for m in models
    ]
    assert rank_sets(models) == rank_sets(models) == rank_sets(percent)


def test_pairs_on_the_same_items_are_told_apart_where_two_samples_would_not_be() -> None:
    """40 of 1,000 answers broken: a difference of 4 points, 1.3 to 9 where runs are unpaired."""
    right = np.random.default_rng(7).random(1_000) < 0.6
    broken = right.copy()
    broken[np.flatnonzero(right)[:40]] = False
    assert rank_sets([model(right), model(broken)]) == [(1, 1), (2, 2)]


@pytest.mark.parametrize("other", [np.ones(31), np.ones(30)])
def test_models_on_different_items_are_refused(other: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"different items .* 0 clusters in common"):
        rank_sets([model(np.ones(30)), model(other, "other")])


def test_with_ties_every_true_rank_is_left_open_in_19_of_20_boards() -> None:
    """Six equal models on 3 parallel languages, 200 boards: 95% +- 3.1%."""
    covered = 0
    for seed in range(200):
        covered += rank_sets(drawn([0.6] * 6, 100, seed, languages=3)) == [(1, 6)] * 6
    assert 0.91 <= covered / 200 <= 0.99


def test_a_set_holds_the_rank_of_the_value() -> None:
    models = drawn(np.linspace(0.3, 0.9, 12).tolist(), 300, 8)
    found = rank_sets(models)
    for model_, (low, high) in zip(models, found, strict=True):
        assert low <= 1 + sum(each.value > model_.value for each in models) <= high
    assert found[0][1] == 12
    assert found[-1][0] == 1
    assert any(low < high for low, high in found)


@pytest.mark.slow
def test_three_hundred_models_take_a_second() -> None:
    models = drawn(np.linspace(0.3, 0.9, 300).tolist(), 500, 9)
    start = time.perf_counter()
    rank_sets(models)
    assert time.perf_counter() - start < 3
