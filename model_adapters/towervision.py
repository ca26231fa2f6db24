"""TowerVision: SigLIP2 and a two-layer MLP on Tower+ (Gemma2), 20 languages, pictures only.

https://huggingface.co/utter-project/TowerVision-2B, arXiv 2510.21849. CC BY-NC-SA 4.0. The
published weights were trained with transformers 4, which multiplied picture features by sqrt(hidden
size) along with the text's; since 5.4
(and vLLM PR 36787) only the text's are, and pictures reach the language model 48 (2B) or 59.9 (9B)
times too faint.
`prepare` folds the factor into the projector, where such a checkpoint is loaded by today's
libraries.
"""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from towereval.chat import as_string
from towereval.errors import MissingExtra, ModelError
from towereval.types import Checkpoint, Prepared, Prompt, Rendered, digest

VERSION = 1
# The outputs of these tensors are what the language model reads as a picture.
SCALED = ("multi_modal_projector.linear_2.weight", "multi_modal_projector.linear_2.bias")
NEWLINE = "image_newline"


def _checkpoint(repo: str) -> Checkpoint:
    return Checkpoint(
        repo=repo,
        licence="cc-by-nc-sa-4.0",
        dtype="bfloat16",
        context_length=8192,
        images=6,
        # One tile a frame: six fit into the context. How the paper showed clips to the picture
        # models is unpublished.
        frames=6,
        frame_size=384,
        # The saved text configuration names the LLaVA class that it was trained in.
        engine_args={"hf_overrides": {"text_config": {"architectures": ["Gemma2ForCausalLM"]}}},
    )


class TowerVision:
    name = "towervision"
    version = VERSION
    checkpoints: Mapping[str, Checkpoint] = {
        "towervision-2b": _checkpoint("utter-project/TowerVision-2B"),
        "towervision-9b": _checkpoint("utter-project/TowerVision-9B"),
    }

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
        # The template trims content, so it must be a string; training put the picture first.
        return as_string(prompt, checkpoint, image="<image>\n")

    def clean(self, text: str) -> str:
        return text.strip()

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        if folder is None:
            raise ModelError("towervision needs a checkpoint: give a folder or a hub id")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not needs_scale(config):
            return Prepared(folder)
        scale = math.sqrt(config["text_config"]["hidden_size"])
        target = cache / f"{folder.name}-{_fingerprint(folder)[:16]}-image-scale-{VERSION}"
        if not target.exists():
            _write_scaled(folder, target, scale)
        return Prepared(target, (f"projector output and image_newline multiplied by {scale:.4f}",))


def needs_scale(config: Mapping[str, Any]) -> bool:
    """Whether the weights expect transformers < 5.4 to multiply picture features."""
    if config.get("text_config", {}).get("model_type") != "gemma2":
        return False
    # All published TowerVision checkpoints are older than 5.4; one without a version is one of
    # them.
    numbers = str(config.get("transformers_version", "4")).split(".")[:2]
    major, minor = (int(number) for number in [*numbers, "0"][:2])
    return (major, minor) < (5, 4)


def _write_scaled(folder: Path, target: Path, scale: float) -> None:
    """A copy of the checkpoint: hard links, but for the shards that hold scaled tensors."""
    try:
        from safetensors.torch import load_file, save_file
    except ImportError as error:
        raise MissingExtra("safetensors", "transformers") from error
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(dir=target.parent))
    found: set[str] = set()
    try:
        for file in _files(folder):
            names = _scaled_names(file) if file.suffix == ".safetensors" else []
            if not names:
                _link(file, temporary / file.name)
                continue
            weights = load_file(file)
            for name in names:
                # In float32, and kept so: 59.87 has no exact half-precision product.
                weights[name] = weights[name].float() * scale
            save_file(weights, temporary / file.name, metadata={"format": "pt"})
            found.update(name.removeprefix("model.") for name in names)
        if missing := {*SCALED, NEWLINE} - found:
            raise ModelError(f"{folder}: no tensor {', '.join(sorted(missing))} to scale")
        temporary.rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _scaled_names(file: Path) -> list[str]:
    from safetensors import safe_open

    with safe_open(file, "pt") as tensors:
        return [name for name in tensors.keys() if name.endswith((*SCALED, NEWLINE))]  # noqa: SIM118


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.iterdir()) if file.is_file())


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system
        target.symlink_to(source.resolve())


def _fingerprint(folder: Path) -> str:
    stamps = {}
    for file in _files(folder):
        status = file.stat()
        stamps[file.name] = [status.st_size, status.st_mtime_ns]
    return digest(stamps)


adapter = TowerVision()
