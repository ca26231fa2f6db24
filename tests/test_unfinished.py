"""A run that was broken off, or that fails when it is run again, says so and spoils nothing."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed
from towereval.engines import replay
from towereval.errors import DataError, EngineError, TowerevalError
from towereval.grading import Scoring
from towereval.leaderboard.build import build
from towereval.metrics.translation import Chrf
from towereval.plan import SAMPLES
from towereval.results import read_run
from towereval.run import rescore, run
from towereval.types import Request, Response


class Breaking(replay.ReplayEngine):
    """Gives ten answers and can go on no more."""

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        for count, response in enumerate(super().run(requests), start=1):
            yield response
            if count == 10:
                raise EngineError("no memory is left")


class Unstarted(replay.ReplayEngine):
    def __init__(self, folder: Path) -> None:
        raise EngineError("the server is down")


def test_scoring_an_unfinished_run_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    whole = run(replayed(recorded, tmp_path / "results", ["multi30k"]))
    with monkeypatch.context() as patched:
        patched.setattr(replay, "ReplayEngine", Breaking)
        broken = replayed(recorded, tmp_path / "results", ["multi30k"], fresh=True)
        with pytest.raises(EngineError):
            run(broken)
    [folder] = [path for path in whole.folder.parent.iterdir() if path != whole.folder]
    part = rescore(folder)
    assert part.failures == (("not asked yet", 14),)
    assert read_run(folder).unasked == 14
    done = towereval("score", str(folder), cwd=tmp_path)
    assert done.returncode == 4
    assert "failed 14x: not asked yet" in done.stderr
    # The finished run speaks on the board, though it was asked first.
    board = build(tmp_path / "results")
    assert any("14 requests were not asked yet" in notice for notice in board.notices)
    finished = run(replayed(recorded, tmp_path / "results", ["multi30k"], fresh=False))
    assert not finished.failures
    assert read_run(finished.folder).unasked == 0


def test_scores_that_are_not_made_again_keep_their_signature(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    outcome = run(replayed(recorded, tmp_path / "results", ["multi30k"]))
    before = {row.metric: row.signature for row in outcome.results}
    monkeypatch.setattr(Chrf, "signature", property(lambda self: "chrf|another rule"))
    again = rescore(outcome.folder, Scoring(("bleu",)))
    assert {row.metric: row.signature for row in again.results} == before
    again = rescore(outcome.folder, Scoring(("chrf",)))
    after = {row.metric: row.signature for row in again.results}
    assert after == {**before, "chrf": "chrf|another rule"}


def test_a_run_again_that_fails_on_the_data_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "multi30k", data)
    recorded = record(tmp_path / "recorded", ["multi30k"])
    plan = replayed(
        recorded, tmp_path / "results", ["multi30k"], split="full", data={"multi30k": data}
    )
    folder = run(plan).folder
    before = contents(folder)
    [file] = data.rglob("*.jsonl")
    whole = file.read_text()
    file.write_text(whole[:-20])
    with pytest.raises(DataError):
        run(plan)
    assert contents(folder) == before
    file.write_text(whole)
    assert run(plan).asked == 0


def test_a_run_again_whose_engine_fails_keeps_its_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    plan = replayed(recorded, tmp_path / "results", ["multi30k"], verify_determinism=20)
    folder = run(plan).folder
    before = list(read_run(folder).rows)
    monkeypatch.setattr(replay, "ReplayEngine", Unstarted)
    with pytest.raises(TowerevalError):
        run(plan)
    assert list(read_run(folder).rows) == before
    assert rescore(folder).failures == ()


def test_failed_requests_that_cannot_be_asked_again_cost_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    with sqlite3.connect(recorded / "run.sqlite") as database:
        some = "SELECT question FROM responses LIMIT 2"
        database.execute(f"UPDATE responses SET error = 'lost' WHERE question IN ({some})")
    plan = replayed(recorded, tmp_path / "results", ["multi30k"])
    folder = run(plan).folder
    before = read_run(folder).rows
    monkeypatch.setattr(replay, "ReplayEngine", Unstarted)
    with pytest.raises(EngineError, match="the server is down"):
        run(plan)
    assert read_run(folder).rows == before
    assert sum(row.n_failed for row in before if row.metric == "bleu" and row.language != "*") == 2


def test_results_of_other_data_go_with_what_was_drawn_from_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "multi30k", data)
    recorded = record(tmp_path / "recorded", ["multi30k"])
    words = ["run", "--model", "made", "--tasks", "multi30k", "--data", f"multi30k={data}"]
    words += ["--engine", "replay", "--engine-args", f"run={recorded}"]
    assert towereval(*words, cwd=tmp_path).returncode == 0
    [folder] = (tmp_path / "results" / "made").iterdir()
    assert (folder / "report.html").exists()
    [file] = data.rglob("*.jsonl")
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert towereval(*words, "--predict-only", cwd=tmp_path).returncode == 0
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left & {"results.json", "report.html", "multi30k.parquet"} == set()


def test_a_number_of_repetitions_is_not_negative(tmp_path: Path) -> None:
    words = ("run", "--model", "tiny", "--tasks", "multi30k", "--verify-determinism", "-1")
    assert "--verify-determinism is a number of requests" in error_line(
        towereval(*words, cwd=tmp_path), 2
    )


def contents(folder: Path) -> dict[str, object]:
    with sqlite3.connect(folder / "run.sqlite") as database:
        tables = ("samples", "requests", "responses", "scores")
        rows = {name: database.execute(f"SELECT * FROM {name}").fetchall() for name in tables}
    names = ("manifest.json", "results.json")
    return {**rows, **{name: json.loads((folder / name).read_text()) for name in names}}
