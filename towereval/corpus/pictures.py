"""A record's pictures and clips on disk, decoded as everywhere in the project.

What a row names must lie in the media folder, also behind links, as with local data sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Literal

from towereval.corpus.records import Clip, Picture
from towereval.data import media, video
from towereval.data.folder import file_within
from towereval.errors import DataError
from towereval.types import Image, Video, digest

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture, or the frame in the middle of a clip; `sha256` is of the encoded bytes."""

    pixels: Pixels
    sha256: str
    noun: Literal["picture", "clip"] = "picture"


def look_at(picture: Picture, folder: Path) -> Seen:
    """Decode a picture. Raises `DataError`, also where it is not what its row says."""
    if picture.data:
        sha256 = hashlib.sha256(picture.data).hexdigest()
        with _kept(picture.data) as file:
            pixels = media.decode_image(Image(file, sha256))
    else:
        image = media.image_file(file_within(folder, picture.path, folder))
        sha256, pixels = image.sha256, media.decode_image(image)
    if picture.sha256 not in ("", sha256):
        raise DataError(f"{picture.path or 'its bytes'}: sha256 is {sha256}, not the row's")
    told = (picture.width or pixels.width, picture.height or pixels.height)
    if told != pixels.size:
        found, wanted = ("x".join(map(str, size)) for size in (pixels.size, told))
        raise DataError(f"{picture.path or 'its bytes'}: {found} pixels, the row says {wanted}")
    return Seen(pixels, sha256)


def look_at_clip(clip: Clip, folder: Path) -> Seen:
    """Decode a clip's first, middle and last frame, or all pictures that are its frames.

    Raises `DataError`.
    """
    if clip.frames:
        frames = [look_at(frame, folder) for frame in clip.frames]
        sha256 = digest([frame.sha256 for frame in frames])
        return Seen(frames[len(frames) // 2].pixels, sha256, "clip")
    file = file_within(folder, clip.path, folder)
    if not file.exists():
        raise DataError(f"{file}: no such file")
    found = media.video_file(file)
    return Seen(middle_frame(found), found.sha256, "clip")


def middle_frame(clip: Video) -> Pixels:
    """Raises `DataError` also where the first or the last cannot be decoded."""
    from PIL import Image as pil

    return pil.fromarray(video.decode_video(clip, 3).frames_THWC[1])


@contextmanager
def _kept(data: bytes) -> Iterator[str]:
    """Bytes as a file for as long as they are looked at: a corpus does not fit in the cache."""
    with NamedTemporaryFile(prefix="towereval-") as file:
        file.write(data)
        file.flush()
        yield file.name
