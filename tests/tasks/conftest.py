"""A data set in a local folder, from rows that a test spells out."""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from PIL import Image as pil

from towereval.data.folder import FolderSource

Tables = Mapping[str, Sequence[Mapping[str, object]]]


def png(*colour: int) -> bytes:
    stream = io.BytesIO()
    pil.new("RGB", (8, 8), colour).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def local(tmp_path: Path) -> Callable[[Tables], FolderSource]:
    """Writes JSONL files, by their name in the folder, beside `red.png`, `blue.png`, `clip.mp4`."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "red.png").write_bytes(png(255, 0, 0))
    (folder / "blue.png").write_bytes(png(0, 0, 255))
    (folder / "clip.mp4").write_bytes(b"only its bytes are hashed here")

    def write(tables: Tables) -> FolderSource:
        for name, rows in tables.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            file.write_text("".join(lines), encoding="utf-8", newline="\n")
        return FolderSource(folder)

    return write
