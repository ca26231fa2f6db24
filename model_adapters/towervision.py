"""TowerVision: SigLIP2 and a two-layer MLP on Tower+ (Gemma2), 20 languages, pictures only.

https://huggingface.co/utter-project/TowerVision-2B, arXiv 2510.21849. CC BY-NC-SA 4.0. The
published weights were trained with transformers 4; `prepare` folds the image scale that it
applied into the projector. The two -pt models stand on Tower+ before instruction tuning.
"""

from __future__ import annotations

from towereval.family import Family
from towereval.types import Checkpoint


def _checkpoint(repo: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence="cc-by-nc-sa-4.0",
        context_length=8192,
        images=6,
        # One tile a frame: six fit into the context. How the paper showed clips to the picture
        # models is unpublished.
        frames=6,
        frame_size=384,
        # The saved text configuration names the LLaVA class that it was trained in.
        engine_args={"hf_overrides": {"text_config": {"architectures": ["Gemma2ForCausalLM"]}}},
        architectures=("LlavaNextForConditionalGeneration",),
    )


adapter = Family(
    name="towervision",
    version=2,
    checkpoints={
        "towervision-2b": _checkpoint("utter-project/TowerVision-2B"),
        "towervision-9b": _checkpoint("utter-project/TowerVision-9B"),
        "towervision-2b-pt": _checkpoint("utter-project/TowerVision-2B-pt"),
        "towervision-9b-pt": _checkpoint("utter-project/TowerVision-9B-pt"),
    },
    # The template trims content, so it must be a string; training put the picture first.
    image="<image>\n",
)
