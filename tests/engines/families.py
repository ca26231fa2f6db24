"""A tiny random model of each family, built from its configuration: what `adapters` ask in tests.

Each has its family's classes, chat template in shape and special tokens; weights are drawn from
seed 0. Saved as transformers 5 saves, so that `prepare` has its work to do. A picture's tile is 56
pixels, a patch 14.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.engines import templates
from tests.engines.tiny_models import PATCH, PINPOINTS, TEXT, TILE, byte_tokenizer, save
from towereval import plugins
from towereval.types import Model

SIZE = {"height": TILE, "width": TILE}
HALF = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
SIGLIP: Mapping[str, Any] = {
    "model_type": "siglip_vision_model",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": TILE,
    "patch_size": PATCH,
    "vision_use_head": False,
}
CLIP: Mapping[str, Any] = {**SIGLIP, "model_type": "clip_vision_model", "projection_dim": 64}
GEMMA2 = {**TEXT, "model_type": "gemma2", "head_dim": 32, "query_pre_attn_scalar": 32}


@dataclass(frozen=True, slots=True)
class Family:
    """`model` is a name of `towereval models`; `kinds`: what it is shown, `vllm` what by vLLM.

    `alias`: tokens that vLLM writes where the processor writes others.
    """

    model: str
    build: Callable[[Path], None]
    kinds: tuple[str, ...] = ("image", "images")
    vllm: tuple[str, ...] = ("image", "images")
    alias: Mapping[str, str] = dataclasses.field(default_factory=dict)


def family_model(family: Family, parent: Path) -> Model:
    """Built, mended by the family's own adapter, asked by it with the limits of a tiny model."""
    folder = parent / "built"
    family.build(folder)
    adapter, checkpoint = plugins.find_model(family.model)
    prepared = adapter.prepare(folder, parent / "mended")
    tiny = dataclasses.replace(
        checkpoint, repo="", dtype="float32", context_length=2048, frames=4, frame_size=0
    )
    return Model(family.model, adapter, tiny, prepared.folder, "", prepared.changes)


def towervision(folder: Path) -> None:
    _llava_next(folder, GEMMA2, SIGLIP, templates.TOWER, tied=True)


def pangea(folder: Path) -> None:
    _llava_next(folder, {**TEXT, "model_type": "qwen2"}, CLIP, templates.QWEN2)


def llava_mistral(folder: Path) -> None:
    text = {**TEXT, "model_type": "mistral", "sliding_window": None}
    _llava_next(folder, text, CLIP, templates.MISTRAL)


def llava_llama3(folder: Path) -> None:
    _llava_next(folder, {**TEXT, "model_type": "llama"}, CLIP, templates.LLAMA3)


def _llava_next(
    folder: Path,
    text: Mapping[str, Any],
    vision: Mapping[str, Any],
    template: str,
    *,
    tied: bool = False,
) -> None:
    import transformers

    tokenizer = byte_tokenizer(templates.ALL, template, image_token="<image>")
    siglip = vision["model_type"].startswith("siglip")
    strategy = "full" if siglip else "default"  # CLIP has a class token, which is dropped
    config = transformers.LlavaNextConfig(
        text_config=dict(text),
        vision_config=dict(vision),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_select_strategy=strategy,
        vision_feature_layer=-1 if siglip else -2,
        image_grid_pinpoints=PINPOINTS,
        image_seq_length=16,
        tie_word_embeddings=tied,
    )
    processor = transformers.LlavaNextProcessor(
        transformers.LlavaNextImageProcessor(
            size={"shortest_edge": TILE}, crop_size=SIZE, image_grid_pinpoints=PINPOINTS, **HALF
        ),
        tokenizer,
        patch_size=PATCH,
        vision_feature_select_strategy=strategy,
        image_token="<image>",
        num_additional_image_tokens=0 if siglip else 1,
        chat_template=template,
    )
    save(transformers.LlavaNextForConditionalGeneration, config, processor, folder)


