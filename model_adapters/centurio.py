"""Centurio: SigLIP so400m in tiles on Qwen2.5 7B or Aya Expanse 8B, 100 languages.

https://huggingface.co/WueNLP/centurio_qwen, arXiv 2501.05122. Apache-2.0; centurio_aya CC BY-NC
4.0. Its repository's own code runs it, in transformers; vLLM has no class for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from towereval.chat import as_string
from towereval.mending import mended
from towereval.types import Checkpoint, Message, Prepared, Prompt, Rendered, Text


def _checkpoint(repo: str, licence: str, context_length: int) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence=licence,
        context_length=context_length,
        images=4,
        remote_code=True,
        engines=("transformers",),
    )


class Centurio:
    name = "centurio"
    version = 1
    checkpoints: Mapping[str, Checkpoint] = {
        "centurio-qwen": _checkpoint("WueNLP/centurio_qwen", "apache-2.0", 32768),
        "centurio-aya": _checkpoint("WueNLP/centurio_aya", "cc-by-nc-4.0", 8192),
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        if prompt[0].role != "system":  # it was trained with this turn, not with the template's own
            prompt = (Message("system", (Text("You are a helpful assistant."),)), *prompt)
        return as_string(prompt, checkpoint, image="<image_placeholder>\n")

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)


adapter = Centurio()
