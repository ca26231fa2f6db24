"""What vLLM is given: token ids, pixels, and names by which its caches know a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from towereval.data.media import DECODING
from towereval.engines.prompts import Decoded, Encoded, video_metadata
from towereval.types import Frame, Image, Model, Video, digest

if TYPE_CHECKING:
    import torch
    from PIL.Image import Image as Picture


def as_tensor(picture: Picture) -> Picture | torch.Tensor:
    """As transformers would make it of the picture, but where it is decoded: in several threads.

    vLLM also leaves a tensor alone, where it copies a Pillow picture twice.
    """
    import numpy as np
    import torch

    if picture.width <= 4:  # vLLM would take the columns for channels
        return picture
    pixels_HWC = torch.from_numpy(np.array(picture))
    return pixels_HWC.permute(2, 0, 1)


def prompt_of(decoded: Decoded, encoded: Encoded, reading: str) -> dict[str, Any]:
    """As vLLM takes it; `reading` is part of what names a picture (`reading_of`)."""
    prompt: dict[str, Any] = {"prompt_token_ids": encoded.token_ids}
    data: dict[str, Any] = {}
    if decoded.images:
        data["image"] = list(decoded.images)
    if decoded.videos:
        # That the frames are sampled is told vLLM in the metadata, and transformers beside it.
        data["video"] = [
            (clip.frames_THWC, {**video_metadata(clip), "do_sample_frames": False})
            for clip in decoded.videos
        ]
    if data:
        prompt["multi_modal_data"] = data
        # vLLM's cache keys, which it believes: a picture is processed once however many ask about
        # it. Left alone it would take two pictures with one EXIF ImageID for the same.
        prompt["multi_modal_uuids"] = {
            "image": [picture_id(image, reading) for image in decoded.rendered.images],
            "video": [picture_id(clip, reading) for clip in decoded.rendered.videos],
        }
    return prompt


def reading_of(model: Model, engine_args: Mapping[str, Any]) -> str:
    """A digest of all that makes other pixels, or other tokens, of the same file."""
    shown = [DECODING, model.digest, model.checkpoint.frames, model.checkpoint.frame_size]
    return digest([*shown, engine_args.get("mm_processor_kwargs")])[:16]


def picture_id(item: Image | Frame | Video, reading: str) -> str | None:
    """Content and how it is read; what has no hash has no id, or all such would be one picture."""
    file = item.video if isinstance(item, Frame) else item
    part = f"{item.index}of{item.count}" if isinstance(item, Frame) else type(item).__name__
    return f"{file.sha256}/{part}/{reading}" if file.sha256 else None
