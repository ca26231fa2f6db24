"""What a row says beside its number."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.test_replay import record, replayed
from towereval.plan import SAMPLES
from towereval.run import run
from towereval.types import Result


def mean(results: tuple[Result, ...]) -> Result:
    [row] = [row for row in results if row.language == "*"]
    return row


def test_a_mean_says_which_languages_the_data_lack(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["alm_bench"])
    folder = Path(shutil.copytree(SAMPLES / "alm_bench", tmp_path / "data"))
    for split in ("Finnish", "Korean"):
        (folder / f"{split}.jsonl").write_text("")
    data = {"data": {"alm_bench": folder}, "split": "full"}
    row = mean(run(replayed(recorded, tmp_path / "results", ["alm_bench"], **data)).results)
    assert len(row.languages) == 21
    assert row.note.endswith("; no samples in ko, fi")


def test_a_mean_says_for_which_languages_its_metric_is_not_meant(tmp_path: Path) -> None:
    """Their samples are there: lingua does not know Quechua."""
    pytest.importorskip("lingua")
    recorded = record(tmp_path / "recorded", ["xm3600"])
    data = {"data": {"xm3600": SAMPLES / "xm3600"}, "split": "full"}
    asked = ("de", "en", "quz")
    plan = replayed(recorded, tmp_path / "results", ["xm3600"], **data, languages=asked)
    means = {row.metric: row for row in run(plan).results if row.language == "*"}
    assert means["language_fidelity"].languages == ("de", "en")
    assert means["language_fidelity"].note.endswith("; not meant for quz")
    assert "meant" not in means["chrf"].note


def test_languages_that_were_not_asked_for_are_not_missed(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["alm_bench"])
    data = {"data": {"alm_bench": SAMPLES / "alm_bench"}, "split": "full"}
    plan = replayed(recorded, tmp_path / "results", ["alm_bench"], **data, languages=("de", "en"))
    assert "no samples" not in mean(run(plan).results).note


def test_the_sample_split_is_known_to_have_a_few(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["alm_bench"])
    plan = replayed(recorded, tmp_path / "results", ["alm_bench"])
    assert "no samples" not in mean(run(plan).results).note
