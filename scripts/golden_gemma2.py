"""Ask tiny Gemma2 LLaVAs with transformers 4.57.6, for tests/engines/golden.

Needs an environment of its own:

    python -m venv old && old/bin/pip install torch==2.13.0 transformers==4.57.6 pillow safetensors
    PYTHONPATH=. old/bin/python scripts/golden_gemma2.py

Legend: P prompts, S tokens (prompt's last, continuation), V vocabulary, T frames, C=3, H, W.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image as pil
from safetensors.numpy import save_file
from safetensors.torch import load_file
from transformers.image_utils import OPENAI_CLIP_MEAN, OPENAI_CLIP_STD

from tests.engines.golden_models import CONTINUATION, FOLDER, PROMPTS, TILE, frames_THWC, weights
from tests.engines.tiny_models import _onevision_tokenizer
from towereval.model_adapters import tiny

VERSION = "4.57.6"
ENDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
PINPOINTS = [[TILE, 2 * TILE], [2 * TILE, TILE], [2 * TILE, 2 * TILE]]
VISION = {
    "model_type": "siglip_vision_model",
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "image_size": TILE,
    "patch_size": 14,
    "vision_use_head": False,
}
TEXT = {
    "model_type": "gemma2",
    # As the published checkpoints have it: the class in which the text model was trained.
    "architectures": ["LlavaGemma2ForCausalLM"],
    "vocab_size": 320,
    "hidden_size": 96,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "query_pre_attn_scalar": 32,
    "sliding_window": 64,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    **ENDS,
}
LLAVA = {
    "text_config": TEXT,
    "vision_config": VISION,
    "vision_feature_select_strategy": "full",
    "vision_feature_layer": -2,
    "image_grid_pinpoints": PINPOINTS,
    "projector_hidden_act": "gelu",
    "tie_word_embeddings": True,
    "pad_token_id": 0,
}


def main() -> None:
    if transformers.__version__ != VERSION:
        raise SystemExit(f"wants transformers {VERSION}, found {transformers.__version__}")
    next_tokenizer, onevision_tokenizer = tiny._tokenizer(), _onevision_tokenizer()
    models = {
        "llava_next": (
            transformers.LlavaNextForConditionalGeneration,
            transformers.LlavaNextConfig(**LLAVA, image_token_index=6, image_seq_length=16),
            next_tokenizer,
        ),
        "llava_onevision": (
            transformers.LlavaOnevisionForConditionalGeneration,
            transformers.LlavaOnevisionConfig(
                **LLAVA,
                image_token_index=onevision_tokenizer.convert_tokens_to_ids("<image>"),
                video_token_index=onevision_tokenizer.convert_tokens_to_ids("<video>"),
                vision_aspect_ratio="anyres_max_9",
            ),
            onevision_tokenizer,
        ),
    }
    described, logits = {}, {}
    for name, (network_class, config, tokenizer) in models.items():
        with tempfile.TemporaryDirectory() as folder:
            network_class(config).save_pretrained(folder)
            file = Path(folder, "model.safetensors")
            shapes = {key: list(value.shape) for key, value in sorted(load_file(file).items())}
            save_file(weights(shapes), file, metadata={"format": "pt"})
            saved = json.loads(Path(folder, "config.json").read_text())
            network = network_class.from_pretrained(folder, attn_implementation="eager").eval()
        described[name] = {"config": saved, "shapes": shapes}
        logits[f"{name}-image"] = _asked(network, tokenizer, _picture_inputs(name, tokenizer))
        if name == "llava_onevision":
            logits[f"{name}-video"] = _asked(network, tokenizer, _video_inputs(tokenizer))
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps({"transformers": VERSION, "models": described}, indent=1)
    (FOLDER / "gemma2_4_57.json").write_text(text + "\n")
    np.savez_compressed(FOLDER / "gemma2_4_57.npz", **logits)


def _asked(network: Any, tokenizer: Any, prompts: list[Any]) -> Any:
    count = len(tokenizer(CONTINUATION, add_special_tokens=False)["input_ids"])
    rows_PSV = []
    for inputs in prompts:
        with torch.inference_mode():
            logits_SV = network(**inputs).logits[0, -count - 1 :]
        rows_PSV.append(logits_SV.numpy())
    return np.stack(rows_PSV)


def _picture_inputs(name: str, tokenizer: Any) -> list[Any]:
    if name == "llava_next":
        processor = tiny._processor(tokenizer)
    else:
        # Its own class wants a video processor, which wants torchvision.
        processor = transformers.LlavaNextProcessor(
            transformers.LlavaOnevisionImageProcessor(
                size={"height": TILE, "width": TILE}, image_grid_pinpoints=PINPOINTS
            ),
            tokenizer,
            patch_size=14,
            vision_feature_select_strategy="full",
            image_token="<image>",
            num_additional_image_tokens=0,
        )
    inputs = []
    for number, text in enumerate(PROMPTS):
        prompt = _prompt(tokenizer, "<image>\n", text)
        picture = pil.fromarray(frames_THWC(number)[0])
        one = processor(
            images=[picture], text=[prompt], add_special_tokens=False, return_tensors="pt"
        )
        inputs.append(one)
    return inputs


def _video_inputs(tokenizer: Any) -> list[Any]:
    """By hand: CLIP's normalisation, a frame's 4x4 patches pooled to 2x2, a newline a clip."""
    inputs = []
    mean_C, std_C = np.float32(OPENAI_CLIP_MEAN), np.float32(OPENAI_CLIP_STD)
    for number, text in enumerate(PROMPTS):
        clip_THWC = frames_THWC(number)
        pixels_THWC = (clip_THWC.astype(np.float32) / 255 - mean_C) / std_C
        pixels_TCHW = torch.tensor(pixels_THWC).permute(0, 3, 1, 2)
        tokens = "<video>" * (len(clip_THWC) * 2 * 2 + 1)
        prompt = _prompt(tokenizer, tokens + "\n", text)
        one = dict(tokenizer([prompt], add_special_tokens=False, return_tensors="pt"))
        inputs.append({**one, "pixel_values_videos": pixels_TCHW[None]})
    return inputs


def _prompt(tokenizer: Any, shown: str, text: str) -> str:
    messages = [{"role": "user", "content": shown + text}]
    template = tiny.CHAT_TEMPLATE
    rendered = tokenizer.apply_chat_template(
        messages, chat_template=template, tokenize=False, add_generation_prompt=True
    )
    return str(rendered) + CONTINUATION


if __name__ == "__main__":
    main()
