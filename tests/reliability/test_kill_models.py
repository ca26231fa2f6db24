"""SIGKILL at random moments of what has a model of its own: training, and scoring by COMET.

KILLS says how many a test makes (`make soak` makes 60), SEED where they fall.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from safetensors import safe_open

from tests.conftest import COMET_PYTHON
from tests.reliability.killing import Bench, check_whole, content, moments
from tests.test_learning import BUILDER
from tests.test_replay import record, replayed
from towereval.run import run

KILLS = int(os.environ.get("KILLS", "0"))
SEED = int(os.environ.get("SEED", "0"))
SMALL = (
    *("stages.text_stand_in.steps=6", "stages.stage1.steps=6", "stages.stage2.steps=6"),
    *("stages.text_stand_in.batch=4", "stages.stage1.batch=4", "stages.stage2.batch=4"),
    *("model.tiny.tower_steps=2", "model.tiny.tower_batch=8", "checkpoint_every=1"),
)


def training(output: Path, *more: object) -> tuple[object, ...]:
    settings = [word for setting in SMALL for word in ("--set", setting)]
    return ("train", "tiny", *settings, "--output", output, *more)


def tensors(folder: Path) -> dict[str, bytes]:
    """Every file of weights below a folder, without the checkpoints that training goes on from."""
    files = sorted(folder.rglob("*.safetensors"))
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def check_checkpoints(folder: Path) -> None:
    """What has a checkpoint's name is whole."""
    for step in folder.rglob("step-*"):
        assert json.loads((step / "state.json").read_text())["step"] == int(step.name[5:])
        for file in step.glob("*.safetensors"):
            with safe_open(file, "pt") as held:
                for name in held.keys():  # noqa: SIM118 it is no dictionary
                    assert held.get_tensor(name).isfinite().all()


@pytest.mark.slow
@pytest.mark.skipif(not KILLS, reason="make soak: each start of it imports torch")
def test_training_and_its_resumptions(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    length = bench.finish(training(tmp_path / "undisturbed"))
    killed = 0
    for round_, after in enumerate(moments(SEED, KILLS or 2, length)):
        output = tmp_path / f"killed-{round_ // 3}"
        again = ("--resume",) if output.exists() else ()
        killed += bench.kill(training(output, *again), after)
        check_checkpoints(output)
    assert killed
    wanted = tensors(tmp_path / "undisturbed")
    assert "model/model.safetensors" in wanted
    for output in tmp_path.glob("killed-*"):
        bench.finish(training(output, "--resume"))
        assert tensors(output) == wanted


def segments(run: Path) -> dict[tuple[str, str], float]:
    with sqlite3.connect(run / "run.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = database.execute("SELECT signature, key, score FROM segments")
        return {(signature, key): score for signature, key, score in rows}


@pytest.mark.slow
@pytest.mark.usefixtures("comet")
def test_scoring_by_comet(tmp_path: Path) -> None:
    """Its own process ends with the command, and segments that were scored stay scored."""
    models = tmp_path / "models"
    subprocess.run([COMET_PYTHON, "-I", "-W", "ignore", BUILDER, "build", models], check=True)
    recorded = record(tmp_path / "recorded", ["multi30k"])
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TOWEREVAL_COMET_PYTHON")
        folder = run(replayed(recorded, tmp_path / "results", ["multi30k"])).folder
    bench = Bench(tmp_path, environment={"TOWEREVAL_COMET_PYTHON": COMET_PYTHON})
    command = ("score", folder, "--checkpoint", f"xcomet_xl={models / 'xcomet'}")
    length = bench.finish(command)
    wanted, scored = content(folder), segments(folder)
    assert len(scored) == 24
    killed = 0
    for after in moments(SEED, KILLS or 2, length):
        with sqlite3.connect(folder / "run.sqlite") as database:
            half = "SELECT key FROM segments ORDER BY key LIMIT 12"
            database.execute(f"DELETE FROM segments WHERE key IN ({half})")
        before = segments(folder)
        killed += bench.kill(command, after, alone=True)
        after_it = segments(folder)
        assert before.items() <= after_it.items() <= scored.items()
        check_whole(folder)
        bench.finish(command)
        assert content(folder) == wanted
        assert segments(folder) == scored
    assert killed
