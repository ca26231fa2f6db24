"""Tiny Gemma2 LLaVAs as transformers 4 saved them, and what they answered then.

`golden/gemma2_4_57.json` holds configurations and tensor shapes as transformers 4.57.6 wrote them,
`golden/gemma2_4_57.npz` its logits (scripts/golden_gemma2.py made both). Weights are drawn by numpy
from each tensor's name, so any library rebuilds the same checkpoint. The hidden size, 96, has no
whole root: a factor that were rounded would show. Pictures and frames are as large as a tile, so
that no resizing differs between the libraries.

Legend: P prompts, S tokens (prompt's last, continuation), V vocabulary, T frames, H, W, C=3.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "golden"
TILE = 56
FRAMES = 4
PROMPTS = ("What is this?", "Translate to German: the old bank", "Wo ist das?")
CONTINUATION = "Hund"


def golden() -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / "gemma2_4_57.json").read_text())
    return content


def golden_logits() -> Mapping[str, Any]:
    """`<model>-<image|video>` -> PSV."""
    with np.load(FOLDER / "gemma2_4_57.npz") as arrays:
        return dict(arrays)


def weights(shapes: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """The checkpoint's tensors, float32, each drawn from its own name."""
    return {name: _drawn(name, tuple(shape)) for name, shape in shapes.items()}


def frames_THWC(number: int) -> Any:
    """A clip's frames, or (the first) a picture: coarse noise."""
    random = np.random.RandomState(number)
    noise = random.randint(0, 255, (FRAMES, TILE // 8, TILE // 8, 3), dtype=np.uint8)
    return noise.repeat(8, 1).repeat(8, 2)


def _drawn(name: str, shape: tuple[int, ...]) -> Any:
    if "norm" in name and name.endswith("weight"):  # Gemma's norms multiply by one more
        return np.full(shape, 0.0 if name.startswith("language_model") else 1.0, np.float32)
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
    drawn = np.random.RandomState(seed).standard_normal(shape) * (0.1 if "bias" in name else 0.3)
    if "embed_tokens" in name:  # small rows of equal length: the layers decide
        drawn = drawn / np.linalg.norm(drawn, axis=-1, keepdims=True) * 0.24
    return drawn.astype(np.float32)
