"""The loop: stage after stage, step after step, each step a function of the recipe and its number.

What a step sees is decided by its number alone, so a run that was killed goes on from its last
checkpoint to the same bits. Several processes share a step's packs and one model.
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from towereval.errors import UsageError
from towereval.train import checkpoint, flops, lora
from towereval.train.checkpoint import State
from towereval.train.learner import learner
from towereval.train.loader import Loader
from towereval.train.model import freeze, picture_scale, rate_share
from towereval.train.optimizers import hold, optimizer
from towereval.train.packing import Batch, Encoder
from towereval.train.processes import Processes
from towereval.train.recipe import Recipe, Stage
from towereval.train.stage_data import StageData, seed_of, shares_by

LOG_EVERY = 50


@dataclass(frozen=True, slots=True)
class Report:
    """The last steps of a stage; losses are per learned token, by source.

    `loader_wait` is the share of the time in which nothing could be learned for want of data.
    """

    stage: str
    step: int
    steps: int
    losses: dict[str, float]
    seconds: float
    learning_rate: float = 0.0
    fill: float = 0.0
    tokens_per_second: float = 0.0
    flops_per_second: float = 0.0
    loader_wait: float = 0.0


class StageRun:
    """One stage under way: a model, its optimizer, its data and where they are."""

    def __init__(
        self,
        recipe: Recipe,
        name: str,
        model: Any,
        encoder: Encoder,
        processes: Processes = checkpoint.ALONE,
    ) -> None:
        self.recipe, self.name, self.model, self.processes = recipe, name, model, processes
        self.stage: Stage = recipe.stages[name]
        self.data = StageData(recipe, name, encoder)
        if self.stage.lora is not None:
            lora.add(model, self.stage.lora, seed_of(recipe.seed, name))
        freeze(model, self.stage.trainable, lora=self.stage.lora is not None)
        scale = picture_scale(model, recipe.model.projector_output_scale)
        hold(model, recipe.weights)
        self.learner = learner(model, recipe, scale, processes)
        seed = seed_of(recipe.seed, name)
        self.optimizer = optimizer(model, self.stage, recipe.weights, seed)
        self.steps = self.data.steps
        self.state = State(recipe.digest, name, 0, self.steps, self.data.digest)

    def restore(self, folder: Path) -> None:
        """Go on from a checkpoint of this stage."""
        self.state = checkpoint.read_state(folder, self.recipe.digest, self.data.digest)
        checkpoint.load(folder, self.model, self.optimizer)

    def run(self, folder: Path) -> Iterator[Report]:
        """The steps that are left, with a checkpoint every so many and at the end."""
        self.model.train()
        loader = self.loader()
        since = Since(self.state, time.perf_counter())
        try:
            while self.state.step < self.steps:
                started = time.perf_counter()
                self.step(loader, since)
                spent = time.perf_counter() - started
                self.state = replace(self.state, seconds=self.state.seconds + spent)
                ended = self.state.step == self.steps
                if ended or self.state.step % self.recipe.checkpoint_every == 0:
                    own = self.model, self.optimizer
                    checkpoint.save(folder, *own, self.state, self.processes)
                if ended or self.state.step % LOG_EVERY == 0:
                    yield self.report(since)
                    since = Since(self.state, time.perf_counter())
        finally:
            loader.close()

    def loader(self) -> Loader:
        """This process's part of the stage's data."""
        own = self.processes.rank, self.processes.world
        full = self.recipe.performance.compile  # which wants every batch of one shape
        return Loader(self.data, self.recipe.workers, *own, full_width=full)

    def step(self, loader: Loader, since: Since) -> None:
        """One step; what it has seen is added to `since`."""
        state, stage = self.state, self.stage
        started = time.perf_counter()
        prepared = loader.step(state.step, self.steps)
        since.waited += time.perf_counter() - started
        # What dropout leaves out, the step alone decides.
        torch.manual_seed(seed_of(self.recipe.seed, f"{self.name} {state.step}"))
        share = rate_share(state.step, self.steps, stage.warm_up, stage.final_rate)
        for group in self.optimizer.param_groups:
            group["lr"] = group["rate"] * share
        self.optimizer.zero_grad()
        done = 0.0
        device, half = self.processes.device, self.recipe.precision == "bfloat16"
        for batch in prepared.batches:
            with torch.autocast(device.type, torch.bfloat16, enabled=half):
                nll, each_N = self.learner(batch.to(device))
            # Sharding takes the mean of the processes' gradients, and the loss is their sum.
            (nll * (self.processes.world / prepared.weight)).backward()
            worth = flops.work(self.model.config, batch.lengths, batch.tiles, sum(batch.learned))
            done += worth.training(stage.moved)
            since.add(batch, each_N)
        self.optimizer.clip(stage.clip)
        self.optimizer.step()
        self.state = replace(
            state,
            step=state.step + 1,
            examples=state.examples + prepared.examples,
            tokens=state.tokens + prepared.tokens,
            too_long=state.too_long + prepared.too_long,
            flops=state.flops + self.processes.sums([done])[0],
        )

    def report(self, since: Since) -> Report:
        seconds = time.perf_counter() - since.started
        losses, tokens, room = since.together(self.processes)
        return Report(
            stage=self.name,
            step=self.state.step,
            steps=self.steps,
            losses=losses,
            learning_rate=max(group["lr"] for group in self.optimizer.param_groups),
            fill=tokens / room,
            tokens_per_second=(self.state.tokens - since.state.tokens) / seconds,
            flops_per_second=(self.state.flops - since.state.flops) / seconds,
            loader_wait=since.waited / seconds,
            seconds=self.state.seconds,
        )


class Since:
    """What has been seen since the last report."""

    def __init__(self, state: State, started: float) -> None:
        self.state, self.started = state, started
        self.nll: dict[str, float] = defaultdict(float)
        self.counts: dict[str, int] = defaultdict(int)
        self.tokens = self.room = 0
        self.waited = 0.0

    def add(self, batch: Batch, each_N: torch.Tensor) -> None:
        at, nll = 0, each_N.tolist()
        for source, count in zip(batch.sources, batch.learned, strict=True):
            self.nll[source] += sum(nll[at : at + count])
            self.counts[source] += count
            at += count
        self.tokens += sum(batch.lengths)
        self.room += batch.ids_BT.numel()

    def together(self, processes: Processes) -> tuple[dict[str, float], int, int]:
        """Losses by source, tokens and the room for them, of all processes."""
        told = processes.gathered((dict(self.nll), dict(self.counts), self.tokens, self.room))
        sources = sorted({source for nll, _, _, _ in told for source in nll})
        losses = {
            source: sum(nll.get(source, 0.0) for nll, _, _, _ in told)
            / sum(counts.get(source, 0) for _, counts, _, _ in told)
            for source in sources
        }
        return losses, sum(one[2] for one in told), sum(one[3] for one in told)


def run_stages(
    recipe: Recipe,
    names: Sequence[str],
    first: Callable[[], Any],
    processor: Any,
    folder: Path,
    say: Callable[[Report], None],
    processes: Processes = checkpoint.ALONE,
) -> None:
    """Run these stages from where their checkpoints below `folder` are, one after another.

    `first` gives a model with the recipe's first weights. Raises `UsageError` where an earlier
    stage is missing or a checkpoint is of another recipe.
    """
    encoder = Encoder(processor)
    order = list(recipe.stages)
    for name in names:
        at = checkpoint.latest(folder / "checkpoints" / name)
        before = order[order.index(name) - 1] if order.index(name) else ""
        model = first()
        if at is None and before:
            ready = checkpoint.latest(folder / "checkpoints" / before)
            done = checkpoint.read_state(ready, recipe.digest) if ready else None
            if ready is None or done is None or done.step < done.steps:
                raise UsageError(f"{name} begins where {before} ends, which is not done yet")
            load_finished(recipe, before, ready, model)
        run = StageRun(recipe, name, model, encoder, processes)
        if processes.first:
            tell_data(folder, name, run.data)
        if at is not None:
            run.restore(at)
        for report in run.run(folder / "checkpoints" / name):
            if processes.first:
                log(folder, report)
                say(report)


def load_finished(recipe: Recipe, name: str, folder: Path, model: Any) -> None:
    """Give a model the weights of a stage that is done, its updates merged."""
    low_rank = recipe.stages[name].lora
    if low_rank is not None:
        lora.add(model, low_rank, 0)
    checkpoint.load(folder, model)
    if low_rank is not None:
        lora.merge(model)


def log(folder: Path, report: Report) -> None:
    with (folder / "log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(asdict(report)) + "\n")


def tell_data(folder: Path, name: str, data: StageData) -> None:
    """Write what a stage's files have, what of it is left out and why, and the mixture's shares."""
    if not data.report:
        return
    folder.mkdir(parents=True, exist_ok=True)
    by = {label: shares_by(data, label) for label in ("language", "text_only")}
    told = {"files": data.report, "shares": by, "steps": data.steps}
    text = json.dumps(told, indent=2, ensure_ascii=False)
    (folder / f"data-{name}.json").write_text(text + "\n", encoding="utf-8")
