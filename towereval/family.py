"""The adapter that most families of models need: checkpoints, and placeholders for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from towereval.chat import as_parts, as_string
from towereval.mending import mended
from towereval.types import Checkpoint, Prepared, Prompt, Rendered


@dataclass(frozen=True, slots=True)
class Family:
    """An adapter whose answers lose the blanks around them and whose checkpoints get known mends.

    `image` and `video` are the placeholders of a chat template that takes a string, with their line
    breaks. Without them the template is given typed parts.
    """

    name: str
    version: int
    checkpoints: Mapping[str, Checkpoint]
    image: str = ""
    video: str = ""

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        if not self.image:
            return as_parts(prompt, checkpoint)
        return as_string(prompt, checkpoint, image=self.image, video=self.video)

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)
