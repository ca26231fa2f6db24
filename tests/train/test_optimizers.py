"""Weights and moments in bfloat16, rounded by chance: right on average, and the same again."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from towereval.errors import UsageError
from towereval.train import checkpoint
from towereval.train.loader import Loader
from towereval.train.loop import StageRun
from towereval.train.model import batch_nll, freeze
from towereval.train.optimizers import AdamW, RoundedAdamW, hold, noise, optimizer, rounded
from towereval.train.packing import Encoder
from towereval.train.recipe import Recipe
from towereval.train.stage_data import StageData

CPU = torch.device("cpu")


def test_rounding_is_right_on_average() -> None:
    """To one of the two neighbours, and to each as often as it is near."""
    values = torch.tensor([1.001, -1.001, 3.1415926, 1e-30, -7.77e20])
    many = values.repeat(20_000, 1)
    bits = noise(5, 0, many.numel(), CPU).view(many.shape)
    for shift in (0, 16, 32):
        found = rounded(many, bits >> shift).float()
        assert torch.allclose(found.mean(0), values, rtol=1e-4, atol=0)
        for value, column in zip(values.tolist(), found.T, strict=True):
            near = sorted(set(column.tolist()))
            assert len(near) == 2
            assert near[0] < value < near[1]
    kept = torch.tensor([0.0, -0.0, 1.5, -2.0, torch.inf, -torch.inf, torch.nan])
    for key in range(50):
        found = rounded(kept, noise(key, 0, len(kept), CPU)).float()
        assert torch.equal(found.nan_to_num(7.0), kept.nan_to_num(7.0))


def test_a_shard_is_rounded_as_the_whole_is() -> None:
    whole = noise(9, 0, 1000, CPU)
    assert torch.equal(torch.cat([noise(9, 0, 333, CPU), noise(9, 333, 667, CPU)]), whole)
    assert len(set(whole.tolist())) == 1000
    ones = torch.stack([(whole >> bit) & 1 for bit in range(48)]).double().mean(1)
    assert float((ones - 0.5).abs().max()) < 0.07
    assert not torch.equal(noise(10, 1000, 10, CPU), whole[:10])


def descent(weights: torch.Tensor, rule: Any, inputs: torch.Tensor, wanted: torch.Tensor) -> float:
    """Mean squared error after 250 small steps, each of two batches whose gradients are summed."""
    for _ in range(250):
        rule.zero_grad()
        for half in (slice(0, 128), slice(128, 256)):
            error = inputs[half].to(weights.dtype) @ weights - wanted[half].to(weights.dtype)
            error.float().square().mean().backward()
        rule.clip(1.0)
        rule.step()
    return float((inputs @ weights.detach().float() - wanted).square().mean())


def test_small_steps_are_not_lost() -> None:
    """Steps of 6e-4 beside weights of 1 to 1.35, whose neighbours are 8e-3 away."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(256, 32, generator=generator)
    start = torch.ones(32) + 0.25 * torch.rand(32, generator=generator)
    start = start.bfloat16().float()
    wanted = inputs @ (start + 0.1)
    group = {"lr": 6e-4, "weight_decay": 0.0}
    ends = []
    for kind in ("float32", "nearest", "rounded"):
        own = start.clone() if kind == "float32" else start.bfloat16()
        weights = nn.Parameter(own)
        groups = [{"params": [weights], **group}]
        if kind == "rounded":
            rule: Any = RoundedAdamW(groups, (0.9, 0.999), {weights: "weights"}, 0)
        else:
            rule = AdamW(groups, betas=(0.9, 0.999))
        ends.append(descent(weights, rule, inputs, wanted))
    before = float((inputs @ start - wanted).square().mean())
    exact, nearest, by_chance = ends
    assert nearest > 0.9 * before
    assert exact < 0.01 * before
    assert by_chance < 0.02 * before


