"""Settings of speed and memory: the loss and the gradients stay what they are."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest
import torch

from towereval.train.learner import learner
from towereval.train.loader import Loader
from towereval.train.model import freeze
from towereval.train.packing import Encoder
from towereval.train.processes import Processes
from towereval.train.recipe import Performance, Recipe
from towereval.train.stage_data import StageData


def learned(model: Any, recipe: Recipe, batch: Any) -> tuple[float, dict[str, torch.Tensor], int]:
    """Loss, gradients, and how many values are kept for the backward pass."""
    freeze(model, ("projector", "vision", "text"))
    module = learner(model.train(), recipe, 1.0, Processes())
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        nll, _ = module(batch)
    nll.backward()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return float(nll.detach()), gradients, sum(kept.values())


def test_what_is_computed_again_is_the_same(recipe: Recipe, model: Any, encoder: Encoder) -> None:
    (batch,) = Loader(StageData(recipe, "stage2", encoder)).prepare(0).batches
    loss, gradients, kept = learned(copy.deepcopy(model), recipe, batch)
    held = {}
    for performance in (
        Performance(recompute="selective"),
        Performance(recompute="layers"),
        Performance(loss="whole"),
    ):
        own = copy.deepcopy(model)
        again, found, count = learned(own, replace(recipe, performance=performance), batch)
        assert again == pytest.approx(loss, rel=1e-6)
        assert found.keys() == gradients.keys()
        for name, value in gradients.items():
            assert torch.allclose(found[name], value, atol=1e-5), name
        held[performance.recompute, performance.loss] = count
    # What "selective" keeps, it keeps in a store of its own, which is not counted.
    assert max(held["layers", "chunked"], held["selective", "chunked"]) < 0.8 * kept
    assert held["none", "whole"] > kept


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.filterwarnings("ignore:_compile flag:DeprecationWarning")
def test_flex_attention_is_eager(recipe: Recipe, model: Any, encoder: Encoder) -> None:
    """Packed examples, both softcaps, sliding and full; it has no backward pass on a CPU."""
    (batch,) = Loader(StageData(recipe, "stage2", encoder)).prepare(0).batches
    one = Processes(device=torch.device("cuda"))
    found = []
    for attention in ("eager", "flex"):
        fast = replace(recipe, performance=Performance(attention=attention))  # type: ignore[arg-type]
        own = copy.deepcopy(model)
        freeze(own, ("projector", "vision", "text"))
        nll, _ = learner(own, fast, 1.0, one)(batch.to(one.device))
        nll.backward()
        norms = [p.grad.norm() for p in own.parameters() if p.grad is not None]
        found.append((float(nll.detach()), float(torch.stack(norms).norm())))
    assert found[1] == pytest.approx(found[0], rel=1e-3)


def test_speed_is_no_other_recipe(recipe: Recipe) -> None:
    other = replace(recipe, performance=Performance(recompute="layers"), workers=3)
    assert other.digest == recipe.digest
