"""Flips give the p-values of the exact tests they stand for, alone and for many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.stats as st

from towereval.flips import (
    Cell,
    benjamini_hochberg,
    critical,
    distances,
    exact_spread,
    flipped,
    share_as_far,
    stepdown,
)
from towereval.metrics.translation import Bleu, Chrf
from towereval.types import Metric, Response, Sample


@dataclass(frozen=True)
class Made:
    mean: bool = True
    scale: float = 1.0
    name: str = "made"
    signature: str = "made"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        raise AssertionError("statistics are made here, not taken from samples")

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count if self.mean else total[0] / total[1]


def cell(base: Any, candidate: Any, clusters: Any = None, metric: Metric | None = None) -> Cell:
    rows = [np.asarray(each, float).reshape(len(each), -1) for each in (base, candidate)]
    codes = np.arange(len(rows[0])) if clusters is None else np.asarray(clusters)
    return Cell(metric or Made(), *rows, codes)


def judged(cells: Sequence[Cell], flips: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Distances of the observed differences and of the flipped ones."""
    drawn = flipped(cells, flips=flips, seed=1)
    observed = [corpus(each.candidate_RK, each) - corpus(each.base_RK, each) for each in cells]
    return distances(np.array(observed), drawn, np.array([exact_spread([each]) for each in cells]))


def corpus(rows: np.ndarray, each: Cell) -> float:
    return each.metric.corpus(rows.sum(0).tolist(), len(rows))


def wins_and_losses(wins: int, losses: int, n: int = 100) -> tuple[np.ndarray, np.ndarray]:
    base, candidate = np.ones(n), np.ones(n)
    base[:wins], candidate[wins : wins + losses] = 0, 0
    return base, candidate


# --- one difference -------------------------------------------------------------------------------


@pytest.mark.parametrize(("wins", "losses"), [(2, 10), (0, 5), (9, 9), (30, 14)])
def test_without_clusters_it_is_mcnemars_exact_test(wins: int, losses: int) -> None:
    distance, drawn = judged([cell(*wins_and_losses(wins, losses))])
    p = st.binomtest(losses, wins + losses, 0.5, alternative="greater").pvalue
    assert stepdown(distance, drawn)[0] == pytest.approx(p, abs=0.012)
    both = st.binomtest(losses, wins + losses, 0.5).pvalue
    assert share_as_far(distance, drawn)[0] == pytest.approx(both, abs=0.012)


