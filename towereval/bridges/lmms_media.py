"""Pictures that lmms-eval's tasks show, as the files that they were decoded from.

Imported here and, by lmms_worker.py, under lmms-eval's interpreter. A task gives pixels; kept as
PNG a megapixel would take 30 ms and ten times its bytes. So every file that Pillow opens while a
document is made is remembered, and where it decodes to the very pixels that the task gives, it is
the picture. Only what the task has changed (cut, drawn upon, resized) is kept as PNG.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

_ORIENTATION = 0x0112


class NotShown(Exception):
    """What a message holds and no model here is shown."""


class Opened:
    """What Pillow opened while one document was made: its file or its bytes, and the picture."""

    def __init__(self) -> None:
        self.pictures: list[tuple[Path | bytes, Any]] = []

    @contextmanager
    def watched(self) -> Iterator[None]:
        """`PIL.Image.open` remembers until the end, in this thread.

        An engine's threads decode at the same time: what is theirs must not be read here, too.
        """
        from PIL import Image

        self.pictures = []
        really_open = Image.open
        watching = threading.get_ident()

        def remembering(source: Any, *args: Any, **settings: Any) -> Any:
            picture = really_open(source, *args, **settings)
            if threading.get_ident() != watching:
                return picture
            if isinstance(source, io.BytesIO):
                self.pictures.append((source.getvalue(), picture))
            elif isinstance(source, str | os.PathLike):
                self.pictures.append((Path(source).absolute(), picture))
            return picture

        Image.open = remembering  # type: ignore[assignment]
        try:
            yield
        finally:
            Image.open = really_open
            self.pictures = []


class MediaCache:
    """Pictures by the hash of their encoded bytes: `<folder>/ab/abcd...`, as towereval has them."""

    def __init__(self, folder: Path, opened: Opened) -> None:
        self._folder, self._opened = folder, opened

    def picture(self, value: Any) -> tuple[str, str]:
        """Path and SHA-256. `value`: what a message shows, pixels or a path."""
        if isinstance(value, str):
            file = Path(value).absolute()
            return str(file), sha256(file.read_bytes()).hexdigest()
        shown = value if value.mode == "RGB" else value.convert("RGB")
        for source, picture in self._opened.pictures:
            if _decodes_to(picture, source, shown):
                if isinstance(source, Path):
                    return str(source), sha256(source.read_bytes()).hexdigest()
                return self._kept(source)
        buffer = io.BytesIO()
        shown.save(buffer, "PNG", compress_level=1)
        return self._kept(buffer.getvalue())

    def _kept(self, data: bytes) -> tuple[str, str]:
        name = sha256(data).hexdigest()
        file = self._folder / name[:2] / name
        # The length tells a file that a power cut left empty.
        if not file.is_file() or file.stat().st_size != len(data):
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{name}.{os.getpid()}")
            temporary.write_bytes(data)
            temporary.replace(file)
        return str(file), name


def shown(message: Mapping[str, Any], media: MediaCache) -> dict[str, Any]:
    """A message of theirs: its role, and its parts as ["text", text], ["image", path, sha256] or
    ["video", path]. Raises `NotShown`.
    """
    content = message["content"]
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return {"role": message["role"], "parts": [_part(part, media) for part in parts]}


def _part(part: Mapping[str, Any], media: MediaCache) -> list[str]:
    kind = part["type"]
    if kind == "text":
        return ["text", str(part["text"])]
    value = part.get("url") or part.get(kind)
    if kind == "image":
        return ["image", *media.picture(value)]
    if kind == "video" and isinstance(value, str) and Path(value).is_file():
        return ["video", str(Path(value).absolute())]
    raise NotShown(f"the task shows {kind} {str(value)[:80]!r}, which is no picture and no clip")


def _decodes_to(picture: Any, source: Path | bytes, shown: Any) -> bool:
    """Whether towereval will decode the file to these pixels: upright, in RGB."""
    from PIL import Image, ImageOps

    if picture is shown and picture.getexif().get(_ORIENTATION, 1) == 1:
        return True
    with suppress(OSError, ValueError, SyntaxError):
        try:
            picture.load()
        except (OSError, ValueError, AttributeError):  # it was closed
            picture = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source)
        if picture.mode.startswith(("I", "F")):  # towereval reduces these in its own way
            return False
        turned = picture.getexif().get(_ORIENTATION, 1) != 1
        upright = ImageOps.exif_transpose(picture) if turned else picture
        if upright.size != shown.size:
            return False
        rgb = upright if upright.mode == "RGB" else upright.convert("RGB")
        return _is_equal(rgb, shown)
    return False


def _is_equal(one: Any, other: Any) -> bool:
    """Compared where they lie: a copy of a megapixel in fresh memory takes as long as a decoding.

    What is no single block of memory, or differs in a byte that is no colour, Pillow compares.
    """
    import pyarrow
    from PIL import ImageChops

    with suppress(ValueError):
        blocks = [pyarrow.array(picture).buffers()[-1] for picture in (one, other)]
        if blocks[0].equals(blocks[1]):
            return True
    return ImageChops.difference(one, other).getbbox() is None
