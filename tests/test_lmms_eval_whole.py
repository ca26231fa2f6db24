"""A log that is not whole, or not of one model, is not taken for the whole of that model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import towereval
from tests.test_lmms_eval import STAMP, alm, imported, log, ocr, say
from towereval.errors import DataError


@pytest.mark.parametrize(
    ("rows", "told", "message"),
    [
        (2, 3, "ocrbench.jsonl: the log is cut: 2 of 3 rows"),
        (2, 1, "ocrbench.jsonl: 2 rows, but its run had 1"),
    ],
)
def test_a_log_of_another_length_than_its_run_had_is_refused(
    tmp_path: Path, rows: int, told: int, message: str
) -> None:
    say(log(tmp_path / "logs", "ocrbench", *(ocr(i, "halt") for i in range(rows))), told)
    with pytest.raises(DataError, match=message):
        imported(tmp_path)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(("limit", "cut"), [(2.0, 2), (0.002, 2), (5, 5), (None, None), (-1, None)])
def test_a_run_that_was_cut_is_a_cut_run(
    tmp_path: Path, limit: float | None, cut: int | None
) -> None:
    file = log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), ocr(1, "no"))
    log(tmp_path / "logs", "alm-bench-de", alm(0, "Lot"), stamp="20260102_000000")
    say(file, 2.0, config={"limit": limit})
    found = imported(tmp_path)
    assert json.loads((found.outcome.folder / "manifest.json").read_text())["limit"] == cut
    notice = f"ocrbench: its run was cut to {cut} samples; so is this one"
    assert found.notices == ((notice,) if cut else ())
    done = towereval("leaderboard", cwd=tmp_path)
    assert (f"it was cut to {cut} samples" in done.stderr) == (done.returncode != 0) == bool(cut)


def test_a_log_without_its_runs_results_is_imported_with_a_notice(tmp_path: Path) -> None:
    file = log(tmp_path / "logs", "ocrbench", ocr(0, "halt"))
    about = file.with_name(f"{STAMP}_results.json")
    told = "ocrbench: nobody knows whether the log is whole"
    about.write_text("{}")
    assert imported(tmp_path).notices == (f"{told}: {about.name} does not say it",)
    about.unlink()
    assert imported(tmp_path).notices == (f"{told}: {about.name} is not beside it",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read"),
        ("[]", "an object is wanted"),
        ('{"n-samples": {"ocrbench": {}}}', "not what lmms-eval writes: KeyError"),
        ('{"n-samples": {"ocrbench": {"effective": "x"}}}', "not what lmms-eval writes"),
        ('{"config": {"limit": "all"}}', "limit is 'all'"),
        ('{"config": 1}', "not what lmms-eval writes"),
    ],
)
def test_torn_results_are_named(tmp_path: Path, content: str, message: str) -> None:
    file = log(tmp_path / "logs", "ocrbench", ocr(0, "halt"))
    file.with_name(f"{STAMP}_results.json").write_text(content)
    with pytest.raises(DataError, match=rf"_results\.json.*{message}"):
        imported(tmp_path)


def test_other_data_are_another_line_and_other_answers_are_not(tmp_path: Path) -> None:
    def data(*rows: str) -> str:
        log(tmp_path / "logs", "ocrbench", *rows)
        return next(row.data for row in imported(tmp_path).outcome.results if not row.group)

    first = data(ocr(0, "halt"), ocr(1, "no"))
    assert data(ocr(1, "halt"), ocr(0, "go")) == first  # logged in another order
    assert data(ocr(0, "halt")) != first
    other = json.loads(ocr(1, "no"))
    other["doc"]["answer"] = ["STOP"]
    assert data(ocr(0, "halt"), json.dumps(other)) != first


@pytest.mark.parametrize(
    ("told", "refused"),
    [
        ({"model_name": "org/other"}, True),
        ({"model_name": "", "config": {"model_args": "device=cpu,pretrained=org/other"}}, True),
        ({"model_name": "", "config": {"model_args": "pretrained=org/theirs/,dtype=x"}}, False),
        ({"model_name": None}, False),
    ],
)
def test_logs_of_two_models_are_not_one_run(
    tmp_path: Path, told: dict[str, Any], refused: bool
) -> None:
    first = log(tmp_path / "logs" / "a", "ocrbench", ocr(0, "halt"))
    # Also where a newer log of the same task would win.
    second = log(tmp_path / "logs" / "b", "ocrbench", ocr(0, "no"), stamp="20260102_000000")
    say(second, 1, **told)
    if not refused:
        assert len(imported(tmp_path).logs) == 1
        return
    with pytest.raises(DataError, match="holds logs of several models") as error:
        imported(tmp_path)
    assert f"{first} is of 'org/theirs' and {second} is of 'org/other'" in str(error.value)
