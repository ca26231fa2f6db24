"""Small, seeded versions of the simulations in benchmarks/, which show the promises in full."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from towereval.compare import MEAN, Report

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def gate(benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The gate's simulation with 3 tasks x 4 languages instead of 12."""
    module, suite = benchmark("gate"), benchmark("made_up").Suite
    small = (
        suite("textvqa", 4, 100, parallel=True),
        suite("ocrbench", 4, 120),
        suite("commute", 4, 90, questions=3),
    )
    monkeypatch.setattr(module, "SUITES", small)
    return module


def judged(gate: ModuleType, plant: Any, count: int, discordance: float = 0.10) -> list[Report]:
    return [
        gate.gate(discordance, plant, 500, np.random.default_rng([5, index]))
        for index in range(count)
    ]


def test_equally_good_runs_are_rarely_accused(gate: ModuleType) -> None:
    """120 gates of 15 hypotheses: more than 15 alarms happen once in 1,000 times at 5%."""
    alarms = sum(each.verdict == "regression" for each in judged(gate, gate.nothing, 120))
    assert 1 <= alarms <= 15


def test_a_drop_everywhere_is_found_through_the_means(gate: ModuleType) -> None:
    reports = judged(gate, gate.everywhere, 15, discordance=0.02)
    assert sum(each.verdict == "regression" for each in reports) >= 12
    worse = [one for each in reports for one in each.comparisons if one.verdict == "regression"]
    assert sum(one.language == MEAN for one in worse) > len(worse) / 2


def test_a_drop_in_one_cell_is_laid_to_that_cell(gate: ModuleType) -> None:
    reports = judged(gate, gate.one_cell, 15, discordance=0.02)
    assert sum(each.verdict == "regression" for each in reports) >= 12
    accused = {
        (one.task, one.language)
        for each in reports
        for one in each.comparisons
        if one.verdict == "regression"
    }
    assert ("ocrbench", "l00") in accused
    assert len(accused - {("ocrbench", "l00"), ("ocrbench", MEAN)}) <= 1


def test_three_points_of_a_thousand_items_are_found_as_promised(benchmark: Any) -> None:
    """Exact power of McNemar's test at 5%: 90% where 10% of the items differ; 60 runs, +- 12%."""
    power = benchmark("power")
    assert power.exact_power(0.10) == pytest.approx(0.902, abs=0.002)
    assert power.exact_power(0.25) == pytest.approx(0.575, abs=0.002)
    found = sum(
        power.seen(power.one_cell(0.10, np.random.default_rng([6, index])))[1]
        for index in range(60)
    )
    assert 0.78 <= found / 60 <= 1


@pytest.mark.parametrize("n", [30, 50, 76])
def test_one_language_is_covered_as_zeros_and_ones_allow(benchmark: Any, n: int) -> None:
    exact = benchmark("interval_coverage").exact_coverage
    assert all(0.92 <= exact(n, p) <= 0.98 for p in (0.5, 0.7, 0.8, 0.9, 0.95, 0.98))


@pytest.mark.parametrize("place", [0, 2, 6])
def test_differences_hold_the_truth(benchmark: Any, place: int) -> None:
    """200 repetitions of a layout: at least 93%, less three standard errors."""
    module = benchmark("paired_coverage")
    layout, inside = module.LAYOUTS[place], 0
    for index in range(200):
        last = list(module.differences_of(layout, np.random.default_rng([7, index])).values())[-1]
        inside += last.low <= layout.truth <= last.high
    assert inside / 200 >= 0.88
