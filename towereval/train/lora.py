"""Low-rank updates of the text model, by peft; merged into its weights when a stage ends."""

from __future__ import annotations

from typing import Any

import torch

from towereval.errors import MissingExtra
from towereval.train.recipe import Lora

# All linear layers of Gemma2's blocks; embedding and head stay as they are.
LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def add(model: Any, lora: Lora, seed: int) -> None:
    """Put updates that are zero yet beside the text model's layers."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise MissingExtra("peft", "train") from error
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(LAYERS),
        bias="none",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model.model.language_model)


def merge(model: Any) -> None:
    """Add the updates to the weights and take them away; a model without any stays as it is."""
    from peft.tuners.lora import LoraLayer

    found = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, LoraLayer)]
    for name, layer in found:
        layer.merge()
        above, _, own = name.rpartition(".")
        setattr(model.get_submodule(above), own, layer.get_base_layer())
    text = model.model.language_model
    if found and hasattr(text, "peft_config"):
        del text.peft_config  # else it is saved as an adapter


def is_update(name: str) -> bool:
    """Whether a parameter is of an update, by its name."""
    return ".lora_" in name
