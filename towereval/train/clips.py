"""Clips: uniformly sampled frames, each one tile, their features pooled two by two.

The sources of TowerVideo's stage are not public; this is LLaVA-OneVision's way (a newline after the
clip, none between frames), so that its class in transformers and vLLM serves what is trained. C
clips, F frames, P patches of a frame, D hidden size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from towereval.corpus import records
from towereval.corpus.pictures import look_at
from towereval.data.folder import file_within
from towereval.data.video import decode_video, uniform
from towereval.types import Video

VIDEO = "<video>"


def frames_of(clip: records.Clip, folder: Path, count: int) -> list[NDArray[Any]]:
    """So many frames, the first and the last among them. Raises `DataError`."""
    if clip.path:
        video = Video(str(file_within(folder, clip.path, folder)), "")
        return list(decode_video(video, count).frames_THWC)
    wanted = uniform(len(clip.frames), count)
    seen = {at: np.array(look_at(clip.frames[at], folder).pixels) for at in sorted(set(wanted))}
    return [seen[at] for at in wanted]


def tokens_of(frames: int, side: int) -> int:
    """Of a clip whose frames have `side` patches along each side: pooled, and a newline."""
    return frames * math.ceil(side / 2) ** 2 + 1


def pixels_of_clips(images: Any, clips: Sequence[Sequence[NDArray[Any]]]) -> Tensor:
    """All clips' frames (one tile each) as the exported model's processor shows them."""
    processor = video_processor(images)
    shown = [
        processor(videos=[list(frames)], do_sample_frames=False, return_tensors="pt")
        for frames in clips
    ]
    return torch.cat([one["pixel_values_videos"][0] for one in shown])[:, None]


def pooled(features_NPD: Tensor, newline_D: Tensor, clips: Sequence[int]) -> Tensor:
    """All clips' features one after another; `clips` are their numbers of frames."""
    count, patches, width = features_NPD.shape
    side = math.isqrt(patches)
    grid = features_NPD.transpose(1, 2).reshape(count, width, side, side)
    half = math.ceil(side / 2)
    small = functional.interpolate(grid, size=(half, half), mode="bilinear")
    frames_NQD = small.flatten(2).transpose(1, 2)
    parts, at = [], 0
    for frames in clips:
        parts += [frames_NQD[at : at + frames].flatten(0, 1), newline_D[None].to(small.dtype)]
        at += frames
    return torch.cat(parts)


def video_processor(images: Any) -> Any:
    from transformers import LlavaOnevisionVideoProcessor

    size = images.crop_size["height"]
    return LlavaOnevisionVideoProcessor(
        size={"height": size, "width": size},
        image_mean=list(images.image_mean),
        image_std=list(images.image_std),
    )


def as_onevision(model: Any, processor: Any, chat_template: str) -> tuple[Any, Any]:
    """The same weights as a LLaVA-OneVision with a place for clips, and its processor."""
    from transformers import LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration

    tokenizer, old = processor.tokenizer, model.config
    tokenizer.add_tokens([VIDEO], special_tokens=True)
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        model.resize_token_embeddings(math.ceil(len(tokenizer) / 64) * 64, mean_resizing=False)
    config = LlavaOnevisionConfig(
        vision_config=old.vision_config,
        text_config=old.text_config,
        image_token_index=old.image_token_id,
        video_token_index=tokenizer.convert_tokens_to_ids(VIDEO),
        image_grid_pinpoints=old.image_grid_pinpoints,
        vision_feature_layer=old.vision_feature_layer,
        vision_feature_select_strategy="full",
        projector_hidden_act="gelu",
        multimodal_projector_bias=True,
        tie_word_embeddings=old.tie_word_embeddings,
    )
    config.pad_token_id = old.text_config.pad_token_id
    with torch.device("meta"):
        made = LlavaOnevisionForConditionalGeneration._from_config(
            config, attn_implementation="eager"
        )
    for part in ("vision_tower", "multi_modal_projector", "language_model", "image_newline"):
        setattr(made.model, part, getattr(model.model, part))
    made.lm_head = model.lm_head
    made.tie_weights()
    made.generation_config = model.generation_config
    return made.eval(), _processor(processor, chat_template)


def _processor(processor: Any, chat_template: str) -> Any:
    from transformers import LlavaOnevisionImageProcessor, LlavaOnevisionProcessor

    images = processor.image_processor
    side = images.crop_size["height"]
    own = LlavaOnevisionImageProcessor(
        size={"height": side, "width": side},
        image_grid_pinpoints=images.image_grid_pinpoints,
        image_mean=list(images.image_mean),
        image_std=list(images.image_std),
    )
    return LlavaOnevisionProcessor(
        image_processor=own,
        tokenizer=processor.tokenizer,
        video_processor=video_processor(images),
        num_image_tokens=(side // processor.patch_size) ** 2,
        vision_feature_select_strategy="full",
        chat_template=chat_template,
        image_token="<image>",
        video_token=VIDEO,
    )
