"""Pictures and clips: known by the hash of their encoded bytes, decoded when an engine needs them.

Decoding is safe: no network protocol, no other program, no picture of more than MAX_PIXELS, no
half-read picture. A clip cut within a frame is refused; between two frames it is a shorter clip.
"""

from __future__ import annotations

import hashlib
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towereval.errors import DataError
from towereval.types import Frame, Image, Video

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray
    from PIL.Image import Image as Picture

# Part of every request's key: moves when the same bytes would decode to other pixels or other
# frames.
DECODING = "rgb-exif-1"
MAX_PIXELS = 200_000_000
# Pillow's formats but those that nobody keeps photographs in; for EPS it would run Ghostscript.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO")


@dataclass(frozen=True, slots=True)
class Clip:
    """Sampled frames. Legend: T frames, H height, W width, C=3 colours."""

    frames_THWC: NDArray[numpy.uint8]
    indices: tuple[int, ...]
    total: int
    fps: float


def cache_folder() -> Path:
    """TOWEREVAL_CACHE, else ~/.cache/towereval: pictures, checkpoints, environments."""
    return Path(os.environ.get("TOWEREVAL_CACHE") or Path.home() / ".cache" / "towereval")


def image_file(file: Path) -> Image:
    """A picture that lies in a file. A missing file is told when the picture is decoded."""
    return Image(str(file), _sha256(file))


def image_bytes(data: bytes) -> Image:
    """A picture that came inside a row: written once to the cache, under its hash."""
    sha256 = hashlib.sha256(data).hexdigest()
    file = cache_folder() / "media" / sha256[:2] / sha256
    if not file.exists():
        write_atomically(file, data)
    return Image(str(file), sha256)


def video_file(file: Path) -> Video:
    return Video(str(file), _sha256(file))


def write_atomically(file: Path, data: bytes) -> None:
    """Write to a temporary name, sync, rename: a reader sees all of the file or nothing."""
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


def decode_image(image: Image) -> Picture:
    """The picture upright and in RGB. Raises `DataError` naming the file and its fault."""
    from PIL import Image as pil
    from PIL import ImageOps, UnidentifiedImageError

    if not image.source:
        raise DataError(
            "the picture is not at hand: this run was imported from a log without pictures"
        )
    try:
        with pil.open(image.source, formats=_FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                size = f"{picture.width}x{picture.height}"
                raise DataError(f"{image.source}: {size} is more than {MAX_PIXELS} pixels")
            # As `datasets` does: a camera's orientation tag is applied before a model sees the
            # picture.
            upright = ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I;16"):  # Pillow would show all but the darkest as white
                upright = upright.point(lambda value: value * (1 / 256)).convert("L")
            return upright.convert("RGB")
    except UnidentifiedImageError as error:
        raise DataError(f"{image.source}: not a picture that Pillow can read") from error
    except (OSError, ValueError, RuntimeError, SyntaxError, pil.DecompressionBombError) as error:
        raise DataError(f"{image.source}: cannot be decoded: {error}") from error


def is_turned(image: Image) -> bool:
    """Whether a camera's orientation tag says that the pixels lie otherwise than they are seen."""
    from PIL import Image as pil

    with pil.open(image.source) as picture:
        return int(picture.getexif().get(0x0112, 1)) != 1


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


def decode_video(video: Video, count: int) -> Clip:
    """`count` frames at uniform distance, the first and the last included.

    Source: np.linspace(0, n - 1, count) in their lmms-eval fork (arXiv 2510.21849, section 4).
    Raises `DataError`.
    """
    try:
        import av
        import numpy
    except ImportError as error:
        from towereval.errors import MissingExtra

        raise MissingExtra("av", "data") from error
    try:
        total, fps = _packets(video.source)
        frames = _decode(video.source, uniform(total, count))
        if frames.total != total:  # some codecs pack frames that are never shown
            total = frames.total
            frames = _decode(video.source, uniform(total, count))
        indices = uniform(total, count)
        if any(index not in frames.pictures for index in indices):
            raise ValueError("it holds no frame")
        frames_THWC = numpy.stack([frames.pictures[index] for index in indices])
    except (av.FFmpegError, OSError, ValueError, IndexError) as error:
        raise DataError(f"{video.source}: cannot be decoded: {error}") from error
    return Clip(frames_THWC, indices, total, fps)


def uniform(total: int, count: int) -> tuple[int, ...]:
    """Indices of `count` frames out of `total`; a short clip repeats frames.

    They are numpy's to the last bit: `index * (total - 1) / (count - 1)` now and then rounds to
    another frame.
    """
    if count == 1 or total <= 1:
        return (0,) * count
    step = (total - 1) / (count - 1)
    return (*(int(index * step) for index in range(count - 1)), total - 1)


@dataclass(frozen=True, slots=True)
class _Decoded:
    pictures: dict[int, NDArray[numpy.uint8]]
    total: int


# A clip must not make FFmpeg open other files or addresses, as a playlist does: only formats that
# hold their frames themselves are read.
_SAFE = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif",
}


def _packets(file: str) -> tuple[int, float]:
    import av

    with av.open(f"file:{file}", options=_SAFE) as container:
        stream = _stream(container)
        total = sum(1 for packet in container.demux(stream) if packet.size)
        return total, float(stream.average_rate or 0.0)


def _stream(container: Any) -> Any:
    if not container.streams.video:
        raise ValueError("no video stream")
    stream = container.streams.video[0]
    codec = stream.codec_context
    if codec is None:  # PyAV would crash
        raise ValueError("no codec for its video stream")
    if codec.width * codec.height > MAX_PIXELS:
        raise ValueError(f"{codec.width}x{codec.height} is more than {MAX_PIXELS} pixels")
    return stream


def _decode(file: str, wanted: tuple[int, ...]) -> _Decoded:
    import av

    pictures: dict[int, NDArray[numpy.uint8]] = {}
    total = 0
    with av.open(f"file:{file}", options=_SAFE) as container:
        for total, frame in enumerate(container.decode(_stream(container)), start=1):
            if total - 1 in wanted:
                pictures[total - 1] = frame.to_ndarray(format="rgb24")
    return _Decoded(pictures, total)


def _sha256(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""
