"""What the fuzzers in tests/reliability/fuzz found, each as its smallest file, and its like."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.finished_run import finished
from tests.test_lmms_eval import STAMP, log, ocr, reading, say
from tests.test_replay import record, replayed
from towereval.bridges.lmms_eval import import_logs
from towereval.bridges.logged import compare
from towereval.errors import DataError, StoreError
from towereval.plan import SAMPLES
from towereval.results import read_run
from towereval.run import run


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"value": 10**400}, "value must be a number or null"),  # an integer that no float holds
        ({"value": 1e308, "ci_low": 1e308, "ci_high": 1e308}, "value must be a number or null"),
        ({"n_unscored": 2**64}, "n_unscored must be a count"),  # nor any array
    ],
)
def test_numbers_without_measure_are_no_results(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    folder = finished(tmp_path, "m", "r1")
    content = json.loads((folder / "results.json").read_text())
    content["results"][0] |= change
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match=f"row 1: {told}"):
        read_run(folder)


@pytest.mark.parametrize("name", ["results.json", "manifest.json"])
def test_a_tower_of_brackets_is_no_run(tmp_path: Path, name: str) -> None:
    folder = finished(tmp_path, "m", "r1")
    (folder / name).write_text("[" * 100_000)
    with pytest.raises(StoreError, match=f"{name} cannot be read: maximum recursion"):
        read_run(folder)


def test_a_tower_of_brackets_is_no_log(tmp_path: Path) -> None:
    file = log(tmp_path / "logs", "ocrbench", "[" * 100_000)
    with pytest.raises(DataError, match=":1: torn or not a sample log: RecursionError"):
        import_logs(tmp_path / "logs", model="theirs", output=tmp_path / "results")
    (file.parent / f"{STAMP}_results.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"results.json cannot be read: maximum recursion"):
        import_logs(tmp_path / "logs", model="theirs", output=tmp_path / "results")


def changed(line: str, change: dict[str, Any]) -> str:
    return json.dumps({**json.loads(line), **change})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"doc_id": float("inf")}, r":1: torn or not a sample log: OverflowError"),
        (
            {"doc": {**json.loads(ocr(0, "x"))["doc"], "question_type": None}},
            r"row 0: sample '0': wanted a text, found NoneType",
        ),
    ],
)
def test_a_log_with_an_odd_row_is_refused_by_its_number(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    log(tmp_path / "logs", "ocrbench", changed(ocr(0, "HALT"), change))
    with pytest.raises(DataError, match=told):
        import_logs(tmp_path / "logs", model="theirs", output=tmp_path / "results")


def test_a_log_without_the_pictures_name_is_refused(tmp_path: Path) -> None:
    row = changed(reading(0, "rue du port", "rue du port"), {"ocr_results": True})
    log(tmp_path / "logs", "cc-ocr-multi-lan-fr", row)
    with pytest.raises(DataError, match=r"row 0: .*wanted a text, found NoneType"):
        import_logs(tmp_path / "logs", model="theirs", output=tmp_path / "results")


def test_what_their_results_say_is_a_table_of_numbers(tmp_path: Path) -> None:
    file = log(tmp_path / "logs", "ocrbench", ocr(0, "HALT"))
    say(file, 1, results={"ocrbench": {"ocrbench_accuracy,none": 10**400, "other,none": 1.0}})
    found = import_logs(tmp_path / "logs", model="theirs", output=tmp_path / "results")
    [row] = compare(found.outcome.folder, found.logs, found.outcome.results)
    assert row.metric == "other"
    say(file, 1, results=True)
    with pytest.raises(DataError, match="not what lmms-eval writes: TypeError: results is a bool"):
        import_logs(tmp_path / "logs", model="theirs", output=tmp_path / "results")


@pytest.mark.parametrize(
    ("column", "told"),
    [
        ("question", "row 2 of test, counted from 0: column question: wanted a text, found int"),
        ("question_type", "row 2 of test, counted from 0: sample '2': wanted a text, found int"),
    ],
)
def test_a_value_of_the_wrong_type_is_named_by_its_row(
    tmp_path: Path, column: str, told: str
) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "ocrbench", data)
    [file] = data.rglob("*.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[2][column] = 7
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = replayed(record(tmp_path / "recorded", []), tmp_path / "results", ["ocrbench"])
    with pytest.raises(DataError, match=f"ocrbench: {told}"):
        run(replace(plan, split="full", data={"ocrbench": data}))
