"""What is not comparable shares no line, and the same runs give the same board."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.finished_run import finished
from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed, right
from towereval.errors import StoreError, UsageError
from towereval.leaderboard.build import Board, build, origin
from towereval.leaderboard.publish import Publication, publish_board
from towereval.run import run


def cells(board: Board) -> list[dict[str, float | None]]:
    """The values of each line, by model."""
    return [{model: row.value for model, row in found.items()} for found in board.rows.values()]


# --- what shares a line ---


def test_two_models_of_one_protocol_share_a_line(tmp_path: Path) -> None:
    finished(tmp_path, "b", "r1", {"value": 0.1, "n": 7, "n_failed": 3, "note": "wilson"})
    finished(tmp_path, "a", "r2", {"value": 0.2, "ci_low": None, "ci_high": None})
    board = build(tmp_path)
    assert board.models == ("a", "b")
    assert cells(board) == [{"b": 0.1, "a": 0.2}]
    assert board.notices == ()


@pytest.mark.parametrize(
    "change",
    [
        {"task": "textvqa"},
        {"variant": "towervision"},
        {"task_version": 2},
        {"split": "sample"},
        {"language": "de"},
        {"group": "Road Signs"},
        {"metric": "anls"},
        {"signature": "accuracy|version:2"},
        {"languages": ("de", "en")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_differs_in_protocol_shares_no_line(tmp_path: Path, change: dict[str, Any]) -> None:
    finished(tmp_path, "a", "r1", {"value": 0.1})
    finished(tmp_path, "b", "r2", {"value": 0.2, **change})
    board = build(tmp_path)
    assert sorted(cells(board), key=str) == [{"a": 0.1}, {"b": 0.2}]
    # Nor does one model's older protocol give way to the newer.
    finished(tmp_path, "a", "r3", {"value": 0.3, **change}, created="2026-02-01T00:00:00+00:00")
    board = build(tmp_path)
    assert sorted(cells(board), key=str) == [{"a": 0.1}, {"b": 0.2, "a": 0.3}]
    assert board.notices == ()


def test_means_over_different_languages_share_no_line(tmp_path: Path) -> None:
    mean = {"language": "*", "languages": ("cs", "de")}
    finished(tmp_path, "a", "r1", mean)
    finished(tmp_path, "b", "r2", {**mean, "languages": ("cs", "de", "fr")})
    assert len(build(tmp_path).rows) == 2


# --- which run speaks ---


@pytest.mark.parametrize("newer", ["r1", "r2"])
def test_the_newest_run_speaks_and_the_older_is_named(tmp_path: Path, newer: str) -> None:
    for run_id in ("r1", "r2"):
        created = f"2026-01-0{2 if run_id == newer else 1}T00:00:00+00:00"
        value = 0.9 if run_id == newer else 0.1
        finished(tmp_path, "a", run_id, {"value": value}, {"group": "x"}, created=created)
    board = build(tmp_path)
    assert cells(board) == [{"a": 0.9}, {"a": 0.5}]
    older = {"r1": "r2", "r2": "r1"}[newer]
    assert board.notices == (f"a: {newer} replaces {older}",)


def test_scoring_an_old_run_again_does_not_make_it_the_newest(tmp_path: Path) -> None:
    may, june, july = (f"2026-0{month}-01T00:00:00+00:00" for month in (5, 6, 7))
    finished(tmp_path, "a", "r1", {"value": 0.1}, started=may, created=july)
    finished(tmp_path, "a", "r2", {"value": 0.9}, started=june, created=june)
    board = build(tmp_path)
    assert cells(board) == [{"a": 0.9}]
    assert board.notices == ("a: r2 replaces r1",)


def test_times_are_compared_across_offsets(tmp_path: Path) -> None:
    finished(tmp_path, "a", "r1", {"value": 0.1}, started="2026-05-01T10:00:00+00:00")
    finished(tmp_path, "a", "r2", {"value": 0.9}, started="2026-05-01T11:00:00+02:00")
    assert cells(build(tmp_path)) == [{"a": 0.1}]


def test_a_run_without_a_number_does_not_replace_one(tmp_path: Path) -> None:
    finished(tmp_path, "a", "r1", {"value": 0.1})
    finished(
        *(tmp_path, "a", "r2", {"value": None, "n": 0, "note": "unscored: no judge"}),
        created="2026-02-01T00:00:00+00:00",
    )
    board = build(tmp_path)
    assert cells(board) == [{"a": 0.1}]
    assert board.notices == (
        "a: r2 has no accuracy of ocrbench (unscored: no judge): r1's is kept",
    )


@pytest.mark.parametrize(
    ("engine", "told"),
    [("vllm", "measured"), ("replay", "replayed"), ("lmms-eval logs", "imported")],
)
def test_a_run_that_did_not_ask_its_model_is_marked(tmp_path: Path, engine: str, told: str) -> None:
    finished(tmp_path, "a", "r1", engine=engine)
    assert [origin(run) for run in build(tmp_path).runs.values()] == [told]


def test_a_newer_run_of_other_languages_leaves_the_rest(tmp_path: Path) -> None:
    both = ({"language": "de", "value": 0.1}, {"language": "en", "value": 0.2})
    finished(tmp_path, "a", "r1", *both)
    finished(
        *(tmp_path, "a", "r2", {"language": "de", "value": 0.3}),
        created="2026-01-02T00:00:00+00:00",
    )
    assert cells(build(tmp_path)) == [{"a": 0.3}, {"a": 0.2}]


def test_a_run_that_was_cut_short_is_left_out_and_named(tmp_path: Path) -> None:
    finished(tmp_path, "a", "r1", {"value": 0.1})
    cut = finished(
        *(tmp_path, "a", "r2", {"value": 0.9}), limit=10, created="2026-02-01T00:00:00+00:00"
    )
    board = build(tmp_path)
    assert cells(board) == [{"a": 0.1}]
    assert board.notices == (f"{cut} is left out: it was cut to 10 samples a language",)
    shutil.rmtree(tmp_path / "a" / "r1")
    with pytest.raises(UsageError, match="no finished run"):
        build(tmp_path)


def test_a_run_without_results_is_no_run_yet(tmp_path: Path) -> None:
    (finished(tmp_path, "a", "r1") / "results.json").unlink()
    with pytest.raises(UsageError, match="no finished run; start with towereval run"):
        build(tmp_path)
    with pytest.raises(UsageError, match="nowhere: no finished run"):
        build(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("results.json", '{"schema": 1', "results.json cannot be read"),
        ("results.json", '{"schema": 2}', "schema 2, this towereval reads 1"),
        ("results.json", "{}", "schema None"),
        ("manifest.json", "{", "manifest.json cannot be read"),
        ("manifest.json", None, "is not a run: it has no manifest.json"),
    ],
)
def test_a_torn_run_is_named(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    finished(tmp_path, "a", "r1")
    file = finished(tmp_path, "b", "r2") / name
    file.unlink()
    if content is not None:
        file.write_text(content)
    with pytest.raises(StoreError, match=message) as error:
        build(tmp_path)
    assert "b/r2" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ci_low": 0.55}, r"row 1: the value 0\.5 is not within 0\.55 to 0\.6"),
        ({"ci_high": None}, "half an interval"),
        ({"value": None}, "an interval without a value"),
        ({"n": 0}, r"a value of 0\.5 from no sample"),
        ({"run_id": "r9"}, "it is of run 'r9'"),
        ({"language": "<b>"}, "'<b>' is no language code"),
        ({"n": "many"}, "n must be a count"),
    ],
)
def test_a_row_that_no_scoring_gives_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    file = finished(tmp_path, "a", "r1") / "results.json"
    content = json.loads(file.read_text())
    content["results"][0] |= changes
    file.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=message):
        build(tmp_path)


@pytest.mark.parametrize("name", ["model", "run_id"])
def test_results_that_were_put_into_another_run_are_refused(tmp_path: Path, name: str) -> None:
    file = finished(tmp_path, "a", "r1") / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), name: "b"}))
    with pytest.raises(StoreError, match=f"{name} is .* manifest.json says 'b'"):
        build(tmp_path)


@pytest.mark.parametrize("time", [None, "yesterday", "2026-01-01T00:00:00", 5])
def test_a_run_without_a_time_is_refused(tmp_path: Path, time: object) -> None:
    file = finished(tmp_path, "a", "r1") / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "started": time}))
    with pytest.raises(StoreError, match="no time at which it was started"):
        build(tmp_path)


# --- order ---

MANY = [
    {"task": task, "metric": metric, "language": language, "group": group, "split": split}
    | ({"languages": ("cs", "de")} if language == "*" else {})
    for task in ("commute", "alm_bench")
    for split in ("sample", "full")
    for metric in ("chrf", "bleu")
    for group in ("", "Signs")
    for language in ("zh-Hans", "*", "de")
]
VERSIONS = [{"task_version": 2}, {"signature": "accuracy|version:2"}, {"task_version": 10}]


def test_lines_come_in_one_order_however_they_were_found(tmp_path: Path) -> None:
    orders = []
    for seed in range(3):
        rows = [*MANY, *VERSIONS, {}]
        random.Random(seed).shuffle(rows)
        results = tmp_path / f"{seed}"
        half = len(rows) // 2
        finished(results, f"b{seed}", "r1", *rows[:half])
        finished(results, f"a{seed}", "r2", *rows[half:], created=f"202{seed}-01-01T00:00:00+00:00")
        orders.append(list(build(results).rows))
    assert orders[0] == orders[1] == orders[2]
    assert len(orders[0]) == len(MANY) + len(VERSIONS) + 1
    tasks = [line.task for line in orders[0]]
    assert tasks == sorted(tasks)
    for task in ("alm_bench", "commute"):
        shown = [line for line in orders[0] if line.task == task and not line.group]
        assert [line.language for line in shown] == ["de", "zh-Hans", "*"] * 4


def test_lines_of_one_group_are_the_whole_first(tmp_path: Path) -> None:
    finished(tmp_path, "a", "r1", {"group": "Signs", "value": 0.1}, {"value": 0.2})
    board = build(tmp_path)
    assert [found["a"].value for _, found in board.lines()] == [0.2]
    assert [found["a"].value for _, found in board.lines("Signs")] == [0.1]


# --- the file ---


def test_a_board_is_not_read_as_a_run(tmp_path: Path) -> None:
    finished(tmp_path, "a", "r1")
    publish_board(build(tmp_path), tmp_path, lambda _: None, Publication())
    assert (tmp_path / "leaderboard.json").is_file()
    assert cells(build(tmp_path)) == [{"a": 0.5}]


def test_runs_become_a_board_by_the_command(tmp_path: Path) -> None:
    tasks = ("multi30k", "ocrbench")
    for model, answer in (("good", {"answer": right}), ("mixed", {})):
        recorded = record(tmp_path / f"recorded-{model}", tasks, **answer)
        run(replayed(recorded, tmp_path / "results", tasks, model=model))
        run(replayed(recorded, tmp_path / "results", tasks, model=model, limit=1))
    done = towereval("leaderboard", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr.count("is left out: it was cut to 1 samples a language") == 2
    header, first, *_ = done.stdout.splitlines()
    assert header.split() == ["task", "metric", "language", "good", "mixed"]
    *line, good, mixed = [word for word in first.split() if not word.startswith("±")]
    assert line == ["multi30k@towervision", "(sample)", "bleu", "cs"]
    assert float(mixed) < float(good) == 100.0
    assert done.stderr.splitlines()[-1] == "leaderboard/index.html"
    content = json.loads((tmp_path / "leaderboard" / "leaderboard.json").read_text())
    assert [model["name"] for model in content["models"]] == ["good", "mixed"]
    assert {run["origin"] for model in content["models"] for run in model["runs"]} == {"replayed"}
    best = [line["value"][0] for line in content["lines"] if line["n"][0]]
    assert len(best) > 8
    assert all(value in (1.0, 100.0) for value in best)
    done = towereval("leaderboard", "--format", "markdown", cwd=tmp_path)
    header, rule, first, *_ = done.stdout.splitlines()
    assert header == "| task | metric | language | good | mixed |"
    assert {line.count("|") for line in (header, rule, first)} == {6}
    assert " to " in first  # the interval


def test_the_command_without_a_finished_run_has_status_2(tmp_path: Path) -> None:
    done = towereval("leaderboard", "results", "--output", "board", cwd=tmp_path)
    assert "results: no finished run; start with towereval run" in error_line(done, 2)
    assert not (tmp_path / "board").exists()
    finished(tmp_path / "results", "a", "r1")
    (tmp_path / "results" / "a" / "r1" / "results.json").write_text("{")
    done = towereval("leaderboard", "results", cwd=tmp_path)
    assert "results.json cannot be read" in error_line(done, 4)


def test_a_board_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    file = finished(tmp_path, "a", "r1") / "results.json"
    with pytest.raises(StoreError, match=r"leaderboard\.json: cannot be written"):
        publish_board(build(tmp_path), file, lambda _: None, Publication())
