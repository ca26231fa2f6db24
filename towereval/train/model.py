"""The model as training sees it: its parts, what a stage moves, and the way from tokens to loss.

B packs, T tokens, D hidden size, N learned tokens, M tokens of pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from towereval.train.clips import pooled
from towereval.train.lora import is_update
from towereval.train.loss import weighted_nll
from towereval.train.packing import Batch
from towereval.train.recipe import Part

PREFIXES: Mapping[Part, tuple[str, ...]] = {
    "projector": ("model.multi_modal_projector.", "model.image_newline"),
    "vision": ("model.vision_tower.",),
    "text": ("model.language_model.", "lm_head."),
}


def part_of(name: str) -> Part:
    """Which part a parameter belongs to."""
    return next(part for part, prefixes in PREFIXES.items() if name.startswith(prefixes))


def is_dead(name: str, config: Any) -> bool:
    """Whether nothing that the language model reads comes from this weight of the tower.

    Features are taken after `vision_feature_layer`; later layers and the last norm are never used.
    """
    if part_of(name) != "vision":
        return False
    layer = config.vision_feature_layer
    used = layer if layer >= 0 else config.vision_config.num_hidden_layers + 1 + layer
    words = name.split(".")
    numbered = "layers" in words and int(words[words.index("layers") + 1]) >= used
    return numbered or "post_layernorm" in words


def freeze(model: Any, trainable: Iterable[Part], *, lora: bool = False) -> list[str]:
    """Let only these parts move, of the text with `lora` its updates; their parameters' names."""
    parts = set(trainable)
    moving = []
    for name, parameter in model.named_parameters():
        part = part_of(name)
        moves = part in parts and not is_dead(name, model.config)
        parameter.requires_grad_(moves and (part != "text" or is_update(name) == lora))
        if parameter.requires_grad:
            moving.append(name)
    return moving


def rate_share(step: int, steps: int, warm_up: float, final: float) -> float:
    """The share of the full learning rate at a step: a linear rise, then a cosine's half."""
    rise = math.ceil(warm_up * steps)
    if step < rise:
        return (step + 1) / rise
    done = (step - rise) / max(1, steps - rise)
    return final + (1 - final) * 0.5 * (1 + math.cos(math.pi * done))


def batch_nll(
    model: Any, batch: Batch, picture_scale: float = 1.0, *, whole: bool = False
) -> tuple[Tensor, Tensor]:
    """The weighted sum of the batch's negative log-likelihoods, and each learned token's.

    `whole` makes the logits of all tokens at once, as transformers does.
    """
    hidden_BTD = _hidden(model, batch, picture_scale)
    learned_BT = batch.weights_BT > 0
    if whole:
        total, each = weighted_nll(
            hidden_BTD.flatten(0, 1),
            model.lm_head.weight,
            batch.targets_BT.flatten(),
            batch.weights_BT.flatten(),
            model.config.text_config.final_logit_softcapping,
            chunk=None,
        )
        return total, each[learned_BT.flatten()]
    return weighted_nll(
        hidden_BTD[learned_BT],
        model.lm_head.weight,
        batch.targets_BT[learned_BT],
        batch.weights_BT[learned_BT],
        model.config.text_config.final_logit_softcapping,
    )


def _hidden(model: Any, batch: Batch, picture_scale: float) -> Tensor:
    """As the model's own forward, but that what is read as a picture can be scaled."""
    inner = model.model
    embeddings_BTD: Tensor = inner.get_input_embeddings()(batch.ids_BT)
    if batch.pixels_IKCHW is not None:
        features_MD = _features(model, batch).to(embeddings_BTD.dtype) * picture_scale
        if batch.blank:
            embeddings_BTD = embeddings_BTD + 0 * features_MD.sum()
        else:
            mask = (batch.ids_BT == model.config.image_token_id)[..., None]
            embeddings_BTD = embeddings_BTD.masked_scatter(mask, features_MD)
    # No attention mask: from position ids that start again transformers sees where examples end.
    hidden_BTD: Tensor = inner.language_model(
        inputs_embeds=embeddings_BTD, position_ids=batch.positions_BT, use_cache=False
    ).last_hidden_state
    return hidden_BTD


def _features(model: Any, batch: Batch) -> Tensor:
    """All pictures' features, one after another."""
    inner = model.model
    if batch.sizes_I2 is not None:
        read = inner.get_image_features(batch.pixels_IKCHW, batch.sizes_I2)
        return torch.cat(read.pooler_output)
    # Shown whole: the features of one tile, row by row, without line ends. So are clips' frames.
    assert batch.pixels_IKCHW is not None
    seen = inner.vision_tower(batch.pixels_IKCHW[:, 0], output_hidden_states=True)
    features_NPD: Tensor = inner.multi_modal_projector(
        seen.hidden_states[model.config.vision_feature_layer]
    )
    if batch.clips:
        return pooled(features_NPD, inner.image_newline, batch.clips)
    return features_NPD.flatten(0, 1)


def picture_scale(model: Any, setting: str) -> float:
    """What `projector_output_scale` means for this model."""
    return math.sqrt(model.config.text_config.hidden_size) if setting == "legacy" else 1.0
