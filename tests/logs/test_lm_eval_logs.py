"""Logs of lm-evaluation-harness become runs: its scores by document, and nothing that is guessed.

The logs in made/short and made/long were written by lm-eval 0.4.13 (make_lm_eval.py).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.logs.test_inspect_logs import MADE, taken, values
from towereval.bridges.logged_languages import find_rule
from towereval.bridges.logged_runs import Taken
from towereval.compare import compare
from towereval.errors import DataError
from towereval.measured import read
from towereval.store import Store


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Taken, Taken]:
    folder = tmp_path_factory.mktemp("lm_eval")
    short, long = (taken(MADE / name, folder, model=name) for name in ("short", "long"))
    return short, long


def test_scores_are_those_of_the_log(both: tuple[Taken, Taken]) -> None:
    found = {(row.task, row.metric): row for row in both[0].outcome.results}
    assert {key: (row.value, row.n, row.language) for key, row in found.items()} == {
        ("lm-eval:weeks_de", "acc"): (0.2, 5, "de"),
        ("lm-eval:weeks_de", "acc_norm"): (0.8, 5, "de"),
        ("lm-eval:weeks_open", "exact_match.strict"): (0.2, 5, "de"),
        ("lm-eval:weeks_open", "exact_match.last"): (0.4, 5, "de"),
    }
    signature = "exact_match.last|lm-eval|task:2.0|mean|range:0-1"
    assert found["lm-eval:weeks_open", "exact_match.last"].signature == signature
    assert found["lm-eval:weeks_de", "acc"].variant.startswith("0-shot-")


def test_what_is_not_taken_is_told(both: tuple[Taken, Taken]) -> None:
    why = "no document carries a number of it, its aggregate is of all of them (logged: 0)"
    assert both[0].notices == (
        "lm-eval:weeks_de: languages by the end of the task's name",
        "lm-eval:weeks_open: languages by the task's metadata",
        f"lm-eval:weeks_open: bleu.strict is not taken: {why}",
        f"lm-eval:weeks_open: bleu.last is not taken: {why}",
    )


def test_ranked_options_keep_their_probabilities(both: tuple[Taken, Taken]) -> None:
    with Store(both[0].outcome.folder, reading=True) as store:
        first, *_ = store.scored("lm-eval:weeks_de")
        spoken, *_ = store.scored("lm-eval:weeks_open")
    sample, replies, scores = first
    assert sample.choices == ("drei", "sieben", "neun")
    assert [reply.logprob for reply in replies if reply] == [-5.0, -7.0, -5.0]
    assert scores == {"acc": ((0.0,), ""), "acc_norm": ((1.0,), "")}
    assert [reply.text for reply in spoken[1] if reply] == ["Es sind sieben"]


def test_two_models_logs_are_paired(both: tuple[Taken, Taken]) -> None:
    report = compare(*(read(each.outcome.folder) for each in both))
    found = {(each.task, each.metric): each for each in report.comparisons}
    one = found["lm-eval:weeks_de", "acc"]
    assert (one.base, one.candidate, one.n, one.gated) == (0.2, 0.8, 5, True)
    assert found["lm-eval:weeks_open", "exact_match.last"].delta == 0


def test_other_documents_are_not_paired(both: tuple[Taken, Taken], tmp_path: Path) -> None:
    def other(row: dict[str, Any]) -> None:
        row["doc"]["question"] += " "

    copy(tmp_path / "logs", rows=other)
    found = taken(tmp_path / "logs", tmp_path / "results", model="x")
    ours = [row.data for row in found.outcome.results if row.task == "lm-eval:weeks_de"]
    theirs = [row.data for row in both[0].outcome.results if row.task == "lm-eval:weeks_de"]
    assert ours[0] != theirs[0]


# --- logs that are not whole ---


def copy(
    folder: Path,
    *,
    rows: Callable[[dict[str, Any]], object] = lambda row: None,
    results: Callable[[dict[str, Any]], object] = lambda results: None,
) -> Path:
    """The log of `weeks_de` with its rows and its results changed; the log's file."""
    shutil.copytree(MADE / "short", folder)
    [file] = folder.glob("samples_weeks_de*")
    next(folder.glob("samples_weeks_open*")).unlink()
    content = [json.loads(line) for line in file.read_text().splitlines()]
    for row in content:
        rows(row)
    file.write_text("".join(json.dumps(row) + "\n" for row in content))
    [beside] = folder.glob("results_*")
    told = json.loads(beside.read_text())
    results(told)
    beside.write_text(json.dumps(told))
    return file


