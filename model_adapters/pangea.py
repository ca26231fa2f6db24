"""Pangea and CulturalPangea: CLIP in tiles on Qwen2-7B-Instruct, 39 languages.

https://huggingface.co/neulab/Pangea-7B-hf, arXiv 2410.16153, and
https://huggingface.co/neulab/CulturalPangea-7B, arXiv 2508.07414. Apache-2.0. The second is
published in LLaVA-NeXT's own format; the first is the same architecture in transformers' classes.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint


def _checkpoint(repo: str, *, unserved: str = "") -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence="apache-2.0",
        context_length=8192,
        images=2,  # of up to 2,928 tokens each
        frames=6,
        frame_size=336,
        architectures=("LlavaNextForConditionalGeneration",),
        unserved=unserved,
    )


adapter = Family(
    name="pangea",
    version=1,
    checkpoints={
        "pangea-7b": _checkpoint("neulab/Pangea-7B-hf"),
        "culturalpangea-7b": _checkpoint(
            "neulab/CulturalPangea-7B",
            unserved="it is in LLaVA-NeXT's own format, which neither vLLM nor transformers reads;"
            " convert it as Pangea-7B-hf was, then --model pangea:FOLDER",
        ),
    },
    # Qwen2's template writes its system turn itself, and wants a string.
    image="<image>\n",
)
