"""Phi-4-multimodal: SigLIP in tiles on Phi-4-mini, pictures through a LoRA of their own.

https://huggingface.co/microsoft/Phi-4-multimodal-instruct, arXiv 2503.01743. MIT. vLLM has the
class, its repository the processor. Pictures are numbered in the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

from towereval.chat import as_string
from towereval.mending import mended
from towereval.types import Checkpoint, Prepared, Prompt, Rendered

REPO = "microsoft/Phi-4-multimodal-instruct"
PICTURE = "<|image|>"


class Phi4Multimodal:
    name = "phi4_multimodal"
    version = 1
    checkpoints: Mapping[str, Checkpoint] = {
        "phi4-multimodal": Checkpoint(
            repo=REPO,
            licence="mit",
            context_length=32768,
            images=4,
            frames=8,
            frame_size=448,
            engine_args={
                "enable_lora": True,
                "max_lora_rank": 320,
                "default_mm_loras": {"image": "{folder}/vision-lora"},
            },
            architectures=("Phi4MMForCausalLM",),
            remote_code=True,
        ),
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        rendered = as_string(prompt, checkpoint, image=PICTURE)
        numbers = count(1)
        messages: list[dict[str, Any]] = []
        for message in rendered.messages:
            first, *rest = message["content"].split(PICTURE)
            content = first + "".join(f"<|image_{next(numbers)}|>{text}" for text in rest)
            messages.append({**message, "content": content})
        return Rendered(tuple(messages), rendered.images)

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)


adapter = Phi4Multimodal()
