"""Two processes learn what one does, and either goes on where the other stopped."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.ports import free_port
from tests.train.ranks import CHANGES
from towereval.train import checkpoint, export, recipe_files
from towereval.train.loader import share
from towereval.train.loop import Report, StageRun
from towereval.train.packing import Encoder, Example

ROOT = Path(__file__).parents[2]
# Adam's first steps are of one size whatever the gradient's: also where that is all rounding.
FAR = 0.02
RECIPE = recipe_files.load(recipe_files.find("tiny"), CHANGES)


@pytest.fixture(scope="module")
def ran(built: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Report]:
    """A stage by one process and by two, each also from where the other was."""
    folder = tmp_path_factory.mktemp("ranks")
    model, processor = built
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    export.write(model, processor, folder / "untrained", 1.0, "card")
    half = alone(built)
    half.steps = 2
    list(half.run(folder / "one"))
    shutil.copytree(folder / "one", folder / "kept")
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    command = [sys.executable, "-m", "tests.train.ranks", str(folder)]
    running = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **group, "RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=240)[0].decode() for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], outputs
    whole = alone(built)
    (report,) = whole.run(folder / "alone")
    torch.set_num_threads(threads)
    return folder, whole, report


def alone(built: Any) -> StageRun:
    return StageRun(RECIPE, "stage2", copy.deepcopy(built[0]), Encoder(built[1]))


def off(folder: Path, whole: StageRun, built: Any) -> float:
    """How far a checkpoint's weights are from those of one process, as a share of the way."""
    model = copy.deepcopy(built[0])
    before = [value.detach().clone() for value in model.parameters()]
    found = checkpoint.latest(folder)
    assert found is not None
    checkpoint.load(found, model)
    wanted = [value.detach() for value in whole.model.parameters()]
    apart = [(a.detach() - b).norm() for a, b in zip(model.parameters(), wanted, strict=True)]
    way = [(a - b).norm() for a, b in zip(before, wanted, strict=True)]
    return float(torch.stack(apart).norm() / torch.stack(way).norm())


def test_two_processes_are_one(ran: Any, built: Any) -> None:
    folder, whole, report = ran
    first, second = json.loads((folder / "told.json").read_text())
    assert first["losses"] == second["losses"] == pytest.approx(report.losses, rel=1e-5)
    assert first["state"][:2] == [whole.state.tokens, pytest.approx(whole.state.flops)]
    assert off(folder / "two", whole, built) < FAR


def test_a_process_without_a_picture_or_a_pack_steps_along(ran: Any) -> None:
    told = json.loads((ran[0] / "told.json").read_text())
    blank, empty = (sum(one[key] for one in told) for key in ("blank", "empty"))
    assert blank > empty > 0


def test_two_processes_go_on_to_the_same_bits(ran: Any) -> None:
    """With weights in bfloat16 too, each rounded by its place in the whole."""
    told = json.loads((ran[0] / "told.json").read_text())
    assert [(one["same"], one["rounded"]) for one in told] == [(True, True), (True, True)]


def test_one_goes_on_where_two_were_and_two_where_one_was(ran: Any, built: Any) -> None:
    folder, whole, _ = ran
    run = alone(built)
    run.restore(folder / "two-and" / "step-00000002")
    list(run.run(folder / "two-and-one"))
    assert off(folder / "two-and-one", whole, built) < FAR
    assert off(folder / "one-and-two", whole, built) < FAR


def test_every_pack_is_somebodys_and_all_have_as_many() -> None:
    examples = [Example("x", (1,), (0.0,), (), tiles) for tiles in range(7)]
    packs = [[i] for i in range(7)]
    dealt = [share(packs, examples, rank, 3) for rank in range(3)]
    assert [len(own) for own in dealt] == [3, 3, 3]
    held = [pack for own in dealt for pack in own if pack]
    assert sorted(held) == packs
    assert max(sum(i for pack in own for i in pack) for own in dealt) <= 9
