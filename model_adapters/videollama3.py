"""VideoLLaMA3: SigLIP in pictures' own size on Qwen2.5-7B, frames of a clip pruned by difference.

https://huggingface.co/DAMO-NLP-SG/VideoLLaMA3-7B, arXiv 2501.13106. Apache-2.0. Its repository's
own code runs it, in transformers; vLLM has no class for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from towereval.chat import as_parts
from towereval.mending import mended
from towereval.types import Checkpoint, Prepared, Prompt, Rendered


class VideoLlama3:
    name = "videollama3"
    version = 1
    checkpoints: Mapping[str, Checkpoint] = {
        "videollama3-7b": Checkpoint(
            repo="DAMO-NLP-SG/VideoLLaMA3-7B",
            licence="apache-2.0",
            context_length=16384,
            reads_video=True,
            images=4,
            frames=180,  # its processor's max_frames, of one frame a second
            architectures=("Videollama3Qwen2ForCausalLM", "VideoLlama3ForConditionalGeneration"),
            remote_code=True,
            engines=("transformers",),
        ),
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        return as_parts(prompt, checkpoint)

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        return mended(folder, cache)


adapter = VideoLlama3()
