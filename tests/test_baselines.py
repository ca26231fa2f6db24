"""The tracked baselines are of today's tasks and samples: a build can compare with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_replay import record, replayed
from towereval.compare import MEAN, compare
from towereval.measured import read
from towereval.run import run

BASELINES = sorted((Path(__file__).parents[1] / "results" / "baselines").glob("*.json"))


@pytest.mark.parametrize("file", BASELINES, ids=lambda file: file.stem)
def test_a_baseline_can_be_compared_with(file: Path, tmp_path: Path) -> None:
    baseline = read(file)
    tasks = [f"{name}@{task.variant}" for name, task in baseline.tasks.items()]
    recorded = record(tmp_path / "recorded", tasks)
    outcome = run(replayed(recorded, tmp_path / "results", tasks, split=baseline.split))
    report = compare(baseline, read(outcome.folder))
    assert report.notices == ()
    compared = {(one.task, one.language) for one in report.comparisons if one.language != MEAN}
    parts = {(name, code) for name, task in baseline.tasks.items() for code in task.languages}
    assert compared == parts


def test_there_is_one() -> None:
    assert BASELINES
