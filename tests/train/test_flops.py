"""The formula against what torch counts in the model itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from towereval.train import flops
from towereval.train.loader import Loader
from towereval.train.model import batch_nll, freeze
from towereval.train.packing import Encoder
from towereval.train.recipe import Part, Recipe
from towereval.train.stage_data import StageData


@pytest.mark.parametrize("trainable", [("projector", "vision", "text"), ("projector",)])
def test_forward_and_backward_are_within_a_percent(
    trainable: tuple[Part, ...], recipe: Recipe, model: Any, encoder: Encoder
) -> None:
    (batch,) = Loader(StageData(recipe, "stage1", encoder)).prepare(0).batches
    freeze(model, trainable)
    with FlopCounterMode(display=False) as counter, torch.enable_grad():
        total, _ = batch_nll(model, batch)
        forward = counter.get_total_flops()
        total.backward()
    # What runs: padding too, and all pairs of a pack. The head's logits are made twice.
    packs, width = batch.ids_BT.shape
    layers = model.config.text_config.num_hidden_layers
    work = flops.work_of_pairs(
        model.config, packs * width, packs * width**2 * layers, batch.tiles, sum(batch.learned)
    )
    assert forward == pytest.approx(work.forward, rel=0.01)
    unread = work.vision / 4 + work.vision_attention / 4  # the last layer has no backward pass
    spared = 2 * unread if "vision" in trainable else 0
    wanted = work.training(trainable) + work.head - spared
    assert counter.get_total_flops() == pytest.approx(wanted, rel=0.01)


def test_causal_pairs_within_a_window() -> None:
    for length, window in ((1, None), (5, None), (9, 4), (4, 4), (3, 7)):
        wanted = sum(min(i + 1, window or i + 1) for i in range(length))
        assert flops.causal_pairs(length, window) == wanted
