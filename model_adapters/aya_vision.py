"""Aya Vision: SigLIP2 in tiles on Command R7B (Cohere2), 23 languages.

https://huggingface.co/CohereForAI/aya-vision-8b, arXiv 2505.08751. CC BY-NC 4.0, gated. A tile is
169 tokens, a picture at most twelve and its overview. vLLM 0.32 has no class of its own for it
and runs it through transformers' modules.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint

adapter = Family(
    name="aya_vision",
    version=1,
    checkpoints={
        "aya-vision-8b": Checkpoint(
            repo="CohereForAI/aya-vision-8b",
            licence="cc-by-nc-4.0",
            context_length=8192,
            images=3,
            frames=16,
            frame_size=364,  # one tile a frame
            architectures=("AyaVisionForConditionalGeneration",),
        ),
    },
)
