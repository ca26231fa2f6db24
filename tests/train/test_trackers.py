"""What a tracker was told is in its files, each step once, also after a resume."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from towereval.errors import UnknownName, UsageError
from towereval.train import trackers
from towereval.train.loop import Report

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")


def log_records(content: bytes) -> Iterator[bytes]:
    """Of the first block of a LevelDB log: checksum, length and kind, then so many bytes."""
    place = 7  # W&B's own header
    while place + 7 <= min(len(content), 32768):
        _, length, kind = struct.unpack_from("<IHB", content, place)
        assert kind == 1, "a record that does not end in the first block"
        yield content[place + 7 : place + 7 + length]
        place += 7 + length


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


def test_weights_and_biases_gets_each_stage_against_its_own_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read back from the file that its offline mode leaves for `wandb sync`."""
    pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2 as records

    monkeypatch.setenv("WANDB_MODE", "offline")
    with trackers.opened("wandb", tmp_path / "mine") as tell:
        for stage, step in (("stage1", 50), ("stage2", 50)):
            tell(report(stage, step, step / 100))
    [file] = (tmp_path / "mine").rglob("*.wandb")
    told = []
    for data in log_records(file.read_bytes()):
        record = records.Record.FromString(data)
        told.append({"/".join(i.nested_key) or i.key: i.value_json for i in record.history.item})
    told = [{k: v for k, v in each.items() if "loss/words" in k or "step" in k} for each in told]
    assert [each for each in told if len(each) > 1] == [
        {"stage1/step": "50", "stage1/loss/words": "0.5", "_step": "0"},
        {"stage2/step": "50", "stage2/loss/words": "0.5", "_step": "1"},
    ]


def test_weights_and_biases_without_a_key_is_refused_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb").teardown()  # it keeps the settings of the run before
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with (
        pytest.raises(UsageError, match="wandb login, or set WANDB_MODE=offline"),
        trackers.opened("wandb", tmp_path),
    ):
        pass