def test_a_cluster_is_flipped_as_one() -> None:
    """Four pictures with three questions each, all lost: 1 of 16 flips is as bad, not 1 of 4096."""
    base, candidate = wins_and_losses(0, 12)
    distance, drawn = judged([cell(base, candidate, np.arange(100) // 3)])
    assert stepdown(distance, drawn)[0] == pytest.approx(1 / 16, abs=0.006)


def test_clusters_that_cancel_out_have_no_say() -> None:
    base, candidate = [1, 0, 1, 0, 1, 1], [0, 1, 0, 1, 0, 0]
    distance, drawn = judged([cell(base, candidate, [0, 0, 1, 1, 2, 3])])
    assert stepdown(distance, drawn)[0] == pytest.approx(1 / 4, abs=0.01)


def test_graded_scores_are_exact_too() -> None:
    rng = np.random.default_rng(2)
    base, candidate = rng.random((2, 12)) * [[1.0], [0.8]]
    signs = 1 - 2 * (np.arange(4096)[:, None] >> np.arange(12) & 1)
    change = candidate - base
    exact = np.mean(signs @ change <= change.sum() + 1e-12)
    distance, drawn = judged([cell(base, candidate)])
    assert stepdown(distance, drawn)[0] == pytest.approx(exact, abs=0.012)


def test_equal_runs_are_as_far_apart_as_all_flips() -> None:
    distance, drawn = judged([cell(np.ones(9), np.ones(9))])
    assert distance.tolist() == [0.0]
    assert share_as_far(distance, drawn).tolist() == stepdown(distance, drawn).tolist() == [1.0]


@pytest.mark.parametrize("metric", [Bleu(), Chrf()])
def test_a_corpus_metric_has_sacrebleus_approximate_randomisation(metric: Metric) -> None:
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF
    from sacrebleu.significance import PairedTest

    rng = np.random.default_rng(3)
    references = [" ".join(rng.choice(list("abcdefghij"), 12)) for _ in range(60)]
    systems = [[noisy(text, share, rng) for text in references] for share in (0.30, 0.36)]
    rows = [
        [
            metric.sample(Sample("1", "de", (), (reference,)), [Response("", text)])
            for text, reference in zip(texts, references, strict=True)
        ]
        for texts in systems
    ]
    distance, drawn = judged([cell(*rows, metric=metric)], 10_000)
    official = {"bleu": BLEU(), "chrf": CHRF()}
    named = [("base", systems[0]), ("candidate", systems[1])]
    test = PairedTest(named, official, [references], "ar", n_samples=10_000)
    (_, found) = test()[1]["BLEU" if metric.name == "bleu" else "chrF2"]
    assert 0.001 < found.p_value < 0.9
    assert share_as_far(distance, drawn)[0] == pytest.approx(found.p_value, abs=0.015)


def noisy(text: str, share: float, rng: np.random.Generator) -> str:
    return " ".join("z" if rng.random() < share else word for word in text.split())


# --- many at once ---------------------------------------------------------------------------------


def test_languages_with_common_items_flip_together_and_others_do_not() -> None:
    base, candidate = wins_and_losses(20, 20)
    own = np.arange(100) + 1_000
    drawn = flipped([cell(base, candidate)] * 2 + [cell(base, candidate, own)], flips=5_000)
    assert (drawn[:, 0] == drawn[:, 1]).all()
    assert abs(np.corrcoef(drawn[:, 0], drawn[:, 2])[0, 1]) < 0.06


def test_items_that_only_some_languages_share_flip_together_there() -> None:
    base, candidate = wins_and_losses(20, 20)
    half = np.where(np.arange(100) % 2, np.arange(100), np.arange(100) + 1_000)
    drawn = flipped([cell(base, candidate), cell(base, candidate, half)], flips=5_000)
    assert np.corrcoef(drawn[:, 0], drawn[:, 1])[0, 1] == pytest.approx(0.5, abs=0.04)


def test_stepdown_is_the_definition() -> None:
    rng = np.random.default_rng(4)
    distance, drawn = rng.normal(1, 1, 6), rng.normal(size=(500, 6))
    order = np.argsort(-distance)
    least = 0.0
    for place, h in enumerate(order):
        rest = drawn[:, order[place:]].max(1)
        least = max(least, (1 + np.sum(rest >= distance[h])) / 501)
        assert stepdown(distance, drawn)[h] == pytest.approx(least)


def test_a_drop_that_counts_reaches_the_critical_distance() -> None:
    rng = np.random.default_rng(5)
    drawn = rng.normal(size=(20_000, 40))
    assert critical(drawn[:, :1], 0.05) == pytest.approx(st.norm.ppf(0.95), abs=0.05)
    assert critical(drawn, 0.05) == pytest.approx(st.norm.ppf(0.95 ** (1 / 40)), abs=0.05)


def test_equal_cells_are_corrected_as_one() -> None:
    base, candidate = wins_and_losses(3, 14)
    alone = stepdown(*judged([cell(base, candidate)]))
    together = stepdown(*judged([cell(base, candidate)] * 30))
    assert together == pytest.approx(np.full(30, alone[0]), abs=0.004)


def test_more_clusters_than_are_held_at_a_time_are_flipped_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    base, candidate = wins_and_losses(3, 14)
    counted = stepdown(*judged([cell(base, candidate)]))
    twice = [cell(base, candidate)] * 2
    whole = stepdown(*judged(twice))
    monkeypatch.setattr("towereval.flips.MOST_BITS", 1_000)
    in_turn = stepdown(*judged(twice))
    assert [whole[0], in_turn[0]] == pytest.approx([counted[0]] * 2, abs=0.006)


def test_the_same_seed_gives_the_same_flips() -> None:
    cells = [cell(*wins_and_losses(9, 4))]
    assert (flipped(cells, flips=50, seed=3) == flipped(cells, flips=50, seed=3)).all()
    assert (flipped(cells, flips=50, seed=3) != flipped(cells, flips=50, seed=4)).any()


@pytest.mark.parametrize(
    "draw", [lambda rng: rng.random(30), lambda rng: rng.integers(1, 4, 9) / 9]
)
def test_benjamini_hochberg_is_scipys(draw: Callable[[np.random.Generator], np.ndarray]) -> None:
    p = draw(np.random.default_rng(6))
    assert benjamini_hochberg(p) == pytest.approx(st.false_discovery_control(p))