def test_one_step_is_that_of_float32_but_for_rounding() -> None:
    """With decay, over several pieces, after gradients of two batches and clipping."""
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(40, 30, generator=generator).bfloat16()
    slopes = torch.randn(2, 40, 30, generator=generator).bfloat16()
    found = []
    for kind in ("float32", "bfloat16"):
        weights = nn.Parameter(start.float() if kind == "float32" else start.clone())
        groups = [{"params": [weights], "lr": 0.1, "weight_decay": 0.1}]
        rule: Any = AdamW(groups, betas=(0.9, 0.99))
        if kind == "bfloat16":
            rule = RoundedAdamW(groups, (0.9, 0.99), {weights: "w"}, 0)
        for slope in slopes:
            (weights * slope.to(weights.dtype)).sum().backward()
        rule.clip(0.5)
        rule.step()
        found.append(weights.detach().float())
    assert torch.allclose(*found, rtol=2**-7, atol=2**-11)
    assert float((found[1] - found[0]).mean()) == pytest.approx(0, abs=2e-4)


def test_weights_in_bfloat16_keep_exact_positions(recipe: Recipe, model: Any) -> None:
    before = {name: value.clone() for name, value in model.named_buffers()}
    hold(model, "bfloat16")
    assert {value.dtype for value in model.parameters()} == {torch.bfloat16}
    assert all(torch.equal(value, before[name]) for name, value in model.named_buffers())
    with pytest.raises(UsageError, match="weights in bfloat16 want that precision too"):
        replace(recipe, precision="float32", weights="bfloat16")


def test_a_stopped_run_in_bfloat16_goes_on_to_the_same_bits(
    recipe: Recipe, built: Any, encoder: Encoder, tmp_path: Path
) -> None:
    # Two batches a step, so that gradients are summed.
    packing = replace(recipe.packing, packs=1, tokens=208)
    recipe = replace(recipe, precision="bfloat16", weights="bfloat16", packing=packing)
    runs = [StageRun(recipe, "stage2", copy.deepcopy(built[0]), encoder) for _ in range(3)]
    whole, stopped, resumed = runs
    list(whole.run(tmp_path / "whole"))
    stopped.steps = 2
    list(stopped.run(tmp_path / "stopped"))
    at = checkpoint.latest(tmp_path / "stopped")
    assert at is not None
    resumed.restore(at)
    list(resumed.run(tmp_path / "stopped"))
    for name in (checkpoint.WEIGHTS, checkpoint.OPTIMIZER):
        files = [
            tmp_path / n / "step-00000004" / f"{name}.safetensors" for n in ("whole", "stopped")
        ]
        assert files[0].read_bytes() == files[1].read_bytes()
    kinds = {value.dtype for own in whole.optimizer.state.values() for value in own.values()}
    assert kinds == {torch.bfloat16, torch.float32}  # the latter is the count of steps
    moved = [
        not torch.equal(value, first.bfloat16())
        for value, first in zip(whole.model.parameters(), built[0].parameters(), strict=True)
        if value.requires_grad
    ]
    assert sum(moved) / len(moved) > 0.95


def test_eight_examples_are_learned_by_heart(recipe: Recipe, model: Any, encoder: Encoder) -> None:
    stage = replace(recipe.stages["stage2"], vision_learning_rate=None, learning_rate=3e-3, batch=8)
    recipe = replace(recipe, stages={**recipe.stages, "stage2": stage})
    (batch,) = Loader(StageData(recipe, "stage2", encoder)).prepare(0).batches
    freeze(model, stage.trainable)
    hold(model, "bfloat16")
    rule = optimizer(model, stage, "bfloat16", seed=0)
    losses = []
    for _ in range(30):
        rule.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            total, each_N = batch_nll(model, batch)
        (total / batch.weights_BT.sum()).backward()
        rule.clip(1.0)
        rule.step()
        losses.append(float(each_N.mean()))
    assert losses[-1] < losses[0] / 10
