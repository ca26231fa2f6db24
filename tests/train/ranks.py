"""What `test_processes` runs in each of two processes."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from towereval.train import assemble, checkpoint, recipe_files
from towereval.train.loader import Loader
from towereval.train.loop import StageRun
from towereval.train.packing import Encoder
from towereval.train.processes import Processes, started
from towereval.train.recipe import Recipe

# Few pictures, so that now and then a process has none, and as few packs that it has nothing.
CHANGES = {
    "stages.stage2.data": [{"drawn": "text", "weight": 6}, {"drawn": "words", "weight": 1}],
    "stages.stage2.steps": 4,
    "stages.stage2.batch": 3,
    "packing.packs": 1,
    "precision": "float32",
    "checkpoint_every": 2,
}


def stage(recipe: Recipe, folder: Path, processes: Processes) -> StageRun:
    model, processor = assemble.read(folder / "untrained")
    return StageRun(recipe, "stage2", model, Encoder(processor), processes)


def goes_on(recipe: Recipe, whole: StageRun, folder: Path, name: str, processes: Processes) -> bool:
    """Whether a run that stopped half-way ends with this process's very weights of a whole one."""
    half = stage(recipe, folder, processes)
    half.steps = 2
    list(half.run(folder / name))
    if processes.first:
        shutil.copytree(folder / name, folder / f"{name}-way")
    processes.agree("")
    resumed = stage(recipe, folder, processes)
    resumed.restore(folder / name / "step-00000002")
    list(resumed.run(folder / name))
    ends = zip(whole.model.parameters(), resumed.model.parameters(), strict=True)
    return all(torch.equal(a.to_local(), b.to_local()) for a, b in ends)


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    recipe = recipe_files.load(recipe_files.find("tiny"), CHANGES)
    with started("cpu") as processes:
        whole = stage(recipe, folder, processes)
        assert any("DTensor" in type(p).__name__ for p in whole.model.parameters())
        (report,) = whole.run(folder / "two")

        same = goes_on(recipe, whole, folder, "half", processes)
        if processes.first:
            shutil.copytree(folder / "half-way", folder / "two-and")

        rounding = replace(recipe, precision="bfloat16", weights="bfloat16")
        other = stage(rounding, folder, processes)
        list(other.run(folder / "rounded"))
        rounded = goes_on(rounding, other, folder, "half-rounded", processes)

        taken = stage(recipe, folder, processes)
        taken.restore(folder / "one" / "step-00000002")
        list(taken.run(folder / "one-and-two"))

        loader = Loader(whole.data, 0, processes.rank, processes.world)
        batches = [batch for step in range(4) for batch in loader.prepare(step).batches]
        told: dict[str, Any] = {
            "losses": report.losses,
            "same": same,
            "rounded": rounded,
            "blank": sum(batch.blank for batch in batches),
            "empty": sum(not batch.lengths for batch in batches),
            "state": [whole.state.tokens, whole.state.flops, checkpoint.latest(folder / "two")],
        }
        every = processes.gathered(told)
        if processes.first:
            (folder / "told.json").write_text(json.dumps(every, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