def towervideo(folder: Path) -> None:
    import transformers

    tokenizer = byte_tokenizer(
        templates.ALL, templates.TOWER, image_token="<image>", video_token="<video>"
    )
    config = transformers.LlavaOnevisionConfig(
        text_config=dict(GEMMA2),
        vision_config=dict(SIGLIP),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
        image_grid_pinpoints=PINPOINTS,
        vision_aspect_ratio="anyres_max_9",
        tie_word_embeddings=True,
    )
    processor = transformers.LlavaOnevisionProcessor(
        transformers.LlavaOnevisionImageProcessor(size=SIZE, image_grid_pinpoints=PINPOINTS),
        tokenizer,
        transformers.LlavaOnevisionVideoProcessor(size=SIZE),
        num_image_tokens=(TILE // PATCH) ** 2,
        vision_feature_select_strategy="full",
        chat_template=templates.TOWER,
    )
    save(transformers.LlavaOnevisionForConditionalGeneration, config, processor, folder)


def qwen2_5_vl(folder: Path) -> None:
    import transformers

    image, video = "<|image_pad|>", "<|video_pad|>"
    tokenizer = byte_tokenizer(
        templates.ALL, templates.QWEN_VL, image_token=image, video_token=video
    )
    ids = tokenizer.convert_tokens_to_ids
    rope = {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [4, 6, 6]}
    config = transformers.Qwen2_5_VLConfig(
        text_config={**TEXT, "rope_parameters": rope},
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "num_heads": 2,
            "intermediate_size": 128,
            "out_hidden_size": 64,
            "patch_size": PATCH,
            "window_size": 112,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
        },
        image_token_id=ids(image),
        video_token_id=ids(video),
        vision_start_token_id=ids("<|vision_start|>"),
        vision_end_token_id=ids("<|vision_end|>"),
    )
    size = {"shortest_edge": TILE**2, "longest_edge": (2 * TILE) ** 2}
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(size=size),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(size=size),
        chat_template=templates.QWEN_VL,
    )
    save(transformers.Qwen2_5_VLForConditionalGeneration, config, processor, folder)


def gemma3(folder: Path) -> None:
    import transformers

    start, end, image = "<start_of_image>", "<end_of_image>", "<image_soft_token>"
    lines = ("\n", "\n\n", "\n\n\n", "\n\n\n\n")  # vLLM counts on them as single tokens
    tokenizer = byte_tokenizer(
        (*templates.ALL, *lines),
        templates.GEMMA3,
        image_token=image,
        boi_token=start,
        eoi_token=end,
    )
    ids = tokenizer.convert_tokens_to_ids
    config = transformers.Gemma3Config(
        text_config={**TEXT, "head_dim": 32, "query_pre_attn_scalar": 32, "sliding_window": 64},
        vision_config=dict(SIGLIP),
        mm_tokens_per_image=4,
        boi_token_index=ids(start),
        eoi_token_index=ids(end),
        image_token_index=ids(image),
    )
    processor = transformers.Gemma3Processor(
        transformers.Gemma3ImageProcessor(size=SIZE, **HALF),
        tokenizer,
        chat_template=templates.GEMMA3,
        image_seq_length=4,
    )
    save(transformers.Gemma3ForConditionalGeneration, config, processor, folder)


def aya_vision(folder: Path) -> None:
    import transformers

    tokenizer = byte_tokenizer(templates.ALL, templates.AYA, image_token="<image>")
    config = transformers.AyaVisionConfig(
        text_config={**TEXT, "model_type": "cohere2", "logit_scale": 1.0, "sliding_window": 64},
        vision_config=dict(SIGLIP),
        downsample_factor=2,
        image_token_index=tokenizer.convert_tokens_to_ids("<|IMG_PATCH|>"),
        vision_feature_layer=-1,
    )
    processor = transformers.AyaVisionProcessor(
        transformers.GotOcr2ImageProcessor(
            size=SIZE, crop_to_patches=True, min_patches=1, max_patches=4, **HALF
        ),
        tokenizer,
        patch_size=PATCH,
        img_size=TILE,
        downsample_factor=2,
        chat_template=templates.AYA,
    )
    save(transformers.AyaVisionForConditionalGeneration, config, processor, folder)


