"""Packed against unpacked training of the tiny recipe: the same examples, model and loop.

    OMP_NUM_THREADS=1 python benchmarks/packing.py [--steps 12] [--stages stage1,stage2]

Each step is learned three ways from the same state of the data, in turns: packed, as the recipe is;
padded, one example a row and all 24 in one batch as wide as the longest; and alone, one example at
a time, which has no padding and is what a batch of 1 on a device is. A step draws, renders, packs,
learns and moves the weights in one thread. Told are medians, and medians of the steps' ratios, by
the clock and by processor seconds, which other work on the machine moves less. `most` is what
packing could gain over padding if time went by places alone: padded places by packed ones.
"""

from __future__ import annotations

import argparse
import copy
import time
from contextlib import closing
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from measure import publish, table

from towereval.train import recipe_files, tiny
from towereval.train.loader import Loader
from towereval.train.loop import Since, StageRun
from towereval.train.packing import Encoder
from towereval.train.recipe import Packing, Recipe

WARM_UP, CLOCKS = 2, ("wall", "cpu")


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds of one step, by the clock and of the processor, its tokens and their places."""

    wall: float
    cpu: float
    tokens: int
    places: int


class Way:
    """One way to learn the same steps."""

    def __init__(self, recipe: Recipe, stage: str, model: Any, encoder: Encoder) -> None:
        self.run = StageRun(recipe, stage, copy.deepcopy(model), encoder)
        self.run.model.train()
        self.steps: list[Step] = []

    def step(self, loader: Loader) -> None:
        since = Since(self.run.state, 0.0)
        wall, cpu = time.perf_counter(), time.process_time()
        self.run.step(loader, since)
        seconds = time.perf_counter() - wall, time.process_time() - cpu
        self.steps.append(Step(*seconds, since.tokens, since.room))


def ways(recipe: Recipe) -> dict[str, Packing]:
    packing = recipe.packing
    return {
        "packed": packing,
        "padded": replace(packing, examples=1),
        "alone": replace(packing, examples=1, packs=1),
    }


def measured(recipe: Recipe, stage: str, count: int) -> dict[str, list[Step]]:
    model, processor = tiny.build(recipe.seed)
    encoder = Encoder(processor)
    every = {
        name: Way(replace(recipe, packing=packing, workers=0), stage, model, encoder)
        for name, packing in ways(recipe).items()
    }
    order = list(every.values())
    for number in range(WARM_UP + count):
        for way in order[number % len(order) :] + order[: number % len(order)]:
            with closing(way.run.loader()) as loader:
                way.step(loader)
    return {name: way.steps[WARM_UP:] for name, way in every.items()}


def rows(stage: str, found: dict[str, list[Step]]) -> list[list[str]]:
    packed = found["packed"]
    told = []
    for name, steps in found.items():
        tokens, places = sum(step.tokens for step in steps), sum(step.places for step in steps)
        ratios = [
            median(
                getattr(own, clock) / getattr(one, clock)
                for own, one in zip(steps, packed, strict=True)
            )
            for clock in CLOCKS
        ]
        most = places / sum(step.places for step in packed)
        told.append(
            [
                f"`{stage}` {name}",
                f"{tokens / places:.1%}",
                *(f"{median(getattr(step, clock) for step in steps):.3f}" for clock in CLOCKS),
                f"{median(step.tokens / step.cpu for step in steps):,.0f}",
                *(f"{ratio:.2f}" for ratio in ratios),
                f"{most:.2f}" if name == "padded" else "",
            ]
        )
    return told


def main() -> None:
    recipe = recipe_files.load(recipe_files.find("tiny"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--steps", type=int, default=12, help="timed steps of each way")
    parser.add_argument("--stages", default=",".join(recipe.stages))
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = []
    for stage in options.stages.split(","):
        lines += rows(stage, measured(recipe, stage, options.steps))
    header = (
        *("", "fill", "wall s", "CPU s", "tokens a CPU s"),
        *("wall by packed", "CPU by packed", "most"),
    )
    text = f"{options.steps} steps of each way, one thread, after {WARM_UP}\n\n"
    publish("packing", text + table(header, lines))


if __name__ == "__main__":
    main()
