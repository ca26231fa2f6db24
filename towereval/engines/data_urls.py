"""Pictures as data URLs, which is how a server is shown them; each is encoded once.

A server must see the pixels that an engine in this process sees, so a file travels as it is only
where there is one way to read it: a still, upright PNG, JPEG or WebP in RGB or grey. Of anything
else (transparency, palettes, CMYK, 16 bits, animations, turned photographs, TIFF) the decoded
pixels are sent, as a PNG.
"""

from __future__ import annotations

import base64
import io
import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path

from PIL import Image as pil
from PIL.Image import Image as Picture

from towereval.data.media import decode_frames, decode_image
from towereval.types import Frame, Image, Video

# "": a file's own bytes where it can be, else PNG.
FORMATS = ("", "png", "jpeg")
_OWN = {"PNG": "png", "JPEG": "jpeg", "WEBP": "webp"}
_ORIENTATION = 0x0112


class DataUrls:
    """The last `most` pictures and clips: samples that share one lie next to each other."""

    def __init__(self, image_format: str, frames: int, most: int) -> None:
        self._format, self._frames, self._most = image_format, frames, most
        self._known: OrderedDict[Image | Video, Future[tuple[str, ...]]] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, media: Image | Video) -> tuple[str, ...]:
        """One for a picture, one a frame for a clip. Raises `DataError`."""
        with self._lock:
            future = self._known.get(media)
            mine = future is None
            if future is None:
                future = self._known[media] = Future()
                while len(self._known) > self._most:
                    self._known.popitem(last=False)
        if mine:  # the others who want it wait for this one
            try:
                future.set_result(self._encoded(media))
            except BaseException as error:  # noqa: BLE001 raised again where it is wanted
                future.set_exception(error)
        return future.result()

    def _encoded(self, media: Image | Video) -> tuple[str, ...]:
        if isinstance(media, Video):
            shown = tuple(Frame(media, index, self._frames) for index in range(self._frames))
            return tuple(_url(frame, self._format or "png") for frame in decode_frames(shown))
        decoded = decode_image(media)  # tells a torn file before the server does
        kind = "" if self._format else _own_kind(media)
        if kind:
            return (_data_url(kind, Path(media.source).read_bytes()),)
        return (_url(decoded, self._format or "png"),)


def _own_kind(image: Image) -> str:
    """The kind of a file that everybody reads alike, else ""."""
    with pil.open(image.source) as picture:
        alike = (
            picture.mode in ("RGB", "L")
            and "transparency" not in picture.info
            and getattr(picture, "n_frames", 1) == 1
            and picture.getexif().get(_ORIENTATION, 1) == 1
        )
        return _OWN.get(picture.format or "", "") if alike else ""


def _url(picture: Picture, kind: str) -> str:
    stream = io.BytesIO()
    # JPEG at the highest quality that Pillow advises, colours at full resolution.
    picture.save(stream, kind, **({"quality": 95, "subsampling": 0} if kind == "jpeg" else {}))
    return _data_url(kind, stream.getvalue())


def _data_url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
