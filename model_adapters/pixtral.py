"""Pixtral 12B: its own vision encoder in pictures' own size on Mistral Nemo.

https://huggingface.co/mistralai/Pixtral-12B-2409, arXiv 2410.07073. Apache-2.0. That repository
is in Mistral's own format; the one named here holds the same weights for transformers.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint

adapter = Family(
    name="pixtral",
    version=1,
    checkpoints={
        "pixtral-12b": Checkpoint(
            repo="mistral-community/pixtral-12b",
            licence="apache-2.0",
            context_length=32768,
            images=4,
            frames=8,
            frame_size=512,
            architectures=("LlavaForConditionalGeneration",),
        ),
    },
)
