"""A board in some languages: what is named, the mean of each group, and who is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.finished_run import finished
from tests.test_cli import error_line, towereval
from towereval.errors import UnknownName
from towereval.leaderboard.build import Board, build, only
from towereval.spoken import Spoken

VALUES = {"en": 0.9, "de": 0.8, "zh": 0.6, "cs": 0.5, "sv": 0.4}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    rows: list[dict[str, Any]] = [{"language": code, "value": v} for code, v in VALUES.items()]
    mean = sum(VALUES.values()) / len(VALUES)
    rows.append({"language": "*", "value": mean, "languages": tuple(VALUES)})
    finished(tmp_path / "results", "a", "r1", *rows)
    return tmp_path / "results"


def languages(board: Board) -> set[str]:
    return {line.language for line in board.rows}


def test_only_what_is_named_is_left(results: Path) -> None:
    board = build(results)
    assert languages(only(board, ["core"])) == {"en", "de", "zh"}  # the mean over all is not theirs
    assert languages(only(board, ["core", "cs", "tier:T4"])) == {"en", "de", "zh", "cs", "sv"} | {
        "*"
    }
    with pytest.raises(UnknownName, match="unknown language 'script:Thai'"):
        only(board, ["script:Thai"])


def test_the_command_shows_means_and_who_is_missing(results: Path) -> None:
    words = ("leaderboard", "--languages", "core,unseen,cs")
    done = towereval(*words, "--format", "markdown", cwd=results.parent)
    assert done.returncode == 0, done.stderr
    *_, core, unseen = done.stdout.splitlines()
    cells = [cell.strip() for cell in core.strip("|").split("|")]
    assert cells[:4] == ["ocrbench@official", "accuracy", "core", "en de zh"]
    assert cells[4].startswith("76.7 ")
    assert cells[5] == "nl pt ru es fr it"  # zh stands for zh-Hans and zh-Hant
    assert "| unseen | sv | 40.0 " in unseen
    assert unseen.endswith("| da fi hu is |")
    content = json.loads((results.parent / "leaderboard" / "leaderboard.json").read_text())
    assert {line["language"] for line in content["lines"]} == set(VALUES)
    groups = {group["name"]: group["members"] for group in content["groups"]}
    assert groups["core"]["zh-Hans"] == ["zh-Hans", "zh"]
    done = towereval("leaderboard", "--languages", "core", cwd=results.parent)
    assert "missing" in done.stdout
    assert "nl pt ru es fr it" in done.stdout
    assert "unknown language 'ja'" in error_line(
        towereval("leaderboard", "--languages", "ja", cwd=results.parent), 2
    )


def test_what_no_identifier_looked_at_is_told(results: Path) -> None:
    file = results / "a" / "r1" / "results.json"
    content = json.loads(file.read_text())
    unknown = "the identifier does not know Cusco Quechua"
    told = {"quz": unknown, "de": "lingua is not installed", "fr": "lingua is not installed"}
    content["spoken"] = [
        Spoken("xm3600", "centurio", code, None, None, None, 0, 0, (), {}, reason).record()
        for code, reason in told.items()
    ]
    short = "undecided: the answer is too short to tell"
    content["spoken"].append(
        Spoken("xm3600", "centurio", "cs", None, None, None, 0, 2, (), {}, short).record()
    )
    file.write_text(json.dumps(content))
    assert build(results).notices == (
        f"a: no language fidelity of xm3600 in quz: {unknown}",
        "a: no language fidelity of xm3600 in de, fr: lingua is not installed",
    )
