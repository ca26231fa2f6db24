"""Pictures and clips: known by the hash of their encoded bytes, decoded when an engine needs them.

Decoding is safe: no network protocol, no other program, no picture of more than MAX_PIXELS, no
half-read picture.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from towereval.data.video import Clip, check_regular, decode_video
from towereval.errors import DataError, UsageError
from towereval.types import Frame, Image, Video

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

# Part of every request's key: moves when the same bytes would become other pixels, other frames or
# other times, by what `decode_image` and `towereval.data.video` choose. The choices are: RGB, the
# first picture of an animation, transparency dropped, 16 bits to 8, a camera's orientation applied
# to pictures and clips; frames by np.linspace over the order shown, reduced to full HD; a clip's
# rate as its frames show it.
DECODING = "rgb-upright-2"
# Pillow's own limit, which holds also where a program has lifted Pillow's.
MAX_PIXELS = 178_956_970
# Integers and floats in no known range: Pillow would show nearly all of them black or white.
_MEASURES = ("I", "F")
_ORIENTATION = 0x0112
# Pillow's formats but those that nobody keeps photographs in; for EPS it would run Ghostscript.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO")

# What Pillow's readers raise at damaged files, found by damaging them.
_FAULTS = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, OSError),
    *(RuntimeError, SyntaxError, TypeError, ValueError, struct.error, zlib.error),
)


def cache_folder() -> Path:
    """TOWEREVAL_CACHE, else ~/.cache/towereval: pictures, checkpoints, environments."""
    return Path(os.environ.get("TOWEREVAL_CACHE") or Path.home() / ".cache" / "towereval")


def image_file(file: Path) -> Image:
    """A picture that lies in a file. A missing file is told when the picture is decoded."""
    return Image(str(file), _sha256(file))


def image_bytes(data: bytes) -> Image:
    """A picture that came inside a row: written once to the cache, under its hash.

    Raises `DataError` where the cache cannot be written.
    """
    sha256 = hashlib.sha256(data).hexdigest()
    file = cache_folder() / "media" / sha256[:2] / sha256
    try:
        if not file.exists():
            write_atomically(file, data, lasting=False)
    except OSError as error:
        raise DataError(
            f"a picture cannot be kept in {file.parent}: {error.strerror or error}; TOWEREVAL_CACHE"
            " names the folder for it"
        ) from error
    return Image(str(file), sha256)


def video_file(file: Path) -> Video:
    return Video(str(file), _sha256(file))


def write_atomically(file: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write to a temporary name, sync, rename: a reader sees all of the file or nothing.

    What is `lasting` is there after a power cut, too; what is not may be gone, but is never torn.
    Raises `UsageError` for a path that can only be a folder's, and `OSError`.
    """
    if not file.name:
        raise UsageError(f"{file} is a folder: name a file in it")
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(file)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    if lasting:
        sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """A new name in a folder lasts once the folder is synced. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def decode_image(image: Image) -> Picture:
    """The picture upright and in RGB. Raises `DataError` naming the file and its fault."""
    from PIL import ImageOps

    with _opened(image) as picture:
        # As `datasets` does: a camera's orientation tag is applied before a model sees the picture.
        # In place, and not converted to what it is: each copy costs a fifth of a JPEG's decoding.
        ImageOps.exif_transpose(picture, in_place=True)
        if picture.mode == "RGB":
            return picture
        if picture.mode.startswith("I;16"):  # Pillow would show all but the darkest as white
            return picture.point(lambda value: value * (1 / 256)).convert("L").convert("RGB")
        return picture.convert("RGB")


def image_size(image: Image) -> tuple[int, int]:
    """Height and width as `decode_image` shows it. Raises `DataError`."""
    with _opened(image) as picture:
        turned = picture.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
        return (picture.width, picture.height) if turned else (picture.height, picture.width)


@contextmanager
def _opened(image: Image) -> Iterator[Picture]:
    """A picture that may be decoded; what its reader raises becomes a `DataError`."""
    from PIL import Image as pil
    from PIL import UnidentifiedImageError

    if not image.source:
        raise DataError(
            "the picture is not at hand: this run was imported from a log without pictures"
        )
    check_regular(image.source)
    try:
        with pil.open(image.source, formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                size = f"{picture.width}x{picture.height}"
                raise DataError(f"{image.source}: {size} is more than {MAX_PIXELS} pixels")
            if picture.mode in _MEASURES:
                raise DataError(
                    f"{image.source}: 32 bits a pixel (Pillow's mode {picture.mode}) tell no"
                    " brightness: save it with 8 or 16"
                )
            yield picture
    except UnidentifiedImageError as error:
        raise DataError(f"{image.source}: not a picture that Pillow can read") from error
    except (*_FAULTS, pil.DecompressionBombError) as error:
        raise DataError(f"{image.source}: cannot be decoded: {error}") from error


def decode_frames(images: tuple[Image | Frame, ...], frame_size: int = 0) -> list[Picture]:
    """Pictures in order; the frames of one clip are decoded together.

    Frames are reduced to `frame_size` pixels on the longer side; 0 leaves them as they are.
    """
    from PIL import Image as pil

    clips: dict[tuple[Video, int], Clip] = {}
    pictures: list[Picture] = []
    for image in images:
        if isinstance(image, Image):
            pictures.append(decode_image(image))
            continue
        if (image.video, image.count) not in clips:
            clips[image.video, image.count] = decode_video(image.video, image.count)
        frame = pil.fromarray(clips[image.video, image.count].frames_THWC[image.index])
        if frame_size:
            frame.thumbnail((frame_size, frame_size), pil.Resampling.BICUBIC)
        pictures.append(frame)
    return pictures


def _sha256(file: Path) -> str:
    try:
        if not file.is_file():  # opening a pipe waits for a writer, and a device has no end
            return ""
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
