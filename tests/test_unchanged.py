"""The same command on a finished run makes nothing again, unless something is not what it was."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.test_replay import record, replayed
from towereval import run as stream
from towereval import unchanged
from towereval.plan import SAMPLES, Plan
from towereval.run import run

TASK = "ocrbench"


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """A run that was made once, of data that one may change."""
    monkeypatch.setattr(unchanged, "TICK_SECONDS", 0.0)
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / TASK, data)
    plan = replayed(record(tmp_path / "recorded", [TASK]), tmp_path / "results", [TASK])
    plan = replace(plan, split="full", data={TASK: data})
    run(plan)
    return plan


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tasks whose data were read since."""
    seen: list[str] = []
    real = stream.samples_of

    def samples_of(*arguments: object) -> object:
        seen.append(TASK)
        return real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(stream, "samples_of", samples_of)
    return seen


def made(plan: Plan) -> Path:
    [folder] = plan.output.glob("*/*")
    return folder


def test_nothing_is_read_and_the_outcome_is_the_same(plan: Plan, read: list[str]) -> None:
    before = {file: file.read_bytes() for file in made(plan).rglob("*") if file.is_file()}
    first, second = run(plan), run(plan)
    assert read == []
    assert first == second
    assert first.results
    assert first.asked == 0
    after = {file: file.read_bytes() for file in made(plan).rglob("*") if file.is_file()}
    assert {file.name for file in before if before[file] != after[file]} <= {".lock"}
    # What a run from the start gives is no other.
    fresh = run(replace(plan, fresh=True))
    assert [replace(row, run_id="") for row in fresh.results] == [
        replace(row, run_id="") for row in first.results
    ]


def picture(plan: Plan) -> None:
    """One byte of a picture, its size and its time of change as before."""
    file = next(plan.data[TASK].rglob("*.png"))
    about = file.stat()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))


def row(plan: Plan) -> None:
    [file] = plan.data[TASK].rglob("*.jsonl")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))


def results(plan: Plan) -> None:
    file = made(plan) / "results.json"
    content = json.loads(file.read_text())
    content["results"][0]["value"] = 0.999
    file.write_text(json.dumps(content))


def table(plan: Plan) -> None:
    (made(plan) / "samples" / f"{TASK}.parquet").unlink()


def another_file(plan: Plan) -> None:
    (plan.data[TASK] / "more.txt").write_text("")


def linked_folder(plan: Plan) -> None:
    (plan.data[TASK] / "elsewhere").symlink_to(plan.data[TASK].parent)


@pytest.mark.parametrize("change", [picture, row, results, table, another_file, linked_folder])
def test_what_changed_is_read_again(
    plan: Plan, read: list[str], change: Callable[[Plan], None]
) -> None:
    change(plan)
    answers = run(plan)
    assert read == [TASK]
    rows = json.loads((made(plan) / "results.json").read_text())["results"]
    assert [one["value"] for one in rows] == [one.value for one in answers.results]
    assert (made(plan) / "samples" / f"{TASK}.parquet").exists()


@pytest.mark.parametrize("what", ["code", "package", "variable"])
def test_other_code_reads_again(
    plan: Plan, read: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    own = tmp_path / "own"
    (own / "tasks").mkdir(parents=True)
    if what == "code":
        (own / "tasks" / "mine.py").write_text("")
        monkeypatch.setenv("TOWEREVAL_PATH", str(own))
    elif what == "variable":
        monkeypatch.setenv("TOWEREVAL_OF_A_PLUGIN", "1")
    else:
        (own / "made-1.0.dist-info").mkdir()
        monkeypatch.syspath_prepend(str(own))
    run(plan)
    assert read == [TASK]


@pytest.mark.parametrize(
    "more", [{"locked": True}, {"predict_only": True}, {"verify_determinism": 1}, {"seed": 1}]
)
def test_what_more_is_asked_for_is_done(
    plan: Plan, read: list[str], more: dict[str, object]
) -> None:
    run(replace(plan, **more))  # type: ignore[arg-type]
    assert read == [TASK]


def test_files_that_are_just_written_are_read_again(
    plan: Plan, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unchanged, "TICK_SECONDS", 3600.0)
    run(plan)
    assert read == [TASK]
