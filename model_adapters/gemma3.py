"""Gemma 3: SigLIP on Gemma 3, 256 tokens a picture whatever its size; 140 languages.

https://huggingface.co/google/gemma-3-4b-it, arXiv 2503.19786. Gemma's licence, gated. Pan and
scan, which cuts long pictures, is off as in transformers. Its context of 128K is cut for memory's
sake.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint


def _checkpoint(repo: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence="gemma",
        context_length=32768,
        images=32,
        frames=32,
        architectures=("Gemma3ForConditionalGeneration",),
    )


adapter = Family(
    name="gemma3",
    version=1,
    checkpoints={
        "gemma3-4b": _checkpoint("google/gemma-3-4b-it"),
        "gemma3-12b": _checkpoint("google/gemma-3-12b-it"),
    },
)
