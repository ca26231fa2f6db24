"""Gemma 3: SigLIP on Gemma 3, 256 tokens a picture whatever its size; 140 languages.

https://huggingface.co/google/gemma-3-4b-it, arXiv 2503.19786. Gemma's licence, gated. Pan and
scan, which cuts long pictures, is off as in transformers. Its context of 128K is cut for memory's
sake.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from towereval.chat import as_parts
from towereval.mending import mended
from towereval.types import Checkpoint, Prepared, Prompt, Rendered


def _checkpoint(repo: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence="gemma",
        context_length=32768,
        images=32,
        frames=32,
        architectures=("Gemma3ForConditionalGeneration",),
    )


class Gemma3:
    name = "gemma3"
    version = 1
    checkpoints: Mapping[str, Checkpoint] = {
        "gemma3-4b": _checkpoint("google/gemma-3-4b-it"),
        "gemma3-12b": _checkpoint("google/gemma-3-12b-it"),
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        return as_parts(prompt, checkpoint)

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)


adapter = Gemma3()
