"""A LLaVA-NeXT of a vision tower and a text model, with a new projector between them.

As the TowerVision authors built theirs: a SigLIP tower read after its last layer but one, a Gemma2
with one more token, a perceptron of two layers, and every grid of up to `max_tiles` tiles.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from towereval.data.media import cache_folder
from towereval.errors import ModelError
from towereval.mending import mended
from towereval.train.recipe import Model

IMAGE = "<image>"
MULTIPLE = 64  # of the embedding's rows: matrix units like it, vLLM splits it
TURNS = ("<start_of_turn>", "<end_of_turn>")
# Tower+'s turns; content is a string, or a list of parts as the generic adapter sends it.
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "<start_of_turn>{{ role }}\n"
    "{% if message['content'] is string %}{{ message['content'] | trim }}{% else %}"
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image>\n"
    "{% elif part['type'] == 'video' %}<video>\n{% else %}{{ part['text'] | trim }}{% endif %}"
    "{% endfor %}{% endif %}<end_of_turn>\n"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)


def assemble(parts: Model, seed: int) -> tuple[Any, Any]:
    """Model (float32) and processor of `parts.vision` and `parts.text`. Raises `ModelError`."""
    from transformers import (
        AutoModelForCausalLM,
        LlavaNextForConditionalGeneration,
        SiglipVisionModel,
    )

    tokenizer = _tokenizer(parts.text)
    with _loading(parts.text):
        # sdpa, transformers' default, leaves out the attention's softcap and does not say so.
        text = AutoModelForCausalLM.from_pretrained(
            parts.text, dtype=torch.float32, attn_implementation="eager"
        )
    with _loading(parts.vision):
        tower = SiglipVisionModel.from_pretrained(
            parts.vision, dtype=torch.float32, vision_use_head=False
        )
    if text.config.model_type != "gemma2":
        raise ModelError(f"{parts.text}: wanted a gemma2, found a {text.config.model_type}")
    _widen(text, len(tokenizer))
    images = _image_processor(parts, tower.config)
    image = tokenizer.convert_tokens_to_ids(IMAGE)
    config = llava_config(text.config, tower.config, image, images.image_grid_pinpoints)
    with torch.device("meta"):
        model = LlavaNextForConditionalGeneration._from_config(config, attn_implementation="eager")
    model.model.vision_tower, model.model.language_model = tower, text.model
    model.lm_head = text.lm_head
    _new_projector(model, seed)
    model.generation_config = text.generation_config
    model.tie_weights()
    if left := [name for name, value in model.named_parameters() if value.is_meta]:
        raise ModelError(f"{parts.vision} and {parts.text} have no {', '.join(left[:3])}")
    return model.eval(), _processor(images, tokenizer, tower.config.patch_size)


def read(folder: Path) -> tuple[Any, Any]:
    """Model (float32) and processor of a LLaVA-NeXT's folder, mended where libraries moved on."""
    from transformers import LlavaNextForConditionalGeneration

    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no checkpoint: it has no config.json")
    path = mended(folder, cache_folder() / "mended").folder
    with _loading(str(folder)):
        model = LlavaNextForConditionalGeneration.from_pretrained(
            path, dtype=torch.float32, attn_implementation="eager"
        )
    return model.eval(), read_processor(path)


def read_processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    with _loading(str(folder)):
        return AutoProcessor.from_pretrained(folder)


def pinpoints(side: int, max_tiles: int) -> list[list[int]]:
    """Height and width of every grid of at most so many tiles, the smaller first."""
    grids = [(i * j, i, j) for i in range(1, max_tiles + 1) for j in range(1, max_tiles // i + 1)]
    return [[i * side, j * side] for _, i, j in sorted(grids)]


def _tokenizer(text: str) -> Any:
    from transformers import AutoTokenizer

    with _loading(text):
        tokenizer = AutoTokenizer.from_pretrained(text, extra_special_tokens={"image_token": IMAGE})
    known = tokenizer.get_vocab()
    if lacking := [token for token in (*TURNS, IMAGE) if token not in known]:
        raise ModelError(f"{text}: its tokenizer has no {' and '.join(lacking)}")
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _widen(text: Any, tokens: int) -> None:
    """Rows for the new token and up to the next multiple: the mean of the others."""
    rows = text.get_input_embeddings().weight.shape[0]
    wanted = math.ceil(max(tokens, rows) / MULTIPLE) * MULTIPLE
    text.resize_token_embeddings(wanted, mean_resizing=False)
    with torch.no_grad():
        weight = text.get_input_embeddings().weight
        weight[rows:] = weight[:rows].mean(dim=0)


def _image_processor(parts: Model, vision: Any) -> Any:
    from transformers import AutoImageProcessor, LlavaNextImageProcessor

    with _loading(parts.vision):
        own = AutoImageProcessor.from_pretrained(parts.vision)
    side = vision.image_size
    return LlavaNextImageProcessor(
        size={"shortest_edge": side},
        crop_size={"height": side, "width": side},
        image_grid_pinpoints=pinpoints(side, parts.max_tiles),
        image_mean=list(own.image_mean),
        image_std=list(own.image_std),
    )


def _processor(images: Any, tokenizer: Any, patch: int) -> Any:
    from transformers import LlavaNextProcessor

    return LlavaNextProcessor(
        image_processor=images,
        tokenizer=tokenizer,
        patch_size=patch,
        vision_feature_select_strategy="full",
        image_token=IMAGE,
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE,
    )


def llava_config(text: Any, vision: Any, image_token: int, grids: list[list[int]]) -> Any:
    from transformers import LlavaNextConfig

    config = LlavaNextConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=image_token,
        vision_feature_select_strategy="full",  # SigLIP has no class token to drop
        vision_feature_layer=-2,
        image_grid_pinpoints=grids,
        image_seq_length=(vision.image_size // vision.patch_size) ** 2,
        projector_hidden_act="gelu",
        tie_word_embeddings=text.tie_word_embeddings,
    )
    config.pad_token_id = text.pad_token_id
    return config


def _new_projector(model: Any, seed: int) -> None:
    """LLaVA's own first weights: torch's for the layers, 1 / sqrt(hidden size) for the newline."""
    from torch import nn

    hidden = model.config.text_config.hidden_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        projector = model.model.multi_modal_projector.to_empty(device="cpu").float()
        for layer in projector.modules():
            if isinstance(layer, nn.Linear):
                layer.reset_parameters()
        model.model.image_newline = nn.Parameter(torch.randn(hidden) / math.sqrt(hidden))


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """A folder or hub id that cannot be loaded is named; the library's remarks are not ours."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{name}: cannot be loaded: {' '.join(str(error).split())}") from error
