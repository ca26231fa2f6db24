"""Averages over equal sets alone, ranks on shared samples, and the file as its schema says."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.finished_run import finished
from tests.test_replay import mixed, record, replayed, right
from towereval import plugins
from towereval.influence import Influence
from towereval.leaderboard.averages import (
    correlations,
    groups,
    over_languages,
    over_tasks,
    selections,
)
from towereval.leaderboard.build import build
from towereval.leaderboard.publish import Publication, publish_board
from towereval.leaderboard.ranking import holm_rank_sets, key, rank
from towereval.leaderboard.table import Measure, Table, tabulate
from towereval.ranks import rank_sets
from towereval.run import run
from towereval.types import Metric, Request, Response, Sample


def line(language: str, value: float, half: float = 0.1, **changes: Any) -> dict[str, Any]:
    limits = {"ci_low": value - half, "ci_high": value + half}
    return {"language": language, "value": value, **limits, **changes}


def table_of(folder: Path) -> Table:
    return tabulate(build(folder))


# --- measures ---


def test_a_task_is_averaged_by_the_protocol_that_most_models_have(tmp_path: Path) -> None:
    finished(tmp_path, "a", "r1", {"variant": "one"}, {"variant": "two"})
    finished(tmp_path, "b", "r1", {"variant": "two"}, {"metric": "bleu", "variant": "two"})
    averaged = {(m.variant, m.metric): m.averaged for m in table_of(tmp_path).measures}
    assert averaged == {
        ("one", "accuracy"): False,
        ("two", "accuracy"): True,
        ("two", "bleu"): False,
    }


def test_a_task_is_averaged_by_its_own_first_metric(tmp_path: Path) -> None:
    """As `towereval compare` gates it, and not by the first name: MMBench's is circular."""
    names = ("circular_accuracy", "accuracy")
    rows = [{"task": "mmbench", "metric": name, **line("en", 0.5)} for name in names]
    finished(tmp_path, "a", "r1", *rows)
    finished(tmp_path, "b", "r1", *rows)
    averaged = {m.metric: m.averaged for m in table_of(tmp_path).measures}
    assert averaged == {"circular_accuracy": True, "accuracy": False}


def test_mmes_sums_are_printed_as_they_are_and_averaged_with_no_share(tmp_path: Path) -> None:
    scores = [{"metric": "perception_score", **line("en", 1500.0)}]
    scores += [{"metric": "accuracy", **line("en", 0.8)}]
    scores += [{"metric": "yes_rate", "better": "neither", **line("en", 0.8)}]
    finished(tmp_path, "a", "r1", *({"task": "mme", **each} for each in scores))
    # Another model has no accuracy: a sum is no stand-in for it.
    finished(tmp_path, "b", "r1", *({"task": "mme", **scores[at]} for at in (0, 2)))
    found = {m.metric: (m.points, m.averaged) for m in table_of(tmp_path).measures}
    assert found == {
        "perception_score": (1.0, False),
        "accuracy": (100.0, True),
        "yes_rate": (100.0, False),
    }


def test_bundled_samples_are_averaged_only_by_themselves(tmp_path: Path) -> None:
    finished(tmp_path, "a", "r1", {"task": "small", "split": "sample"})
    assert [m.averaged for m in table_of(tmp_path).measures] == [True]
    finished(tmp_path, "b", "r1", {"task": "large"})
    assert [(m.task, m.averaged) for m in table_of(tmp_path).measures] == [
        ("large", True),
        ("small", False),
    ]


def test_states_of_the_data_are_measures_of_their_own(tmp_path: Path) -> None:
    for model, old in (("a", False), ("b", False), ("c", True)):
        rows = [line("de", 0.5, data="d1"), line("en", 0.5, data="e0" if old else "e1")]
        mean = line("*", 0.5, languages=("de", "en"), data="d1+e0" if old else "d1+e1")
        finished(tmp_path, model, "r1", *rows, mean)
    table = table_of(tmp_path)
    assert [(m.edition, m.languages) for m in table.measures] == [(1, ("en", "de")), (2, ("en",))]
    average = over_languages(table, correlations(table), 0, ("en", "de"))
    assert average is not None
    assert [math.isnan(value) for value in average.value_K] == [False, False, True]


