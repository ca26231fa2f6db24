"""What a recipe will cost, told before any weight or record is there.

Lengths are assumed: a picture is cut into 2 x 2 tiles, or shown whole, and has 100 tokens asked and
200 answered; an example without one has 600 tokens, 400 of them answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from towereval.errors import UsageError
from towereval.train import flops, shapes
from towereval.train.clips import tokens_of
from towereval.train.loss import CHUNK
from towereval.train.recipe import Recipe, Stage, Weights

PEAK = 790e12  # dense bfloat16 FLOP/s that one H200 reaches in matrix products
SHARE = 0.45
_ASKED, _ANSWERED = 100, 200
_TEXT, _TEXT_ANSWERED = 600, 400


@dataclass(frozen=True, slots=True)
class StagePlan:
    """`flops` are model FLOPs of the whole stage; `gpu_hours` at SHARE of PEAK.

    `memory` in bytes, by what weights are held in and the number of GPUs: weights, AdamW's moments
    (both so), gradients (float32), bfloat16 copies for products where weights are float32 and not
    in shards, the layers' inputs of one pack (all else is computed again), one chunk of logits.
    """

    stage: str
    steps: int
    examples: int
    tokens: float
    flops: float
    gpu_hours: float
    trained: int
    memory: Mapping[tuple[Weights, int], float]


def plan(recipe: Recipe, gpus: tuple[int, ...] = (1, 8)) -> list[StagePlan]:
    """One for each stage. Raises `UsageError` where the number of records is not known."""
    config = shapes.config_of(recipe.model)
    weights = shapes.parameters(config)
    return [_stage(recipe, name, config, weights, gpus) for name in recipe.stages]


def _stage(
    recipe: Recipe, name: str, config: Any, weights: Mapping[str, int], gpus: tuple[int, ...]
) -> StagePlan:
    stage = recipe.stages[name]
    steps = steps_of(stage)
    tokens, work = 0.0, 0.0
    for share, (length, tiles, learned) in examples_of(stage, config):
        one = flops.work(config, [length], tiles, learned).training(stage.trainable)
        tokens, work = tokens + share * length, work + share * one
    examples = steps * stage.batch
    trained, text = sum(weights[part] for part in stage.trainable), config.text_config
    inputs = 2 * recipe.packing.tokens * text.hidden_size * text.num_hidden_layers
    rest = recipe.packing.packs * inputs + 3 * 4 * CHUNK * text.vocab_size
    return StagePlan(
        stage=name,
        steps=steps,
        examples=examples,
        tokens=examples * tokens,
        flops=examples * work,
        gpu_hours=examples * work / (PEAK * SHARE) / 3600,
        trained=trained,
        memory={
            (held, count): _state(held, sum(weights.values()), trained, count) / count + rest
            for held in get_args(Weights)
            for count in gpus
        },
    )


def _state(held: Weights, weights: int, trained: int, gpus: int) -> int:
    """Bytes of weights, moments and gradients, of all GPUs together."""
    each = 4 if held == "float32" else 2
    copies = 2 * weights if held == "float32" and gpus == 1 else 0
    return each * weights + (2 * each + 4) * trained + copies


def steps_of(stage: Stage) -> int:
    if stage.steps is not None:
        return stage.steps
    counts = [source.records for source in stage.data]
    if not all(counts):
        lacking = ", ".join(source.name for source in stage.data if not source.records)
        raise UsageError(f"how many records have {lacking}? `records` of a source tells a plan")
    return int((stage.epochs or 1.0) * sum(count or 0 for count in counts) / stage.batch)


def examples_of(stage: Stage, config: Any) -> list[tuple[float, tuple[int, int, int]]]:
    """Shares of examples, and the tokens, tiles and learned tokens of each."""
    side = config.vision_config.image_size // config.vision_config.patch_size
    pictured = {
        "single": (side**2, 1),
        "tiles": (side**2 + 2 * side * (2 * side + 1), 5),
        "clips": (tokens_of(stage.frames, side), stage.frames),
    }[stage.view]
    shown = (pictured[0] + _ASKED + _ANSWERED, pictured[1], _ANSWERED)
    text_only = stage.mix.text_only_share or 0.0
    return [(1 - text_only, shown), (text_only, (_TEXT, 0, _TEXT_ANSWERED))]
