"""TowerVision's shapes with random weights: as large and as slow as the real ones, and ignorant.

Configurations as released (utter-project/TowerVision-2B and -9B: Gemma2, SigLIP2 so400m at 384
pixels with 26 layers, at most six tiles); tokenizer and processor are the tiny model's, so nothing
is downloaded. "tiny" is the tiny model itself.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval import plugins

TILE = 384
MOST_TILES = 6


@dataclass(frozen=True, slots=True)
class Gemma2:
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int


SHAPES = {
    "tiny": None,
    "2b": Gemma2(2304, 9216, 26, 8, 4),
    "9b": Gemma2(3584, 14336, 42, 16, 8),
}


def write(folder: Path, shape: str) -> None:
    """Configuration, tokenizer and processor; of the tiny shape the weights, too."""
    sys.modules[type(plugins.load_adapter("tiny")).__module__].build(folder)
    wanted = SHAPES[shape]
    if wanted is None:
        return
    from transformers import AutoConfig, AutoProcessor

    pinpoints = [
        [rows * TILE, columns * TILE]
        for rows in range(1, MOST_TILES + 1)
        for columns in range(1, MOST_TILES + 1)
        if rows * columns <= MOST_TILES
    ]
    processor = AutoProcessor.from_pretrained(folder)
    images = processor.image_processor
    images.size = {"shortest_edge": TILE}
    images.crop_size = {"height": TILE, "width": TILE}
    images.image_grid_pinpoints = pinpoints
    processor.save_pretrained(folder)
    config = AutoConfig.from_pretrained(folder)
    _enlarge(config, wanted, pinpoints)
    config.save_pretrained(folder)
    (folder / "model.safetensors").unlink()


def _enlarge(config: Any, wanted: Gemma2, pinpoints: list[list[int]]) -> None:
    from transformers import Gemma2Config, SiglipVisionConfig

    small = config.text_config
    config.text_config = Gemma2Config(
        vocab_size=256_001,
        hidden_size=wanted.hidden_size,
        intermediate_size=wanted.intermediate_size,
        num_hidden_layers=wanted.num_hidden_layers,
        num_attention_heads=wanted.num_attention_heads,
        num_key_value_heads=wanted.num_key_value_heads,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=4096,
        max_position_embeddings=8192,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        tie_word_embeddings=True,
        pad_token_id=small.pad_token_id,
        eos_token_id=small.eos_token_id,
        bos_token_id=small.bos_token_id,
    )
    config.vision_config = SiglipVisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=26,
        num_attention_heads=16,
        image_size=TILE,
        patch_size=14,
        vision_use_head=False,
    )
    config.vision_feature_layer = -1
    config.image_grid_pinpoints = pinpoints
    config.image_seq_length = (TILE // 14) ** 2


def random_network(folder: Path, device: str, **settings: Any) -> Any:
    """In place of `from_pretrained`: the same class, its weights drawn on the device."""
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    dtype = settings.pop("dtype", "float32")
    torch.manual_seed(0)
    with torch.device(device):
        return AutoModelForImageTextToText.from_config(
            AutoConfig.from_pretrained(folder), dtype=getattr(torch, dtype), **settings
        )
