"""The samples behind a cell, in bounds; what cannot be shown is left out and loses no board."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from tests.finished_run import finished
from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed, right
from towereval.cli import console
from towereval.leaderboard import publish
from towereval.leaderboard.build import build
from towereval.leaderboard.publish import Publication, publish_board, write_report
from towereval.leaderboard.samples import LONGEST, Bounds, Thumbnails, shown
from towereval.run import run

TASK = "ocrbench"


def two_models(folder: Path) -> Path:
    for model in ("a", "b"):
        recorded = record(folder / f"recorded-{model}", (TASK,), right)
        run(replayed(recorded, folder / "results", (TASK,), model=model))
    return folder / "results"


def published(results: Path, output: Path, **options: Any) -> list[dict[str, Any]]:
    """The files of samples that a board has."""
    publish_board(build(results), output, lambda _: None, Publication(**options))
    found = []
    for file in sorted((output / "samples").glob("*")):
        match = re.fullmatch(r'towerevalSamples\("([0-9a-f]{24})", (".*")\);\n', file.read_text())
        assert match
        assert match[1] == file.stem
        found.append(json.loads(json.loads(match[2])))
    return found


def test_models_show_the_same_samples(tmp_path: Path) -> None:
    results = two_models(tmp_path)
    one, *rest = published(results, tmp_path / "board", bounds=Bounds(per_cell=3))
    assert rest == []  # both models answered alike: one file holds both
    assert len(one["en"]) == 3
    sample = one["en"][0]
    assert sample["answers"] == [{"text": sample["references"][0]}]
    assert sample["scores"] == {"accuracy": 1.0}
    picture = tmp_path / "board" / sample["pictures"][0]["source"]
    with pil.open(picture) as opened:
        assert max(opened.size) == 224


def test_only_named_models_show_samples_and_bounds_hold(tmp_path: Path) -> None:
    results = two_models(tmp_path)
    shown_of_a = published(results, tmp_path / "one", models_with_samples=("a",))
    assert len(shown_of_a) == 1
    bounds = Bounds(per_cell=5, samples=4, pictures=1)
    [few] = published(results, tmp_path / "few", bounds=bounds)
    assert len(few["en"]) == 2  # 4 over two cells
    assert len(list((tmp_path / "few" / "thumbs").iterdir())) == 1
    assert [bool(each["pictures"][0]["source"]) for each in few["en"]] == [True, False]
    assert published(results, tmp_path / "none", bounds=Bounds(per_cell=0)) == []


def test_samples_of_an_earlier_board_are_removed_and_nothing_else(tmp_path: Path) -> None:
    results = two_models(tmp_path)
    folder = tmp_path / "board" / "samples"
    folder.mkdir(parents=True)
    (folder / f"{'0' * 24}.js").write_text("old")
    (folder / "mine.js").write_text("kept")
    publish_board(build(results), tmp_path / "board", lambda _: None, Publication())
    assert (folder / "mine.js").exists()
    assert not (folder / f"{'0' * 24}.js").exists()


@pytest.mark.parametrize("content", [None, b"", b"no database"])
def test_a_run_without_a_readable_log_has_no_samples(tmp_path: Path, content: bytes | None) -> None:
    folder = finished(tmp_path / "results", "a", "r1")
    if content is not None:
        (folder / "run.sqlite").write_bytes(content)
    assert published(tmp_path / "results", tmp_path / "board") == []
    assert (tmp_path / "board" / "index.html").exists()


def test_a_picture_that_cannot_be_decoded_has_none(tmp_path: Path) -> None:
    from towereval.types import Image

    torn = tmp_path / "torn.png"
    torn.write_bytes(b"\x89PNG")
    thumbnails = Thumbnails(Bounds(), tmp_path / "thumbs")
    assert [thumbnails(Image(str(torn), "x")), thumbnails(Image("", "x"))] == ["", ""]
    assert not (tmp_path / "thumbs").exists()


def test_a_long_text_loses_its_middle() -> None:
    text = shown("a" * 1_000_000 + "\u202e")
    assert text.startswith("aaa")
    assert text.endswith("a\\u202e")
    assert "998,001 more characters" in text
    assert len(text) < LONGEST + 60


def test_a_run_ends_in_a_report(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ("commute",), right)
    command = ("run", "--model", "made", "--tasks", "commute", "--split", "sample")
    done = towereval(
        *command, "--engine", "replay", "--engine-args", f"run={recorded}", cwd=tmp_path
    )
    assert done.returncode == 0
    [file] = (tmp_path / "results").rglob("report.html")
    assert (file.parent / "results.json").exists()
    before = file.read_bytes()
    file.unlink()
    assert towereval("score", file.parent, cwd=tmp_path).returncode == 0
    assert len(file.read_bytes()) == pytest.approx(len(before), rel=0.01)


def test_a_report_that_fails_loses_no_results(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = finished(tmp_path, "a", "r1")
    (folder / "report.html").mkdir()
    results = (folder / "results.json").read_bytes()
    console.write_report(folder)
    assert "note: no report.html: StoreError" in capsys.readouterr().err

    def broken(folder: Path) -> Path:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(publish, "write_report", broken)
    console.write_report(folder)
    assert "note: no report.html: RuntimeError: a fault of ours" in capsys.readouterr().err
    assert (folder / "results.json").read_bytes() == results


def test_a_report_says_that_its_run_was_cut(tmp_path: Path) -> None:
    file = write_report(finished(tmp_path, "a", "r1", limit=10))
    assert file.name == "report.html"
    assert file.stat().st_size < 100_000


# --- the command ---


def test_sizes_and_licences_come_from_a_file(tmp_path: Path) -> None:
    for name in ("big-7b", "other", "towervision-2b"):
        finished(tmp_path / "results", name, "r1")
    (tmp_path / "models.toml").write_text('["other"]\nparameters = 3.5\nlicence = "MIT"\n')
    done = towereval("leaderboard", "--models", "models.toml", cwd=tmp_path)
    assert done.returncode == 0
    content = json.loads((tmp_path / "leaderboard" / "leaderboard.json").read_text())
    found = {each["name"]: (each["parameters"], each["licence"]) for each in content["models"]}
    assert found["big-7b"] == (7.0, "")
    assert found["other"] == (3.5, "MIT")
    assert found["towervision-2b"][0] == 2.0
    assert found["towervision-2b"][1]  # the adapter knows it


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--samples", "-1"), "--samples is a number of samples a cell, not -1"),
        (("--samples-of", "c"), "unknown model 'c'"),
        (("--models", "none.toml"), "--models none.toml cannot be read"),
        (("--models", "wrong.toml"), "found parameters = many"),
    ],
)
def test_wrong_options_have_status_2(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    finished(tmp_path / "results", "a", "r1")
    (tmp_path / "wrong.toml").write_text('["a"]\nparameters = "many"\n')
    assert message in error_line(towereval("leaderboard", *words, cwd=tmp_path), 2)


def test_many_models_are_rows_by_rank(tmp_path: Path) -> None:
    for index in range(30):
        value = 0.2 + index / 50
        row = {"value": value, "ci_low": value - 0.001, "ci_high": value + 0.001, "n": 10_000}
        finished(tmp_path / "results", f"m{index:02}", "r1", {**row, "n_failed": index})
    done = towereval("leaderboard", cwd=tmp_path)
    head, first, *rows, last = done.stdout.splitlines()
    assert head.split() == ["rank", "model", "average", "±", "n", "failed"]
    assert first.split() == ["1", "m29", "78.0", "±0.1", "10000", "29"]
    assert len(rows) == 19
    assert last == "average over ocrbench accuracy; 10 more models on the page"
