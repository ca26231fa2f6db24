"""One tiny model for all tests of training; a test that moves its weights takes a copy."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from towereval.train import recipe_files as recipes
from towereval.train import tiny
from towereval.train.packing import Encoder
from towereval.train.recipe import Recipe


@pytest.fixture(scope="session")
def built() -> tuple[Any, Any]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model, processor = tiny.build(seed=0)
    torch.set_num_threads(threads)
    return model.eval(), processor


@pytest.fixture
def model(built: tuple[Any, Any]) -> Any:
    return copy.deepcopy(built[0])


@pytest.fixture(scope="session")
def encoder(built: tuple[Any, Any]) -> Encoder:
    return Encoder(built[1])


@pytest.fixture
def recipe() -> Recipe:
    """The tiny recipe in float32, with few and small steps."""
    stages = ("text_stand_in", "stage1", "stage2", "stage3")
    steps = {f"stages.{stage}.steps": 4 for stage in stages}
    sizes = {f"stages.{stage}.batch": 4 for stage in stages}
    tower = {"model.tiny.tower_steps": 2, "model.tiny.tower_batch": 8}
    changes = {**steps, **sizes, **tower, "precision": "float32", "checkpoint_every": 2}
    return recipes.load(recipes.find("tiny"), changes)
