"""A trained model as a Hugging Face folder that vLLM and transformers read alike."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from towereval.errors import StoreError
from towereval.mending import MARK, SCALE, VERSION

# Their outputs are what the language model reads as a picture.
SCALED = ("multi_modal_projector.linear_2.weight", "multi_modal_projector.linear_2.bias")
NEWLINE = "image_newline"


def write(model: Any, processor: Any, folder: Path, picture_scale: float, card: str) -> None:
    """Weights, configuration, tokenizer, processor, chat template and model card.

    The folder is written beside its place and then given its name, in place of an earlier one.
    `picture_scale` is folded in, and the mark says that there is nothing left to mend. Raises
    `StoreError`.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(mkdtemp(prefix=".exporting-", dir=folder.parent))
    try:
        model.save_pretrained(temporary)
        processor.save_pretrained(temporary)
        for shard in temporary.glob("*.safetensors"):
            _rewrite(shard, picture_scale)
        _rename_in_index(temporary)
        _mark(temporary, picture_scale)
        (temporary / "README.md").write_text(card, encoding="utf-8")
        temporary.chmod(0o755)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise StoreError(f"{folder}: the model cannot be written: {error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _rewrite(shard: Path, picture_scale: float) -> None:
    weights = {}
    for name, value in load_file(shard).items():
        if picture_scale != 1.0 and name.endswith((*SCALED, NEWLINE)):
            value = (value.to(torch.float32) * picture_scale).to(value.dtype)
        weights[_served_name(name)] = value.contiguous()
    save_file(weights, shard, metadata={"format": "pt"})


def _served_name(name: str) -> str:
    """transformers 5 drops `vision_model.` from SigLIP's names; vLLM 0.32 wants it."""
    tower, served = "vision_tower.", "vision_tower.vision_model."
    return name if served in name else name.replace(tower, served, 1)


def _rename_in_index(folder: Path) -> None:
    for index in folder.glob("*.safetensors.index.json"):
        content = json.loads(index.read_text(encoding="utf-8"))
        content["weight_map"] = {
            _served_name(name): shard for name, shard in content["weight_map"].items()
        }
        index.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _mark(folder: Path, picture_scale: float) -> None:
    folded = f"times {picture_scale:.4f}, folded after training"
    detail = folded if picture_scale != 1.0 else "trained without a scale"
    marks: Mapping[str, Any] = {SCALE: {"version": VERSION, "detail": detail, "files": {}}}
    file = folder / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    text = json.dumps({**config, MARK: marks}, indent=2, ensure_ascii=False)
    file.write_text(text + "\n", encoding="utf-8")
