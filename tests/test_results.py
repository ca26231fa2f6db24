"""A finished run is read back whole, and what was edited into nonsense is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.finished_run import ROW, finished
from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed
from towereval.errors import StoreError
from towereval.results import read_run
from towereval.run import rescore, run
from towereval.spoken import Kept, Spoken


def test_a_run_is_read_back(tmp_path: Path) -> None:
    folder = finished(tmp_path, "org/m", "r1", {"languages": ("de", "fr")}, {"value": None})
    run = read_run(folder)
    assert (run.model, run.run_id, run.checkpoint) == ("org/m", "r1", "")
    assert [row.value for row in run.rows] == [0.5, None]
    assert run.rows[0].languages == ("de", "fr")
    assert run.rows[0].signature == ROW.signature


def edited(folder: Path, index: int | None = None, **change: Any) -> Path:
    file = folder / "results.json"
    content = json.loads(file.read_text())
    (content if index is None else content["results"][index]).update(change)
    file.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": "0.5"}, "row 2: value must be a number or null, found '0.5'"),
        ({"value": True}, "value must be a number"),
        ({"ci_low": float("nan")}, "ci_low must be a number or null, found nan"),
        ({"n": -1}, "n must be a count, found -1"),
        ({"n": 1.5}, "n must be a count"),
        ({"language": None}, "language must be a text, found None"),
        ({"metric": ""}, "metric must be a text"),
        ({"languages": "de"}, "languages must be a list of codes"),
        ({"bonus": 1}, "bonus is missing or unknown"),
    ],
)
def test_a_hand_edited_row_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    folder = edited(finished(tmp_path, "m", "r1", {}, {}), 1, **change)
    with pytest.raises(StoreError, match=message) as error:
        read_run(folder)
    assert len(str(error.value)) < 200 + len(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "schema 2, this towereval reads 1"),
        ({"model": 3}, "model must be a text, found 3"),
        ({"created": ""}, "created must be a text"),
        ({"results": {}}, "results must be a list of rows"),
        ({"results": [1]}, "row 1: a row is an object, found int"),
        ({"results": [{}]}, "ci_high, .* is missing or unknown"),
    ],
)
def test_a_hand_edited_head_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        read_run(edited(finished(tmp_path, "m", "r1"), **change))


@pytest.mark.parametrize("content", ["[]", "{", "null"])
def test_what_is_no_results_is_named(tmp_path: Path, content: str) -> None:
    folder = finished(tmp_path, "m", "r1")
    (folder / "results.json").write_text(content)
    with pytest.raises(StoreError, match=r"results\.json"):
        read_run(folder)
    (folder / "results.json").unlink()
    with pytest.raises(StoreError, match=r"no results\.json: finish it with towereval run"):
        read_run(folder)


def test_a_limit_is_a_count(tmp_path: Path) -> None:
    folder = finished(tmp_path, "m", "r1", limit=5)
    assert read_run(folder).limit == 5
    manifest = {"schema": 1, "model": "m", "run_id": "r1", "limit": ["5"]}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(StoreError, match=r"limit is .*, no count"):
        _ = read_run(folder).limit


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 0.9}, r"row 2: the value 0\.9 is not within 0\.4 to 0\.6"),
        ({"ci_high": None}, "half an interval"),
        ({"value": None}, "an interval without a value"),
        ({"n": 0}, r"a value of 0\.5 from no sample"),
        ({"run_id": "r9"}, "it is of run 'r9'"),
        ({"language": "<b>"}, "'<b>' is no language code"),
        ({"languages": ["de", "f/r"]}, "'f/r' is no language code"),
    ],
)
def test_a_row_that_no_scoring_gives_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = edited(finished(tmp_path, "m", "r1", {}, {}), 1, **change)
    with pytest.raises(StoreError, match=f"{message}; score it again with towereval score"):
        read_run(folder)


@pytest.mark.parametrize("name", ["model", "run_id"])
def test_results_of_another_run_than_the_manifests_are_named(tmp_path: Path, name: str) -> None:
    folder = edited(finished(tmp_path, "m", "r1"), **{name: "b"})
    with pytest.raises(StoreError, match=f"{name} is 'b', manifest.json says"):
        read_run(folder)


@pytest.mark.parametrize(
    "words",
    [
        ("export", "--format", "csv", "--output", "out"),
        ("plot", "languages", "--output", "out.svg"),
        ("published", "--as", "TowerVision-2B"),
    ],
    ids=lambda words: words[0],
)
def test_no_command_shows_an_edited_run(tmp_path: Path, words: tuple[str, ...]) -> None:
    folder = edited(finished(tmp_path, "m", "r1"), 0, value=0.99)
    done = towereval(*words, folder, cwd=tmp_path)
    assert "the value 0.99 is not within 0.4 to 0.6" in error_line(done, 4)
    assert not list(tmp_path.glob("out*"))


def test_in_which_languages_it_answers_is_read_back(tmp_path: Path) -> None:
    one = Spoken(
        *("xm3600", "centurio", "de", 0.5, None, None, 2, 1),
        *((("en", 1),), {"cider": Kept(0.5, None, None, None, 1)}, ""),
    )
    folder = edited(finished(tmp_path, "m", "r1"), spoken=[one.record()])
    assert read_run(folder).spoken == (one,)
    assert read_run(finished(tmp_path, "m", "r2")).spoken == ()


@pytest.mark.parametrize(
    "change",
    [
        {"wrong": [["en", -1]]},
        {"wrong": [["en"]]},
        {"fidelity": "1"},
        {"n": 1.5},
        {"kept": {"bleu": {}}},
        {"kept": []},
        {"language": None},
    ],
)
def test_what_no_scoring_says_of_languages_is_named(tmp_path: Path, change: Any) -> None:
    raw = {**Spoken("t", "v", "de", 1.0, 0.9, 1.0, 9, 0, (), {}).record(), **change}
    with pytest.raises(StoreError, match="spoken 1: "):
        read_run(edited(finished(tmp_path, "m", "r1"), spoken=[raw]))


def test_an_interval_that_was_edited_by_hand_is_refused(tmp_path: Path) -> None:
    """It would be a plausible one: nothing else tells it from what was reckoned."""
    recorded = record(tmp_path / "recorded", ["ocrbench"])
    folder = run(replayed(recorded, tmp_path / "results", ["ocrbench"])).folder
    content = json.loads((folder / "results.json").read_text())
    wide = next(row for row in content["results"] if row["ci_low"] is not None)
    edited(folder, content["results"].index(wide), ci_low=wide["ci_low"] + 0.001)
    with pytest.raises(StoreError, match=r"rows are not those that were written: score it again"):
        read_run(folder)
    rescore(folder)
    assert wide["ci_low"] in [row.ci_low for row in read_run(folder).rows]
