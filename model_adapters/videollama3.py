"""VideoLLaMA3: SigLIP in pictures' own size on Qwen2.5-7B, frames of a clip pruned by difference.

https://huggingface.co/DAMO-NLP-SG/VideoLLaMA3-7B, arXiv 2501.13106. Apache-2.0. Its repository's
own code runs it, in transformers; vLLM has no class for it.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint

adapter = Family(
    name="videollama3",
    version=1,
    checkpoints={
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
    },
)
