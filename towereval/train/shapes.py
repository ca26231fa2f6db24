"""The shapes of known parts, for planning and measuring without their weights.

Source: the configurations of google/siglip2-so400m-patch14-384, Unbabel/Tower-Plus-2B and -9B.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from towereval.errors import ModelError, UnknownName
from towereval.train import tiny
from towereval.train.assemble import llava_config, pinpoints
from towereval.train.recipe import Model

VOCABULARY = 256_000
_GEMMA2: Mapping[str, Mapping[str, int]] = {
    "Unbabel/Tower-Plus-2B": {
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "query_pre_attn_scalar": 256,
    },
    "Unbabel/Tower-Plus-9B": {
        "hidden_size": 3584,
        "intermediate_size": 14336,
        "num_hidden_layers": 42,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
        "query_pre_attn_scalar": 256,
    },
}
_SIGLIP: Mapping[str, Mapping[str, int]] = {
    "google/siglip2-so400m-patch14-384": {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "image_size": 384,
        "patch_size": 14,
    }
}


def config_of(model: Model) -> Any:
    """A recipe's model as a configuration: of what is known by its hub id, or lies in a folder."""
    from transformers import AutoConfig

    if model.tiny is not None:
        return tiny._config()
    if model.init_from:
        return AutoConfig.from_pretrained(_folder(model.init_from, ()))
    vision, text = _vision(model.vision), _text(model.text)
    grids = pinpoints(vision.image_size, model.max_tiles)
    return llava_config(text, vision, text.vocab_size - 64, grids)


def _text(name: str) -> Any:
    from transformers import AutoConfig, Gemma2Config

    if name not in _GEMMA2:
        return AutoConfig.from_pretrained(_folder(name, _GEMMA2))
    # With the rows that the picture's token and the filling to a multiple add.
    return Gemma2Config(vocab_size=VOCABULARY + 64, head_dim=256, **_GEMMA2[name])


def _vision(name: str) -> Any:
    from transformers import AutoConfig, SiglipVisionConfig

    if name not in _SIGLIP:
        read = AutoConfig.from_pretrained(_folder(name, _SIGLIP))
        return getattr(read, "vision_config", read)
    return SiglipVisionConfig(vision_use_head=False, **_SIGLIP[name])


def _folder(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    if not Path(name, "config.json").is_file():
        if Path(name).is_dir():
            raise ModelError(f"{name}: no config.json")
        raise UnknownName("shape", name, known)
    return name


def parameters(config: Any) -> Mapping[str, int]:
    """How many weights each part has, a tied embedding counted once; the meta device holds none."""
    import torch
    from transformers import LlavaNextForConditionalGeneration

    from towereval.train.model import part_of

    with torch.device("meta"):
        model = LlavaNextForConditionalGeneration(config)
    model.tie_weights()
    counts = {"projector": 0, "vision": 0, "text": 0}
    for name, parameter in model.named_parameters():
        counts[part_of(name)] += parameter.numel()
    return counts
