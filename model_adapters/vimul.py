"""ViMUL: LLaVA-OneVision-7B trained further on clips in 14 languages.

https://huggingface.co/MBZUAI/ViMUL, arXiv 2506.07032. Published in LLaVA-NeXT's own format.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint

adapter = Family(
    name="vimul",
    version=1,
    checkpoints={
        "vimul-7b": Checkpoint(
            repo="MBZUAI/ViMUL",
            context_length=32768,
            reads_video=True,
            frames=32,
            unserved="it is in LLaVA-NeXT's own format, which neither vLLM nor transformers reads;"
            " import the logs of its own code: towereval import lmms-eval",
        ),
    },
    image="<image>\n",
    video="<image>\n",
)
