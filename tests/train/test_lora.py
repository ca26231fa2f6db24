"""Low-rank updates: only they move, they resume to the same bits, none of them is exported."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from towereval.errors import UsageError
from towereval.train import checkpoint, lora, recipe_run
from towereval.train.loader import Loader
from towereval.train.loop import Report, StageRun
from towereval.train.model import _hidden
from towereval.train.packing import Encoder
from towereval.train.recipe import Lora, Recipe
from towereval.train.stage_data import StageData

LORA = Lora(rank=4, alpha=8, dropout=0.1)


@pytest.fixture
def low_rank(recipe: Recipe) -> Recipe:
    stage = replace(recipe.stages["stage2"], trainable=("projector", "text"), lora=LORA)
    return replace(recipe, stages={"stage2": stage})


def test_an_update_is_nothing_before_it_is_learned(
    low_rank: Recipe, model: Any, encoder: Encoder
) -> None:
    (batch,) = Loader(StageData(low_rank, "stage2", encoder)).prepare(0).batches
    with torch.no_grad():
        before = _hidden(model, batch, 1.0)
        lora.add(model, LORA, 0)
        model.eval()
        assert torch.equal(_hidden(model, batch, 1.0), before)


def test_updates_move_and_weights_do_not(
    low_rank: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    plain = {name: value.clone() for name, value in model.named_parameters()}
    run = StageRun(low_rank, "stage2", model, encoder)
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    list(run.run(tmp_path))
    moved = {n for n, value in model.named_parameters() if not torch.equal(value, before[n])}
    parts = ("model.multi_modal_projector.", "model.image_newline")
    assert {n for n in moved if not lora.is_update(n)} == {n for n in plain if n.startswith(parts)}
    assert {n for n in moved if lora.is_update(n)} == {n for n in before if lora.is_update(n)}
    assert len([n for n in before if lora.is_update(n)]) == 4 * 7 * 2

    (batch,) = Loader(run.data).prepare(0).batches
    model.eval()
    with torch.no_grad():
        beside = _hidden(model, batch, 1.0)
        lora.merge(model)
        merged = _hidden(model, batch, 1.0)
    assert torch.allclose(merged, beside, rtol=1e-4, atol=1e-5)
    assert dict(model.named_parameters()).keys() == plain.keys()
    layer = "model.language_model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(model.get_parameter(layer), plain[layer])


def test_dropout_goes_on_to_the_same_bits(
    low_rank: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    other = copy.deepcopy(model)
    list(StageRun(low_rank, "stage2", model, encoder).run(tmp_path / "whole"))
    first = StageRun(low_rank, "stage2", copy.deepcopy(other), encoder)
    first.steps = 2
    list(first.run(tmp_path / "parts"))
    torch.manual_seed(99)  # whatever else was drawn meanwhile
    second = StageRun(low_rank, "stage2", other, encoder)
    at = checkpoint.latest(tmp_path / "parts")
    assert at is not None
    second.restore(at)
    list(second.run(tmp_path / "parts"))
    own = dict(other.named_parameters())
    assert all(torch.equal(value, own[name]) for name, value in model.named_parameters())


def test_a_recipe_ends_in_a_plain_model(low_rank: Recipe, recipe: Recipe, tmp_path: Path) -> None:
    after = replace(recipe.stages["stage1"], steps=1)
    stages = {"stage1": low_rank.stages["stage2"], "stage2": after}
    reports: list[Report] = []
    both = replace(recipe, stages=stages)
    folder = recipe_run.train(both, tmp_path, say=reports.append)
    from safetensors import safe_open

    with safe_open(folder / "model.safetensors", "pt") as trained:
        names = set(trained.keys())
    with safe_open(tmp_path / "untrained" / "model.safetensors", "pt") as untrained:
        assert names == set(untrained.keys())
    assert not list(folder.glob("adapter*"))


def test_updates_want_a_text_model_that_is_trained(recipe: Recipe) -> None:
    with pytest.raises(UsageError, match="text model, which is not trainable"):
        replace(recipe.stages["stage2"], trainable=("projector",), lora=LORA)
