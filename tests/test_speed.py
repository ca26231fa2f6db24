"""What a run says of itself beside its scores: speed, and answers that flip when asked again."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from tests.test_cli import towereval
from tests.test_replay import record, replayed
from towereval.run import rescore, run
from towereval.speed import Performance, Speed, read_performance
from towereval.types import Usage

USAGE = Usage(1000, 250, 300, busy_seconds=4.5, waiting_seconds=0.5)


def test_usage_adds_up() -> None:
    assert USAGE + Usage(output_tokens=7, busy_seconds=1.0) == Usage(1000, 250, 307, 5.5, 0.5)


def test_speed_in_words() -> None:
    assert str(Speed(50, 2.0, 5.0, 0.25, USAGE)) == (
        "50 answers in 5.0 s (10.0/s); prompts 200 tokens/s, 25% cached; output 60 tokens/s;"
        " engine busy 90%, waiting for media 10%; start 2.0 s, scoring 0.2 s"
    )
    # An engine that knows nothing of itself claims nothing.
    assert str(Speed(50, 2.0, 5.0, 0.0, Usage())) == (
        "50 answers in 5.0 s (10.0/s); start 2.0 s, scoring 0.0 s"
    )


def test_a_run_tells_its_speed_and_keeps_it(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    plan = replayed(recorded, tmp_path / "results", ["multi30k"])
    first = run(plan)
    speed = first.performance.speed
    assert speed is not None
    assert speed.answers == 24
    assert speed.seconds > 0
    assert speed.scoring_seconds > 0
    assert read_performance(first.folder) == first.performance
    written = json.loads((first.folder / "results.json").read_text())["speed"]
    assert written["answers_per_second"] == pytest.approx(24 / speed.seconds)
    # Nothing is asked by a second run and by scoring again: the speed is still the first's.
    for again in (run(plan), rescore(first.folder)):
        assert again.asked == 0
        kept = read_performance(again.folder).speed
        assert kept is not None
        assert (kept.answers, kept.seconds) == (24, speed.seconds)


@pytest.mark.parametrize("content", ["{", "{}", '{"speed": 3, "determinism": null}', "[]"])
def test_results_that_say_nothing_of_speed(tmp_path: Path, content: str) -> None:
    (tmp_path / "results.json").write_text(content)
    assert read_performance(tmp_path) == Performance()


def test_answers_that_flip_are_counted(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k", "commute"])
    plan = replayed(
        recorded, tmp_path / "results", ["multi30k", "commute"], verify_determinism=1000
    )
    repetition = run(plan).performance.determinism
    assert repetition is not None
    # Every caption, no log-probability: 24 texts were asked for.
    assert (repetition.asked, repetition.flipped, repetition.failed) == (24, 0, 0)
    with sqlite3.connect(recorded / "run.sqlite") as database:
        texts = "SELECT question FROM responses WHERE logprob IS NULL ORDER BY 1 LIMIT "
        database.execute(f"UPDATE responses SET text = 'flip' WHERE question IN ({texts} 3)")
        lost = f"WHERE question IN ({texts} 2 OFFSET 10)"
        database.execute(f"UPDATE responses SET error = 'lost', text = '' {lost}")
    outcome = run(plan)
    repetition = outcome.performance.determinism
    assert repetition is not None
    assert (repetition.asked, repetition.flipped, repetition.failed) == (24, 3, 2)
    assert str(repetition) == "asked again: 3 of 22 answers flipped (13.64%), 2 failed"
    assert read_performance(outcome.folder).determinism == repetition
    # The answers that are scored are those of the first time.
    assert outcome.asked == 0
    assert not outcome.failures


def test_the_command_tells_both(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    words = ["run", "--model", "made", "--tasks", "multi30k", "--split", "sample"]
    words += ["--engine", "replay", "--engine-args", f"run={recorded}"]
    done = towereval(*words, "--verify-determinism", "5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    speed, repetition, last = done.stdout.splitlines()[-3:]
    assert speed.startswith("24 answers in ")
    assert repetition == "asked again: 0 of 5 answers flipped (0.00%)"
    assert last.startswith("24 asked, results/")
    assert "answers in" not in towereval(*words, cwd=tmp_path).stdout