# --- averages ---


def test_a_mean_over_all_languages_has_the_interval_that_was_reckoned(tmp_path: Path) -> None:
    rows = [line("de", 0.4), line("en", 0.6), line("*", 0.5, 0.08, languages=("de", "en"))]
    finished(tmp_path, "a", "r1", *rows)
    table = table_of(tmp_path)
    average = over_languages(table, correlations(table), 0, ("de", "en"))
    assert average is not None
    assert (average.value_K[0], average.low_K[0]) == pytest.approx((0.5, 0.42))


def test_a_mean_of_two_runs_does_not_take_the_interval_of_one(tmp_path: Path) -> None:
    rows = [line("de", 0.4), line("en", 0.6), line("*", 0.5, 0.08, languages=("de", "en"))]
    finished(tmp_path, "a", "r1", *rows)
    newer = "2026-02-01T00:00:00+00:00"
    finished(tmp_path, "a", "r2", line("de", 0.8), created=newer)
    table = table_of(tmp_path)
    average = over_languages(table, correlations(table), 0, ("de", "en"))
    assert average is not None
    # Without a mean that was reckoned from samples its languages count as independent.
    half = 0.1 / math.sqrt(2)
    assert (average.value_K[0], average.low_K[0]) == pytest.approx((0.7, 0.7 - half))


def test_the_correlation_of_languages_comes_from_the_mean_over_all(tmp_path: Path) -> None:
    """Three languages with errors of 1 that correlate by 0.5: the mean's variance is 2/3."""
    codes = ("de", "en", "fr")
    rows = [line(code, 0.5, 0.06) for code in codes]
    half = 0.06 * math.sqrt(2 / 3)
    finished(tmp_path, "a", "r1", *rows, line("*", 0.5, half, languages=codes))
    table = table_of(tmp_path)
    rho_M = correlations(table)
    assert rho_M == pytest.approx([0.5])
    pair = over_languages(table, rho_M, 0, ("de", "fr"))
    assert pair is not None
    assert pair.high_K[0] - 0.5 == pytest.approx(0.06 * math.sqrt((2 + 2 * 0.5) / 4))


def test_tasks_weigh_alike_and_a_model_without_one_has_no_average(tmp_path: Path) -> None:
    several = [line(code, 0.2, task="x") for code in ("de", "en", "fr")]
    finished(tmp_path, "a", "r1", *several, line("en", 0.8, task="y"))
    finished(tmp_path, "b", "r1", *several)
    table = table_of(tmp_path)
    joint = over_tasks(table, correlations(table), table.languages)
    assert joint is not None
    average, measures = joint
    assert measures == (0, 1)
    assert average.value_K[0] == pytest.approx(0.5)
    assert math.isnan(average.value_K[1])


def test_selections_name_each_set_of_languages_once() -> None:
    found = {each.name: each.languages for each in selections(("en", "de", "it", "ko", "zh"))}
    assert found["all"] == ("en", "de", "it", "ko", "zh")
    assert found["core"] == ("en", "de", "it", "zh")
    assert found["core without English"] == ("de", "it", "zh")
    assert found["T5"] == ("de", "zh")
    assert ("de",) in found.values()
    assert len(set(found.values())) == len(found)


def test_a_plain_code_is_in_the_groups_of_its_varieties() -> None:
    assert groups("zh") == ("core", "tower20", "lrm10", "centurio", "T5")
    assert groups("ko") == ("added", "tower20", "centurio", "T4")
    assert groups("xx") == ()


# --- ranks ---