def pixtral(folder: Path) -> None:
    import transformers

    tokenizer = byte_tokenizer(templates.ALL, templates.PIXTRAL, image_token="[IMG]")
    config = transformers.LlavaConfig(
        text_config={**TEXT, "model_type": "mistral", "sliding_window": None, "head_dim": 32},
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "head_dim": 32,
            "image_size": 2 * TILE,
            "patch_size": PATCH,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        vision_feature_select_strategy="full",
        vision_feature_layer=-1,
    )
    processor = transformers.PixtralProcessor(
        transformers.PixtralImageProcessor(
            size={"longest_edge": 2 * TILE}, patch_size={"height": PATCH, "width": PATCH}
        ),
        tokenizer,
        patch_size=PATCH,
        chat_template=templates.PIXTRAL,
    )
    save(transformers.LlavaForConditionalGeneration, config, processor, folder)


def internvl3(folder: Path) -> None:
    import transformers

    tokenizer = byte_tokenizer(
        templates.ALL,
        templates.INTERNVL,
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    config = transformers.InternVLConfig(
        text_config={**TEXT, "model_type": "qwen2"},
        vision_config={
            "model_type": "internvl_vision",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [TILE, TILE],
            "patch_size": [PATCH, PATCH],
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
        tie_word_embeddings=False,
    )
    processor = transformers.InternVLProcessor(
        transformers.GotOcr2ImageProcessor(
            size=SIZE, crop_to_patches=True, min_patches=1, max_patches=4
        ),
        tokenizer,
        transformers.InternVLVideoProcessor(size=SIZE),
        image_seq_length=4,
        chat_template=templates.INTERNVL,
    )
    save(transformers.InternVLForConditionalGeneration, config, processor, folder)


def videollama3(folder: Path) -> None:
    import transformers

    image, video = "<|image_pad|>", "<|video_pad|>"
    tokenizer = byte_tokenizer(
        templates.ALL, templates.VIDEOLLAMA3, image_token=image, video_token=video
    )
    config = transformers.VideoLlama3Config(
        text_config={**TEXT, "model_type": "qwen2"},
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": PATCH,
        },
        image_token_id=tokenizer.convert_tokens_to_ids(image),
        video_token_id=tokenizer.convert_tokens_to_ids(video),
    )
    size = {"shortest_edge": TILE**2, "longest_edge": (2 * TILE) ** 2}
    processor = transformers.VideoLlama3Processor(
        transformers.VideoLlama3ImageProcessor(size=size, **HALF),
        tokenizer,
        transformers.VideoLlama3VideoProcessor(size=size, **HALF),
        chat_template=templates.VIDEOLLAMA3,
    )
    save(transformers.VideoLlama3ForConditionalGeneration, config, processor, folder)


CLIPS = ("image", "images", "video")
FAMILIES: Mapping[str, Family] = {
    "towervision": Family("towervision-2b", towervision),
    # Several pictures are refused: the engines cut them into tiles each in its own way.
    "towervideo": Family("towervideo-2b", towervideo, ("image", "video"), ("image", "video")),
    "qwen2_5_vl": Family("qwen2.5-vl-3b", qwen2_5_vl, CLIPS, CLIPS),
    # Its pictures attend both ways, which vLLM does not do on a CPU.
    "gemma3": Family("gemma3-4b", gemma3, vllm=()),
    "llava_next-mistral": Family("llava-v1.6-mistral-7b", llava_mistral),
    "llava_next-llama3": Family("llama3-llava-next-8b", llava_llama3),
    "pangea": Family("pangea-7b", pangea),
    "pixtral": Family("pixtral-12b", pixtral),
    "internvl3": Family("internvl3-2b", internvl3, CLIPS, CLIPS, {"<video>": "<IMG_CONTEXT>"}),
    # vLLM runs these two by transformers' modules, which it does not tell when frames were.
    "aya_vision": Family("aya-vision-8b", aya_vision),
    "videollama3": Family("videollama3-7b", videollama3, CLIPS),
}
