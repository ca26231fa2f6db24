"""Qwen2.5-VL: pictures in their own size, clips with a sense of time.

https://huggingface.co/Qwen/Qwen2.5-VL-7B-Instruct, arXiv 2502.13923. The 3B is under Qwen's
research licence, the 7B Apache-2.0. The chat template writes a system turn of its own. Trained to
32,768 tokens; the configuration's 128,000 want YaRN.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint


def _checkpoint(repo: str, licence: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence=licence,
        context_length=32768,
        reads_video=True,
        images=8,
        frames=32,
        architectures=("Qwen2_5_VLForConditionalGeneration",),
    )


adapter = Family(
    name="qwen2_5_vl",
    version=1,
    checkpoints={
        "qwen2.5-vl-3b": _checkpoint("Qwen/Qwen2.5-VL-3B-Instruct", "qwen-research"),
        "qwen2.5-vl-7b": _checkpoint("Qwen/Qwen2.5-VL-7B-Instruct", "apache-2.0"),
    },
)
