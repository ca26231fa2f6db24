"""LLaVA-NeXT: CLIP in tiles and a two-layer MLP on Llama 3 or Mistral; English.

https://huggingface.co/llava-hf/llama3-llava-next-8b-hf (Llama 3 licence) and
https://huggingface.co/llava-hf/llava-v1.6-mistral-7b-hf (Apache-2.0), arXiv 2310.03744.
TowerVision's Table 9 names the second, its result tables the first.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint


def _checkpoint(repo: str, licence: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence=licence,
        context_length=8192,
        images=2,  # of up to 2,928 tokens each
        frames=6,
        frame_size=336,
        architectures=("LlavaNextForConditionalGeneration",),
    )


adapter = Family(
    name="llava_next",
    version=1,
    checkpoints={
        "llama3-llava-next-8b": _checkpoint("llava-hf/llama3-llava-next-8b-hf", "llama3"),
        "llava-v1.6-mistral-7b": _checkpoint("llava-hf/llava-v1.6-mistral-7b-hf", "apache-2.0"),
    },
)
