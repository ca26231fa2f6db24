"""ViMUL: LLaVA-OneVision-7B trained further on clips in 14 languages.

https://huggingface.co/MBZUAI/ViMUL, arXiv 2506.07032. Published in LLaVA-NeXT's own format.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from towereval.chat import as_string
from towereval.mending import mended
from towereval.types import Checkpoint, Prepared, Prompt, Rendered


class Vimul:
    name = "vimul"
    version = 1
    checkpoints: Mapping[str, Checkpoint] = {
        "vimul-7b": Checkpoint(
            repo="MBZUAI/ViMUL",
            context_length=32768,
            reads_video=True,
            frames=32,
            unserved="it is in LLaVA-NeXT's own format, which neither vLLM nor transformers reads;"
            " import the logs of its own code: towereval import lmms-eval",
        ),
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        return as_string(prompt, checkpoint, image="<image>\n", video="<image>\n")

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)


adapter = Vimul()
