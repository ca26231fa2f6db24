"""Tiny LLaVA-OneVision and Qwen2.5-VL with random weights, which read pictures and video.

They stand for the models whose clips go to the engine as frames with their times. The picture model
is the project's own, `model_adapters/tiny.py`, and lends its way of spreading weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.chat import as_parts
from towereval.model_adapters import tiny
from towereval.types import Checkpoint, Model, Prepared, Prompt, Rendered

TILE = 56
PATCH = 14
PINPOINTS = [[TILE, 2 * TILE], [2 * TILE, TILE], [2 * TILE, 2 * TILE]]
ENDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
TEXT: Mapping[str, Any] = {
    "vocab_size": 360,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 2048,
    **ENDS,
}
SPECIAL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
CHECKPOINT = Checkpoint(
    repo="", dtype="float32", context_length=2048, reads_video=True, images=4, frames=4
)


@dataclass(frozen=True, slots=True)
class VideoAdapter:
    name: str
    version: int = 1

    @property
    def checkpoints(self) -> Mapping[str, Checkpoint]:
        return {self.name: CHECKPOINT}

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        return as_parts(prompt, checkpoint)

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        """Builds the model below `cache`."""
        built = folder or cache / self.name
        if not built.exists():
            BUILDERS[self.name](built)
        return Prepared(built)


def tiny_model(cache: Path) -> Model:
    """The project's tiny picture model."""
    prepared = tiny.adapter.prepare(None, cache)
    checkpoint = tiny.adapter.checkpoints["tiny"]
    return Model("tiny", tiny.adapter, checkpoint, prepared.folder, digest="")


def video_model(name: str, cache: Path) -> Model:
    adapter = VideoAdapter(name)
    return Model(name, adapter, CHECKPOINT, adapter.prepare(None, cache).folder, digest="")


def build_onevision(folder: Path) -> None:
    import transformers

    tokenizer = _onevision_tokenizer()
    config = transformers.LlavaOnevisionConfig(
        text_config={"model_type": "qwen2", **TEXT},
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": TILE,
            "patch_size": PATCH,
            "vision_use_head": False,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        vision_feature_select_strategy="full",  # SigLIP has no class token to drop
        vision_feature_layer=-1,
        image_grid_pinpoints=PINPOINTS,
        vision_aspect_ratio="anyres_max_9",
    )
    processor = onevision_processor()
    save(transformers.LlavaOnevisionForConditionalGeneration, config, processor, folder)
    tiny._siglip_names(folder / "model.safetensors")


def onevision_processor(chat_template: str = "") -> Any:
    import transformers

    tokenizer = _onevision_tokenizer()
    tokenizer.chat_template = chat_template or tokenizer.chat_template
    size = {"height": TILE, "width": TILE}
    return transformers.LlavaOnevisionProcessor(
        transformers.LlavaOnevisionImageProcessor(size=size, image_grid_pinpoints=PINPOINTS),
        tokenizer,
        transformers.LlavaOnevisionVideoProcessor(size=size),
        num_image_tokens=(TILE // PATCH) ** 2,
        vision_feature_select_strategy="full",
        chat_template=tokenizer.chat_template,
    )


def _onevision_tokenizer() -> Any:
    return _tokenizer("<image>", "<video>", image="<image>\n", video="<video>\n")


def build_qwen(folder: Path) -> None:
    import transformers

    start, end, image, video = (
        "<|vision_start|>",
        "<|vision_end|>",
        "<|image_pad|>",
        "<|video_pad|>",
    )
    tokenizer = _tokenizer(
        image, video, start, end, image=f"{start}{image}{end}", video=f"{start}{video}{end}"
    )
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
        image_token_id=tokenizer.convert_tokens_to_ids(image),
        video_token_id=tokenizer.convert_tokens_to_ids(video),
        vision_start_token_id=tokenizer.convert_tokens_to_ids(start),
        vision_end_token_id=tokenizer.convert_tokens_to_ids(end),
    )
    size = {"shortest_edge": TILE**2, "longest_edge": (2 * TILE) ** 2}
    processor = transformers.Qwen2_5_VLProcessor(
        transformers.Qwen2VLImageProcessor(size=size),
        tokenizer,
        transformers.Qwen2VLVideoProcessor(size=size),
        chat_template=tokenizer.chat_template,
    )
    save(transformers.Qwen2_5_VLForConditionalGeneration, config, processor, folder)


BUILDERS: Mapping[str, Callable[[Path], None]] = {
    "onevision": build_onevision,
    "qwen": build_qwen,
}


def save(network: Any, config: Any, processor: Any, folder: Path) -> None:
    """Weights from seed 0, under the names that transformers 5 gives them."""
    import torch
    from transformers import GenerationConfig

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = network(config).float().eval()
        tiny._spread(model)
    model.generation_config = GenerationConfig(do_sample=False, **ENDS)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def _tokenizer(image_token: str, video_token: str, *others: str, image: str, video: str) -> Any:
    """`image` and `video` are what the chat template writes."""
    template = (
        "{{ bos_token }}{% for message in messages %}"
        "<start_of_turn>{{ message['role'] }}\n{% for part in message['content'] %}"
        "{% if part['type'] == 'image' %}"
        + image
        + "{% elif part['type'] == 'video' %}"
        + video
        + "{% else %}{{ part['text'] }}{% endif %}{% endfor %}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
    )
    special = (image_token, video_token, *others)
    return byte_tokenizer(special, template, image_token=image_token, video_token=video_token)


def byte_tokenizer(special: Sequence[str], template: str, **named: str) -> Any:
    """Bytes as tokens, no merges; `named` are the special tokens that a processor asks it for."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    special = [*SPECIAL_TOKENS, *special]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate([*special, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        model_max_length=2048,
        extra_special_tokens=named,
        chat_template=template,
    )
