"""A tiny LLaVA-NeXT (SigLIP, MLP, Gemma2) with random weights, for trying and testing.

It has TowerVision's architecture and every part of its path through the engines, and knows nothing:
its scores are chance. Needs torch and transformers; no hub.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from towereval.chat import as_string
from towereval.errors import MissingExtra
from towereval.types import Checkpoint, Prepared, Prompt, Rendered

VERSION = 1
SPECIAL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<image>")
# TowerVision's own template: content must be a string.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "<start_of_turn>{{ role }}\n{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
TILE = 56
PATCH = 14


class Tiny:
    name = "tiny"
    version = VERSION
    checkpoints: Mapping[str, Checkpoint] = {
        "tiny": Checkpoint(
            repo="", licence="apache-2.0", dtype="float32", context_length=2048, images=4, frames=4
        )
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        return as_string(prompt, checkpoint, image="<image>\n")

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        """A given folder is taken as it is; without one the model is built, once."""
        built = folder or cache / f"tiny-{VERSION}"
        if not built.exists():
            cache.mkdir(parents=True, exist_ok=True)
            temporary = Path(mkdtemp(dir=cache))
            try:
                build(temporary)
                temporary.rename(built)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return Prepared(built, () if folder else ("random weights, built from seed 0",))


def build(folder: Path, tile: int = TILE) -> None:
    """Write configuration, weights (seed 0), tokenizer and processor; tiles of `tile` pixels."""
    try:
        import torch
        from transformers import GenerationConfig, LlavaNextForConditionalGeneration
    except ImportError as error:
        raise MissingExtra("transformers", "cpu") from error
    tokenizer = _tokenizer()
    ends = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
    # A generator of its own would not reach the modules' initialisation: the global seed is put
    # back.
    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    try:
        model = LlavaNextForConditionalGeneration(_config(ends, tile)).float().eval()
        _spread(model)
    finally:
        torch.random.set_rng_state(state)
    model.generation_config = GenerationConfig(do_sample=False, **ends)
    model.save_pretrained(folder)
    _processor(tokenizer, tile).save_pretrained(folder)
    _siglip_names(folder / "model.safetensors")


def _pinpoints(tile: int) -> list[list[int]]:
    return [[tile, 2 * tile], [2 * tile, tile], [2 * tile, 2 * tile]]


def _config(ends: Mapping[str, int], tile: int = TILE) -> Any:
    from transformers import Gemma2Config, LlavaNextConfig, SiglipVisionConfig

    vision = SiglipVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=tile,
        patch_size=PATCH,
        vision_use_head=False,
    )
    text = Gemma2Config(
        vocab_size=320,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,  # the smallest that vLLM's CPU attention has
        query_pre_attn_scalar=32,
        sliding_window=64,
        max_position_embeddings=2048,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        tie_word_embeddings=True,
        **ends,
    )
    config = LlavaNextConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=SPECIAL_TOKENS.index("<image>"),
        vision_feature_select_strategy="full",  # SigLIP has no class token to drop
        vision_feature_layer=-2,
        image_grid_pinpoints=_pinpoints(tile),
        image_seq_length=(tile // PATCH) ** 2,
        projector_hidden_act="gelu",
        tie_word_embeddings=True,
    )
    config.pad_token_id = ends["pad_token_id"]
    return config


def _spread(model: Any) -> None:
    """Weights that make answers differ: the default ones give one token again and again."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.ndim < 2:
                continue
            weight.normal_(0, 0.3)
            if "embed_tokens" in name:  # small rows of equal length: the layers decide
                weight.copy_(weight / weight.norm(dim=-1, keepdim=True) * 0.24)


def _tokenizer() -> Any:
    """Bytes as tokens, no merges."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*SPECIAL_TOKENS, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in SPECIAL_TOKENS]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        padding_side="left",
        model_max_length=2048,
        extra_special_tokens={"image_token": "<image>"},
        chat_template=CHAT_TEMPLATE,
    )


def _processor(tokenizer: Any, tile: int = TILE) -> Any:
    from transformers import LlavaNextImageProcessor, LlavaNextProcessor

    images = LlavaNextImageProcessor(
        size={"shortest_edge": tile},
        crop_size={"height": tile, "width": tile},
        image_grid_pinpoints=_pinpoints(tile),
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaNextProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy="full",
        image_token="<image>",
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE,
    )


def _siglip_names(file: Path) -> None:
    """transformers 5 drops `vision_model.` from SigLIP's names; vLLM 0.32 wants it."""
    from safetensors.torch import load_file, save_file

    tower, old = "vision_tower.", "vision_tower.vision_model."
    weights = {
        name.replace(tower, old, 1) if tower in name and old not in name else name: weight
        for name, weight in load_file(file).items()
    }
    save_file(weights, file, metadata={"format": "pt"})


adapter = Tiny()
