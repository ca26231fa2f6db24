"""The loop: stage after stage, step after step, each step a function of the recipe and its number.

One process on a CPU. What a step sees is decided by its number alone, so a run that was killed goes
on from its last checkpoint to the same bits.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from towereval.errors import DataError, UsageError
from towereval.train import checkpoint, flops, packing
from towereval.train.checkpoint import State
from towereval.train.data import Mixture
from towereval.train.drawn import record as drawn_record
from towereval.train.model import batch_nll, freeze, optimizer, picture_scale, rate_share
from towereval.train.packing import Batch, Encoder, Example
from towereval.train.recipe import Recipe, Stage

LOG_EVERY = 50


@dataclass(frozen=True, slots=True)
class Report:
    """The last steps of a stage; losses are per learned token, by source."""

    stage: str
    step: int
    steps: int
    losses: dict[str, float]
    seconds: float
    learning_rate: float = 0.0
    fill: float = 0.0
    tokens_per_second: float = 0.0
    flops_per_second: float = 0.0


def examples_of(
    recipe: Recipe, name: str, step: int, encoder: Encoder
) -> tuple[list[Example], int]:
    """What a step of a stage sees, and how many examples were left out as longer than a pack."""
    stage = recipe.stages[name]
    seed = _seed(recipe.seed, name)
    mixture = Mixture(tuple(source.weight for source in stage.data), seed)
    kept, too_long = [], 0
    for k in range(step * stage.batch, (step + 1) * stage.batch):
        source, index = mixture.place(k)
        record = drawn_record(stage.data[source].drawn, seed, index)
        example = encoder.example(record, stage.prompt, stage.length_power)
        if len(example.ids) > recipe.packing.tokens or example.tiles > recipe.packing.tiles:
            too_long += 1
        else:
            kept.append(example)
    return kept, too_long


def batches(recipe: Recipe, examples: Sequence[Example], encoder: Encoder) -> Iterator[Batch]:
    """One step's examples, packed, so many packs at a time as go through the model at once."""
    packs = packing.pack(examples, recipe.packing.tokens, recipe.packing.tiles)
    for at in range(0, len(packs), recipe.packing.packs):
        yield packing.collate(examples, packs[at : at + recipe.packing.packs], encoder)


class StageRun:
    """One stage under way: a model, its optimizer and where they are."""

    def __init__(self, recipe: Recipe, name: str, model: Any, encoder: Encoder) -> None:
        self.recipe, self.name, self.model, self.encoder = recipe, name, model, encoder
        self.stage: Stage = recipe.stages[name]
        freeze(model, self.stage.trainable)
        self.optimizer = optimizer(model, self.stage)
        self.state = State(recipe.digest, name, 0)
        self.steps = self.stage.steps
        self.scale = picture_scale(model, recipe.model.projector_output_scale)

    def restore(self, folder: Path) -> None:
        """Go on from a checkpoint of this stage."""
        self.state = checkpoint.read_state(folder, self.recipe.digest)
        checkpoint.load(folder, self.model, self.optimizer)

    def run(self, folder: Path) -> Iterator[Report]:
        """The steps that are left, with a checkpoint every so many and at the end."""
        self.model.train()
        since = _Since(self.state, time.perf_counter())
        while self.state.step < self.steps:
            started = time.perf_counter()
            self._step(since)
            spent = time.perf_counter() - started
            self.state = replace(self.state, seconds=self.state.seconds + spent)
            ended = self.state.step == self.steps
            if ended or self.state.step % self.recipe.checkpoint_every == 0:
                checkpoint.save(folder, self.model, self.optimizer, self.state)
            if ended or self.state.step % LOG_EVERY == 0:
                yield self._report(since)
                since = _Since(self.state, time.perf_counter())

    def _step(self, since: _Since) -> None:
        state, stage = self.state, self.stage
        examples, too_long = examples_of(self.recipe, self.name, state.step, self.encoder)
        if not examples:
            raise DataError(f"{self.name}, step {state.step}: no example fits into a pack")
        total = sum(sum(example.weights) for example in examples)
        share = rate_share(state.step, self.steps, stage.warm_up, stage.final_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * share
        self.optimizer.zero_grad()
        done = 0.0
        for batch in batches(self.recipe, examples, self.encoder):
            half = self.recipe.precision == "bfloat16"
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                nll, each_N = batch_nll(self.model, batch, self.scale)
            (nll / total).backward()
            worth = flops.work(self.model.config, batch.lengths, batch.tiles, sum(batch.learned))
            done += worth.training(stage.trainable)
            since.add(batch, each_N)
        moving = [p for group in self.optimizer.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(moving, stage.clip)
        self.optimizer.step()
        self.state = replace(
            state,
            step=state.step + 1,
            examples=state.examples + len(examples),
            tokens=state.tokens + sum(len(example.ids) for example in examples),
            too_long=state.too_long + too_long,
            flops=state.flops + done,
        )

    def _report(self, since: _Since) -> Report:
        seconds = time.perf_counter() - since.started
        return Report(
            stage=self.name,
            step=self.state.step,
            steps=self.steps,
            losses={source: sum(nll) / len(nll) for source, nll in sorted(since.nll.items())},
            learning_rate=max(group["lr"] for group in self.optimizer.param_groups),
            fill=since.tokens / since.room,
            tokens_per_second=(self.state.tokens - since.state.tokens) / seconds,
            flops_per_second=(self.state.flops - since.state.flops) / seconds,
            seconds=self.state.seconds,
        )


class _Since:
    """What has been seen since the last report."""

    def __init__(self, state: State, started: float) -> None:
        self.state, self.started = state, started
        self.nll: dict[str, list[float]] = defaultdict(list)
        self.tokens = self.room = 0

    def add(self, batch: Batch, each_N: torch.Tensor) -> None:
        at, nll = 0, each_N.tolist()
        for source, count in zip(batch.sources, batch.learned, strict=True):
            self.nll[source] += nll[at : at + count]
            at += count
        self.tokens += sum(batch.lengths)
        self.room += batch.ids_BT.numel()


def run_stages(
    recipe: Recipe,
    names: Sequence[str],
    model: Any,
    processor: Any,
    folder: Path,
    say: Callable[[Report], None],
) -> None:
    """Run these stages from where their checkpoints below `folder` are, one after another.

    `model` holds the recipe's first weights. Raises `UsageError` where an earlier stage is missing
    or a checkpoint is of another recipe.
    """
    encoder = Encoder(processor)
    order = list(recipe.stages)
    for name in names:
        run = StageRun(recipe, name, model, encoder)
        at = checkpoint.latest(folder / "checkpoints" / name)
        before = order[order.index(name) - 1] if order.index(name) else ""
        if at is not None:
            run.restore(at)
        elif before:
            ready = checkpoint.latest(folder / "checkpoints" / before)
            done = checkpoint.read_state(ready, recipe.digest).step if ready else 0
            if ready is None or done < recipe.stages[before].steps:
                raise UsageError(f"{name} begins where {before} ends, which is not done yet")
            checkpoint.load(ready, model)
        for report in run.run(folder / "checkpoints" / name):
            log(folder, report)
            say(report)


def log(folder: Path, report: Report) -> None:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(report)) + "\n")


def _seed(seed: int, stage: str) -> int:
    value = hashlib.sha256(f"{seed} {stage}".encode()).digest()
    return int.from_bytes(value[:6], "big")
