"""What is exported is what was trained, read by others, with nothing left to mend."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import LlavaNextForConditionalGeneration

from towereval import checkpoints, mending
from towereval.train import drawn, export
from towereval.train.model import _hidden
from towereval.train.packing import Encoder, Rendering, collate

READ_BACK = """
import sys, torch, warnings
warnings.simplefilter("ignore")
torch.set_num_threads(1)
from transformers import LlavaNextForConditionalGeneration
folder, batch, out = sys.argv[1:]
model = LlavaNextForConditionalGeneration.from_pretrained(
    folder, dtype=torch.float32, attn_implementation="eager"
)
with torch.no_grad():
    torch.save(model.eval()(**torch.load(batch)).logits, out)
"""


def spread(model: Any) -> Any:
    """Weights that make answers differ, as training does."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim >= 2:
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=generator))
            if "embed_tokens" in name:  # small rows of equal length: the layers decide
                parameter.mul_(0.24 / parameter.norm(dim=-1, keepdim=True))
    return model.eval()


def inputs(encoder: Encoder) -> dict[str, torch.Tensor]:
    example = encoder.example(drawn.record("words", 0, 0), Rendering())
    batch = collate([example], [[0]], encoder)
    assert batch.pixels_IKCHW is not None
    assert batch.sizes_I2 is not None
    return {
        "input_ids": batch.ids_BT,
        "pixel_values": batch.pixels_IKCHW,
        "image_sizes": batch.sizes_I2,
    }


def test_a_fresh_process_has_the_same_logits_to_the_bit(
    model: Any, built: Any, encoder: Encoder, tmp_path: Path
) -> None:
    spread(model)
    export.write(model, built[1], tmp_path / "model", 1.0, "card")
    asked = inputs(encoder)
    torch.save(asked, tmp_path / "asked")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.no_grad():
        here = model(**asked).logits
    torch.set_num_threads(threads)
    command = [sys.executable, "-c", READ_BACK]
    files = [str(tmp_path / name) for name in ("model", "asked", "logits")]
    subprocess.run([*command, *files], check=True, capture_output=True, timeout=120)
    assert torch.equal(here, torch.load(tmp_path / "logits"))


def test_nothing_is_left_to_mend(model: Any, built: Any, tmp_path: Path) -> None:
    export.write(model, built[1], tmp_path / "model", 1.0, "card")
    checkpoints.check(tmp_path / "model")
    assert mending.find_mends(tmp_path / "model") == []
    assert mending.changes(tmp_path / "model") == (
        "gemma2-image-scale 1: trained without a scale; no tensor",
    )
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == ["LlavaNextForConditionalGeneration"]
    assert (tmp_path / "model" / "README.md").read_text() == "card"


def test_the_legacy_scale_is_folded_in(
    model: Any, built: Any, encoder: Encoder, tmp_path: Path
) -> None:
    """What was trained with brighter pictures is served without."""
    spread(model)
    batch = collate([encoder.example(drawn.record("words", 0, 0), Rendering())], [[0]], encoder)
    with torch.no_grad():
        bright, faint = (_hidden(model, batch, scale) for scale in (128**0.5, 1.0))
    assert float((bright - faint).norm() / faint.norm()) > 0.05
    export.write(model, built[1], tmp_path / "model", 128**0.5, "card")
    read = LlavaNextForConditionalGeneration.from_pretrained(
        tmp_path / "model", dtype=torch.float32, attn_implementation="eager"
    ).eval()
    with torch.no_grad():
        folded = _hidden(read, batch, 1.0)
    assert torch.allclose(folded, bright, rtol=1e-4, atol=1e-4)
    assert "times 11.3137" in mending.changes(tmp_path / "model")[0]
