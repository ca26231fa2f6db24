"""LLaVA-Video: SigLIP and a two-layer MLP on Qwen2-7B, trained on clips; English.

https://huggingface.co/lmms-lab/LLaVA-Video-7B-Qwen2, arXiv 2410.02713. Apache-2.0. It puts a
newline after each row of each frame, which transformers' LLaVA-OneVision does not: no class but
its own authors' gives its answers.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint

adapter = Family(
    name="llava_video",
    version=1,
    checkpoints={
        "llava-video-7b": Checkpoint(
            repo="lmms-lab/LLaVA-Video-7B-Qwen2",
            licence="apache-2.0",
            context_length=32768,
            reads_video=True,
            frames=64,
            unserved="it is in LLaVA-NeXT's own format, which neither vLLM nor transformers reads;"
            " import the logs of its own code: towereval import lmms-eval",
        ),
    },
    image="<image>\n",
    video="<image>\n",
)
