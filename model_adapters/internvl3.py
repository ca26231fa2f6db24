"""InternVL3: InternViT in tiles on Qwen2.5, pictures and clips.

https://huggingface.co/OpenGVLab/InternVL3-8B-hf, arXiv 2504.10479. Apache-2.0. The -hf
repositories are for transformers' own classes; the others need remote code. A tile or a frame is
256 tokens, a picture at most twelve and its overview.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint


def _checkpoint(repo: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence="apache-2.0",
        context_length=16384,
        reads_video=True,
        images=4,
        frames=32,
        architectures=("InternVLForConditionalGeneration",),
    )


adapter = Family(
    name="internvl3",
    version=1,
    checkpoints={
        "internvl3-2b": _checkpoint("OpenGVLab/InternVL3-2B-hf"),
        "internvl3-8b": _checkpoint("OpenGVLab/InternVL3-8B-hf"),
    },
)
