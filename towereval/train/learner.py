"""A model ready to learn: frozen where a stage says so, on its device, in shards for several.

Sharded are each layer of tower and text model, and the rest as one (FSDP2). All processes must run
the same layers: who has no picture shows an empty tile, whose features count for nothing.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.utils.checkpoint import CheckpointPolicy, create_selective_checkpoint_contexts

from towereval.train.model import batch_nll
from towereval.train.packing import Batch
from towereval.train.processes import Processes
from towereval.train.recipe import Performance, Recipe

# What is kept for the backward pass where the rest of a layer is computed again: the products.
_KEPT = (torch.ops.aten.mm.default, torch.ops.aten.addmm.default, torch.ops.aten.bmm.default)


class Learner(nn.Module):  # type: ignore[misc]
    """The way from a batch to its loss as one module: sharding gathers weights at its border."""

    def __init__(self, model: Any, picture_scale: float, together: bool, whole: bool) -> None:
        super().__init__()
        self.model, self.picture_scale = model, picture_scale
        self.together, self.whole = together, whole

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        nll, each_N = batch_nll(self.model, batch, self.picture_scale, whole=self.whole)
        if self.together and self.model.model.image_newline.requires_grad:
            # A weight that only some processes used would be reduced by those alone.
            nll = nll + 0 * self.model.model.image_newline.sum()
        return nll, each_N


def learner(model: Any, recipe: Recipe, scale: float, processes: Processes) -> Learner:
    """The model, frozen already, as `recipe.performance` wants it run."""
    model.to(processes.device)
    layers = [*_text_layers(model), *_tower_layers(model)]
    _attend(model, recipe.performance, processes.device)
    _recompute(model, recipe.performance)
    if recipe.performance.compile:
        for layer in layers:
            layer.compile()
    whole = recipe.performance.loss == "whole"
    found = Learner(model, scale, processes.world > 1, whole)
    if processes.world > 1:
        gpu, half = processes.device.type == "cuda", recipe.precision == "bfloat16"
        policy = MixedPrecisionPolicy(
            param_dtype=torch.bfloat16 if gpu and half else None,
            reduce_dtype=torch.float32,
            cast_forward_inputs=False,
        )
        mesh = init_device_mesh(processes.device.type, (processes.world,))
        for module in (*layers, found):
            fully_shard(module, mesh=mesh, mp_policy=policy)
    return found


def _text_layers(model: Any) -> list[nn.Module]:
    return list(model.model.language_model.layers)


def _tower_layers(model: Any) -> list[nn.Module]:
    return list(
        getattr(model.model.vision_tower, "vision_model", model.model.vision_tower).encoder.layers
    )


def _attend(model: Any, performance: Performance, device: torch.device) -> None:
    """sdpa, transformers' default, leaves out Gemma2's softcap of attention and does not say so."""
    wanted = performance.attention
    if wanted == "auto":  # flex has no backward pass on a CPU
        wanted = "flex" if device.type == "cuda" else "eager"
    if wanted == "flex":
        model.set_attn_implementation({"text_config": "flex_attention", "vision_config": "sdpa"})


def _recompute(model: Any, performance: Performance) -> None:
    text = model.model.language_model
    if performance.recompute == "none":
        return
    how: dict[str, Any] = {"use_reentrant": False}
    if performance.recompute == "selective":
        how["context_fn"] = functools.partial(create_selective_checkpoint_contexts, _keep)
    text.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)


def _keep(context: Any, operation: Any, *given: Any, **named: Any) -> CheckpointPolicy:
    kept = operation in _KEPT or "flex_attention" in str(operation)
    return CheckpointPolicy.MUST_SAVE if kept else CheckpointPolicy.PREFER_RECOMPUTE
