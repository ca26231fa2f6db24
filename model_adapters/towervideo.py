"""TowerVideo: SigLIP2, a two-layer MLP and Tower+ (Gemma2) as LLaVA-OneVision, for clips.

https://huggingface.co/utter-project/TowerVideo-2B, arXiv 2510.21849. CC BY-NC-SA 4.0. As
TowerVision trained with transformers 4: `prepare` folds the image scale into the projector, whose
output is pooled to 196 tokens a frame.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint


def _checkpoint(repo: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence="cc-by-nc-sa-4.0",
        context_length=8192,
        reads_video=True,
        frames=32,  # uniform, arXiv 2510.21849 section 4: 6,273 of the 8,192 tokens
        engine_args={"hf_overrides": {"text_config": {"architectures": ["Gemma2ForCausalLM"]}}},
        architectures=("LlavaOnevisionForConditionalGeneration",),
    )


adapter = Family(
    name="towervideo",
    version=1,
    checkpoints={
        "towervideo-2b": _checkpoint("utter-project/TowerVideo-2B"),
        "towervideo-9b": _checkpoint("utter-project/TowerVideo-9B"),
    },
    image="<image>\n",
    video="<video>\n",
)