def test_holms_ranks_are_those_of_max_t_where_models_are_far_apart() -> None:
    value_K, error_K = np.array([0.9, 0.5, 0.502, 0.1]), np.full(4, 0.01)
    names = ("a", "b", "c", "d")
    models = [
        Influence(value, 1_000, 1.0, names, part_C, 1e9)
        for value, part_C in zip(value_K, np.diag(error_K), strict=True)
    ]
    expected = [(1, 1), (2, 3), (2, 3), (4, 4)]
    assert rank_sets(models) == expected
    assert holm_rank_sets(value_K, np.diag(error_K**2), 1_000, 1e9) == expected


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_models_have_ranks(count: int) -> None:
    value_K = np.array([0.9, 0.1])[:count]
    sets = holm_rank_sets(value_K, np.eye(count) * 1e-4, 1_000, 1e9)
    assert sets == [(1, 1), (2, 2)][:count]


def todays_metric(measure: Measure) -> Metric | None:
    task = plugins.load_task(f"{measure.task}@{measure.variant}")
    return next(metric for metric in task.metrics if metric.name == measure.metric)


def test_models_are_ranked_on_the_samples_that_they_share(tmp_path: Path) -> None:
    """The mixed model differs from the good one on a third of the same samples: that is seen."""
    for model, answer in (("good", right), ("mixed", mixed), ("twin", mixed)):
        recorded = record(tmp_path / f"recorded-{model}", ("multi30k",), answer)
        run(replayed(recorded, tmp_path / "results", ("multi30k",), model=model))
    board = build(tmp_path / "results")
    table = tabulate(board)
    ranks = rank(board, table, correlations(table), todays_metric)
    assert ranks.method == "step-down max-T on the samples that models share"
    found = ranks.columns[key((0,), table.measures[0].languages)]
    assert table.models == ("good", "mixed", "twin")
    assert found == ((1, 2, 2), (1, 3, 3))


def test_a_model_that_answered_little_has_no_rank(tmp_path: Path) -> None:
    def few(sample: Sample, request: Request) -> Response:
        answer = right(sample, request)
        return answer if sample.id.endswith("1") else replace(answer, text="", error="lost")

    for model, answer in (("good", right), ("mixed", mixed), ("few", few)):
        recorded = record(tmp_path / f"recorded-{model}", ("multi30k",), answer)
        run(replayed(recorded, tmp_path / "results", ("multi30k",), model=model))
    board = build(tmp_path / "results")
    table = tabulate(board)
    ranks = rank(board, table, correlations(table), todays_metric)
    best, _ = ranks.columns[key((0,), table.measures[0].languages)]
    assert dict(zip(table.models, best, strict=True)) == {"few": 0, "good": 1, "mixed": 2}


# --- the file ---


def test_the_file_is_as_its_schema_says(tmp_path: Path) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    finished(
        tmp_path / "results",
        "org/a",
        "r1",
        line("de", 0.2),
        line("en", 0.4),
        line("en", 0.4, group="Straßen"),
    )
    finished(tmp_path / "results", "b", "r1", line("de", 0.3), line("fr", 0.5, metric="bleu"))
    board = build(tmp_path / "results")
    publish_board(board, tmp_path / "board", lambda _: None, Publication())
    content = json.loads((tmp_path / "board" / "leaderboard.json").read_text(encoding="utf-8"))
    schema = json.loads(
        (resources.files("towereval.leaderboard") / "schema.json").read_text(encoding="utf-8")
    )
    checker = jsonschema.Draft202012Validator(schema)
    checker.validate(content)
    assert [model["name"] for model in content["models"]] == ["b", "org/a"]
    lines = {(each["language"], each["group"]): each for each in content["lines"]}
    assert lines["de", ""]["value"] == [0.3, 0.2]
    assert lines["de", ""]["run"] == ["r1", "r1"]
    assert lines["en", "Straßen"]["value"] == [None, 0.4]
    for fault in ({"schema": 1}, {"models": []}, {"lines": [{}]}, {"more": 1}):
        assert not checker.is_valid({**content, **fault})


def test_equal_runs_give_an_equal_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("towereval.leaderboard.publish._now", lambda: "2026-01-01T00:00:00+00:00")
    finished(tmp_path / "results", "a", "r1", line("de", 0.2), line("en", 0.4))
    for name in ("one", "two"):
        board = build(tmp_path / "results")
        publish_board(board, tmp_path / name, lambda _: None, Publication())
    for file in ("index.html", "leaderboard.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
