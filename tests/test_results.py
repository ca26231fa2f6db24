"""A finished run is read back whole, and what was edited into nonsense is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.finished_run import ROW, finished
from towereval.errors import StoreError
from towereval.results import read_run


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
    (folder / "manifest.json").write_text('{"schema": 1, "limit": ["5"]}')
    with pytest.raises(StoreError, match=r"limit is .*, no count"):
        _ = read_run(folder).limit
