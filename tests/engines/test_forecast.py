"""A dry run counts what the engine will be given, and asks nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.test_cli import error_line, towereval
from towereval.forecast import forecast
from towereval.plan import SAMPLES, Plan
from towereval.progress import Silence
from towereval.speed import read_performance

pytestmark = pytest.mark.engine
pytest.importorskip("vllm", reason="needs the cpu extra: vllm is not installed")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_forecast_is_what_the_engine_counts(tmp_path: Path) -> None:
    plan = Plan("tiny", ("ocrbench", "multi30k"), split="sample", output=tmp_path / "results")
    before = forecast(plan, Silence())
    assert (before.requests, before.answered, before.speed) == (54, 0, None)
    assert (before.images, before.videos) == (36, 0)
    assert not (tmp_path / "results").exists()
    words = ("run", "--model", "tiny", "--tasks", "ocrbench,multi30k", "--split", "sample")
    assert towereval(*words, cwd=tmp_path).returncode == 0
    speed = read_performance(before.folder).speed
    assert speed is not None
    assert before.prompt_tokens == speed.usage.prompt_tokens
    after = forecast(plan, Silence())
    assert (after.requests, after.answered, after.minutes) == (54, 54, 0.0)
    more = forecast(Plan("tiny", ("textvqa",), split="sample", output=plan.output), Silence())
    assert more.measured == before.folder.name
    assert more.minutes == pytest.approx(more.requests / speed.rate / 60)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_picture_that_is_not_there_is_no_traceback(tmp_path: Path) -> None:
    """Its request will fail: it has no tokens, and the others are counted."""
    data = tmp_path / "ocrbench"
    shutil.copytree(SAMPLES / "ocrbench", data)
    plan = Plan("tiny", ("ocrbench",), data={"ocrbench": data}, output=tmp_path / "results")
    whole = forecast(plan, Silence())
    pictures = sorted(data.rglob("*.jpg")) + sorted(data.rglob("*.png"))
    pictures[0].unlink()
    pictures[1].write_bytes(b"no picture")
    fewer = forecast(plan, Silence())
    assert fewer.requests == whole.requests
    assert whole.prompt_tokens and fewer.prompt_tokens
    assert 0 < fewer.prompt_tokens < whole.prompt_tokens


def test_the_command_counts_and_leaves_nothing(tmp_path: Path) -> None:
    words = ("run", "--model", "tiny", "--tasks", "vimul_bench,commute", "--split", "sample")
    done = towereval(*words, "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert "of them answered" in lines["requests"]
    assert "clips" in lines["pictures"]
    assert lines["prompt tokens"] == "unknown"  # clips are not counted
    assert lines["asking"].strip().startswith("unknown: this model has not been run")
    assert not (tmp_path / "results").exists()
    wrong = towereval(*words[:-2], "--data", "commute=nowhere", "--dry-run", cwd=tmp_path)
    assert "no such folder" in error_line(wrong, 2)
