"""Records, pictures and a translating server for these tests."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.chat_server import Asked
from towereval.corpus.files import read
from towereval.corpus.records import Record


def row(name: str = "1", **changes: Any) -> dict[str, Any]:
    """A caption's record without media, changed."""
    return {
        "id": name,
        "source": "Drawings",
        "language": "en",
        "task": "caption",
        "messages": [
            {"role": "user", "content": "Describe it."},
            {"role": "assistant", "content": f"A red circle, number {name}."},
        ],
        **changes,
    }


def shown(name: str, file: str, question: str = "<image>Describe it.", **changes: Any) -> Any:
    """The same about a picture's file."""
    said = [("user", question), ("assistant", f"A red circle, number {name}.")]
    messages = [{"role": role, "content": content} for role, content in said]
    return row(name, messages=messages, images=[file], **changes)


def write(file: Path, *rows: Any) -> Path:
    lines = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False) for one in rows]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def records(file: Path) -> list[Record]:
    return [record for _, record in read(file)]


def picture(file: Path, seed: int = 0, size: tuple[int, int] = (96, 64)) -> Path:
    """Soft patches of colour, others for each seed, with details of all sizes as in photographs."""
    draw = np.random.default_rng(seed)
    levels_HW = np.zeros((size[1], size[0]))
    for count in (2, 4, 8, 16, 32):
        patches = Image.fromarray(draw.normal(size=(count, count)).astype(np.float32))
        levels_HW += np.asarray(patches.resize(size, Image.Resampling.BICUBIC)) / count
    whole = np.interp(levels_HW, (levels_HW.min(), levels_HW.max()), (0, 255)).astype(np.uint8)
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(whole).convert("RGB").save(file)
    return file


def asked_text(asked: Asked) -> tuple[str, str]:
    """Target language and text of a question by `towereval.corpus.translate`."""
    found = re.fullmatch(
        r"Translate the following \w+ source text to (.+):\n\w+: (.+)\n\1: ?", asked.text, re.DOTALL
    )
    assert found, asked.text
    return found[1], found[2]


def translated(asked: Asked) -> str:
    """What the server says: the language's name before the text."""
    language, text = asked_text(asked)
    return f"[{language}] {text}"
