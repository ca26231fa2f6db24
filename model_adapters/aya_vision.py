"""Aya Vision: SigLIP2 in tiles on Command R7B (Cohere2), 23 languages.

https://huggingface.co/CohereForAI/aya-vision-8b, arXiv 2505.08751. CC BY-NC 4.0, gated. A tile is
169 tokens, a picture at most twelve and its overview. vLLM 0.32 has no class of its own for it
and runs it through transformers' modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from towereval.chat import as_parts
from towereval.mending import mended
from towereval.types import Checkpoint, Prepared, Prompt, Rendered


class AyaVision:
    name = "aya_vision"
    version = 1
    checkpoints: Mapping[str, Checkpoint] = {
        "aya-vision-8b": Checkpoint(
            repo="CohereForAI/aya-vision-8b",
            licence="cc-by-nc-4.0",
            context_length=8192,
            images=3,
            frames=16,
            frame_size=364,  # one tile a frame
            architectures=("AyaVisionForConditionalGeneration",),
        ),
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        return as_parts(prompt, checkpoint)

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)


adapter = AyaVision()
