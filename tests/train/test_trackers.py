"""What a tracker was told is in its files, each step once, also after a resume."""

from __future__ import annotations

from pathlib import Path

import pytest

from towereval.errors import UnknownName
from towereval.train import trackers
from towereval.train.loop import Report

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def report(stage: str, step: int, loss: float) -> Report:
    return Report(stage, step, 100, {"words": loss, "text": 2 * loss}, seconds=1.0, fill=0.98)


def test_steps_are_read_back_once_and_in_order(tmp_path: Path) -> None:
    with trackers.opened("tensorboard", tmp_path) as tell:
        for stage, step in (("stage1", 50), ("stage1", 100), ("stage2", 50), ("stage2", 100)):
            tell(report(stage, step, step / 100))
    with trackers.opened("auto", tmp_path) as tell:  # from a checkpoint before stage2's step 100
        tell(report("stage2", 100, 0.25))
        tell(report("stage2", 150, 0.125))
    found = {}
    for stage in ("stage1", "stage2"):
        read = accumulator.EventAccumulator(str(tmp_path / "tensorboard" / stage))
        read.Reload()
        assert {"loss/words", "loss/text", "fill"} <= set(read.Tags()["scalars"])
        found[stage] = [(event.step, event.value) for event in read.Scalars("loss/words")]
    assert found["stage1"] == [(50, 0.5), (100, 1.0)]
    assert found["stage2"] == [(50, 0.5), (100, 0.25), (150, 0.125)]


def test_none_writes_nothing_and_another_is_refused(tmp_path: Path) -> None:
    with trackers.opened("none", tmp_path) as tell:
        tell(report("stage1", 50, 1.0))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UnknownName, match="tensorbord"), trackers.opened("tensorbord", tmp_path):
        pass


def test_a_tracker_that_cannot_write_stops_no_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tensorboard").write_text("in the way of the folder")
    with trackers.opened("tensorboard", tmp_path) as tell:
        tell(report("stage1", 50, 1.0))
        tell(report("stage1", 100, 1.0))
    assert capsys.readouterr().err.count("the tracker is told no more") == 1