ROWS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "not a number": (lambda row: row.update(acc=float("nan")), "acc is nan, no score"),
    "infinite": (lambda row: row.update(acc=float("inf")), "acc is inf, no score"),
    "no id": (lambda row: row.pop("doc_id"), "torn or no sample log: KeyError: 'doc_id'"),
    "no answers": (lambda row: row.pop("filtered_resps"), "KeyError: 'filtered_resps'"),
    "twice": (lambda row: row.update(doc_id=0), "document 0 is logged twice"),
    "no scores": (
        lambda row: [row.pop(name) for name in ("acc", "acc_norm")],
        "nothing of it is scored by document",
    ),
    "other scores": (lambda row: row.update(acc=1, acc_norm=1), "it is no mean of its documents'"),
}
RESULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "more rows": (
        lambda told: told["n-samples"]["weeks_de"].update(effective=9),
        "has 5 of 9 documents: copy it whole",
    ),
    "no count": (lambda told: told.pop("n-samples"), "n-samples has no 'weeks_de'"),
    "no task": (lambda told: told.pop("results"), "results has no 'weeks_de'"),
    "no configuration": (lambda told: told.pop("configs"), "configs has no 'weeks_de'"),
    "no time": (lambda told: told.update(date=1e300), "neither date nor name is a time"),
}


@pytest.mark.parametrize("fault", ROWS)
def test_a_wrong_row_is_told(tmp_path: Path, fault: str) -> None:
    change, message = ROWS[fault]
    file = copy(tmp_path / "logs", rows=change)
    with pytest.raises(DataError) as error:
        taken(tmp_path / "logs", tmp_path / "results")
    assert str(error.value).startswith(str(file))
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("fault", RESULTS)
def test_wrong_results_are_told(tmp_path: Path, fault: str) -> None:
    change, message = RESULTS[fault]
    file = copy(tmp_path / "logs", results=change)
    with pytest.raises(DataError) as error:
        taken(tmp_path / "logs", tmp_path / "results")
    assert message in str(error.value)
    assert str(file.parent) in str(error.value)


@pytest.mark.parametrize("depth", [950, 100_000])
def test_answers_that_are_nested_deep_are_taken_or_told(tmp_path: Path, depth: int) -> None:
    """How deep is too deep is Python's affair; it is never another error."""
    file = copy(tmp_path / "logs", rows=lambda row: row.update(resps="HERE"))
    file.write_text(file.read_text().replace('"HERE"', "[" * depth + "]" * depth))
    if depth > 10_000:
        with pytest.raises(DataError, match="torn or no sample log: RecursionError"):
            taken(tmp_path / "logs", tmp_path / "results", model="x")
    else:
        with contextlib.suppress(DataError):
            taken(tmp_path / "logs", tmp_path / "results", model="x")


def test_a_log_without_its_results_is_told(tmp_path: Path) -> None:
    file = copy(tmp_path / "logs")
    next(file.parent.glob("results_*")).unlink()
    with pytest.raises(DataError, match=r"results_.*\.json is not beside it: copy both"):
        taken(tmp_path / "logs", tmp_path / "results")


def test_logs_of_two_harnesses_are_told(tmp_path: Path) -> None:
    copy(tmp_path / "logs")
    shutil.copy(MADE / "good.eval", tmp_path / "logs")
    with pytest.raises(DataError, match=r"logs of several harnesses: .* name a folder of one"):
        taken(tmp_path / "logs", tmp_path / "results")


def test_where_smaller_is_better_it_is_said(tmp_path: Path) -> None:
    def falling(told: dict[str, Any]) -> None:
        told["higher_is_better"]["weeks_de"]["acc"] = False

    copy(tmp_path / "logs", results=falling)
    found = taken(tmp_path / "logs", tmp_path / "results", model="x")
    rows = {row.metric: row for row in found.outcome.results}
    assert (rows["acc"].better, rows["acc_norm"].better) == ("smaller", "larger")
    assert rows["acc"].signature.endswith("|range:0-1|better:smaller")


def test_a_cut_run_stays_one(tmp_path: Path) -> None:
    copy(tmp_path / "logs", results=lambda told: told["config"].update(limit=5))
    found = taken(tmp_path / "logs", tmp_path / "results", model="x")
    assert "its run was cut to 5 samples" in found.notices[0]
    assert values(found)["acc", "de"][0] == 0.2


@pytest.mark.parametrize(
    ("task", "metadata", "documents", "codes", "by"),
    [
        ("x_de", None, [{}], {"": "de"}, "the end of the task's name"),
        ("x_zh-Hant", None, [{}], {"": "zh-Hant"}, "the end of the task's name"),
        ("x-bench-de", None, [{}], {"": "de"}, "the end of the task's name"),
        ("de", None, [{}], {"": "und"}, "no rule: nothing says them"),
        ("x_hard", None, [{}], {"": "und"}, "no rule: nothing says them"),
        ("x_de", None, [{"lang": "fr"}], {"fr": "fr"}, "the column 'lang'"),
        (
            "x",
            None,
            [{"language": "German"}, {"language": "fr"}],
            {"German": "de", "fr": "fr"},
            "the",
        ),
        ("x", None, [{"language": "German"}, {"language": "Elvish"}], {"": "und"}, "no rule"),
        ("x_de", {"language": "gl"}, [{"lang": "fr"}], {"": "gl"}, "the task's metadata"),
    ],
)
def test_languages_are_known_by_the_first_rule_that_holds(
    task: str, metadata: object, documents: list[dict[str, Any]], codes: dict[str, str], by: str
) -> None:
    rule = find_rule(task, "", metadata, documents)
    assert rule.codes == codes
    assert rule.by.startswith(by)
