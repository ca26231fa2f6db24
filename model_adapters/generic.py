"""Any hub id or folder: asked by its own processor's chat template, in a list of parts.

Which revision, precision and limits a model needs are its family's affair: write an adapter for a
model that you publish numbers of.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from towereval.chat import as_parts
from towereval.mending import mended
from towereval.types import Checkpoint, Prepared, Prompt, Rendered


class Generic:
    name = "generic"
    version = 2
    checkpoints: Mapping[str, Checkpoint] = {}

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        return as_parts(prompt, checkpoint)

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)


adapter = Generic()
