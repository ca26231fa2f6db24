"""Clips: which frames of a video a model is shown, when they were, and how they are had.

Frames are numbered in the order in which they are shown, so they are the same whether the file is
read from its start or from key frame to key frame. No more of a clip is held in memory than its
chosen frames, each of at most FRAME_PIXELS, and what the decoder needs for one.

A file that was cut gives the frames it has, or `DataError` where its index is lost or a chosen
frame was cut in two: a frame that the decoder knows to be damaged is never shown.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towereval.errors import DataError
from towereval.types import Video

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

# A larger frame is reduced to so many pixels (full HD): every processor reduces it much further,
# and 32 frames of a clip in 8K would take 3 GB.
FRAME_PIXELS = 1920 * 1080
# A decoder keeps up to 16 whole frames, so what is larger than 8K is not even begun.
MOST_PIXELS = 8192 * 4352

# A clip must not make FFmpeg open other files or addresses, as a playlist does: only formats that
# hold their frames themselves are read.
_SAFE = {
    "protocol_whitelist": "file",
    "format_whitelist": "mov,matroska,avi,mpegts,mpeg,flv,ogg,asf,gif",
}
# Formats with an index of exact times; the others are read from the start.
_SEEKABLE = ("mov,", "matroska,")


@dataclass(frozen=True, slots=True)
class Clip:
    """Sampled frames, upright. Legend: T frames, H height, W width, C=3 colours.

    `indices` and `timestamps` (seconds since the first frame) are of the frames shown, `total` and
    `fps` of the whole clip.
    """

    frames_THWC: NDArray[numpy.uint8]
    indices: tuple[int, ...]
    timestamps: tuple[float, ...]
    total: int
    fps: float


def decode_video(video: Video, count: int) -> Clip:
    """`count` frames at uniform distance, the first and the last included.

    Source: np.linspace(0, n - 1, count) in their lmms-eval fork (arXiv 2510.21849, section 4).
    Raises `DataError`.
    """
    try:
        import av
    except ImportError as error:
        from towereval.errors import MissingExtra

        raise MissingExtra("av", "data") from error
    if not video.source:
        raise DataError("the clip is not at hand: this run was imported from a log without clips")
    check_regular(video.source)
    try:
        return _decode(video.source, count)
    except (av.FFmpegError, OSError, ValueError, LookupError, MemoryError) as error:
        raise DataError(f"{video.source}: cannot be decoded: {error}") from error


def check_regular(file: str) -> None:
    """Raises `DataError` for a folder, a pipe or a device: opening one may wait for ever.

    What is not there passes: whoever opens it tells.
    """
    path = Path(file)
    if path.exists() and not path.is_file():
        raise DataError(f"{file}: cannot be decoded: it is no file")


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
class _Index:
    """What a file says of its frames before one is decoded.

    `times` are in the order shown, in the stream's ticks, and empty where a frame cannot be told
    by its time.
    """

    total: int
    times: tuple[int, ...]
    key_times: tuple[int, ...]
    rate: float


@dataclass(frozen=True, slots=True)
class _Read:
    """Frames by their number; `seconds` since the first, where the file says."""

    pictures: dict[int, NDArray[numpy.uint8]]
    seconds: dict[int, float]
    total: int


def _decode(file: str, count: int) -> Clip:
    import numpy

    index = _read_index(file)
    indices = uniform(index.total, count)
    read = _from_key_frames(file, index, indices)
    if read is None:
        read = _from_the_start(file, indices)
        # Some codecs pack frames that are never shown, some files begin within a scene: only
        # decoding tells how many frames there are.
        if read.total != index.total:
            indices = uniform(read.total, count)
            read = _from_the_start(file, indices)
    if any(number not in read.pictures for number in indices):
        raise ValueError("it holds no frame")
    frames_THWC = numpy.empty((count, *read.pictures[0].shape), numpy.uint8)
    for number in sorted(set(indices)):
        picture_HWC = read.pictures.pop(number)
        if picture_HWC.shape != frames_THWC.shape[1:]:
            raise ValueError("its frames are not of one size")
        frames_THWC[[at for at, chosen in enumerate(indices) if chosen == number]] = picture_HWC
    fps = _rate(index.rate, read)
    times = tuple(read.seconds.get(number, number / fps if fps else 0.0) for number in indices)
    return Clip(frames_THWC, indices, times, read.total, fps)


def _rate(said: float, read: _Read) -> float:
    """Frames a second, as the file says or, where its frames say otherwise, as they do.

    A variable rate has no one value in the file; this one puts the last frame at its time.
    """
    seconds = read.seconds.get(read.total - 1, 0.0)
    if seconds <= 0:
        return said
    shown = (read.total - 1) / seconds
    # Half a tick of a thousandth of a second, at each end, is rounding.
    return said if math.isclose(said, shown, rel_tol=max(0.01, 0.001 / seconds)) else shown


@contextmanager
def _opened(file: str) -> Iterator[tuple[Any, Any]]:
    """The container and its first stream of moving pictures."""
    import av

    # Not as `options`: for a format whose streams come late (FLV), PyAV before 17.1 crashes.
    with av.open(f"file:{file}", container_options=_SAFE) as container:
        # The cover of a song is a stream of pictures too.
        covers = av.stream.Disposition.attached_pic
        streams = [one for one in container.streams.video if not one.disposition & covers]
        if not streams:
            raise ValueError("no video stream")
        codec = streams[0].codec_context
        if codec is None:  # PyAV would crash
            raise ValueError("no codec for its video stream")
        _check_size(codec.width, codec.height)
        codec.options = {"max_pixels": str(MOST_PIXELS)}  # its size may change on the way
        yield container, streams[0]


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}x{height} is more than {MOST_PIXELS} pixels")


def _read_index(file: str) -> _Index:
    times: list[int | None] = []
    key_times: list[int] = []
    with _opened(file) as (container, stream):
        for packet in container.demux(stream):
            if packet.is_keyframe and packet.pts is not None:
                key_times.append(packet.pts)
            if packet.size and not packet.is_discard:  # an edit list leaves frames out
                times.append(packet.pts)
        rate = float(stream.average_rate or 0.0)
        exact = container.format.name.startswith(_SEEKABLE)
    known = sorted({time for time in times if time is not None})
    if not exact or len(known) < len(times):
        known = []
    return _Index(len(times), tuple(known), tuple(sorted(key_times)), rate)


def _from_key_frames(file: str, index: _Index, numbers: Collection[int]) -> _Read | None:
    """Decode from the key frame before each; None where the file is not as its index says."""
    if not index.times or not index.key_times:
        return None
    read = _Read({}, {}, index.total)
    position = -1  # of the last frame decoded, as a number
    with _opened(file) as (container, stream):
        frames = container.decode(stream)
        for number in sorted(set(numbers)):
            wanted = index.times[number]
            key = index.key_times[max(0, bisect_right(index.key_times, wanted) - 1)]
            if position >= 0 and key > index.times[position]:
                container.seek(key, stream=stream)
                frames = container.decode(stream)
            frame = next((one for one in frames if one.pts is None or one.pts >= wanted), None)
            if frame is None or frame.pts != wanted:
                return None
            position = number
            read.pictures[number] = _picture(frame, number)
            read.seconds[number] = float((wanted - index.times[0]) * stream.time_base)
    return read


def _from_the_start(file: str, numbers: Collection[int]) -> _Read:
    wanted = set(numbers)
    pictures: dict[int, NDArray[numpy.uint8]] = {}
    times: list[int | None] = []
    with _opened(file) as (container, stream):
        for number, frame in enumerate(container.decode(stream)):
            times.append(frame.pts)
            if number in wanted:
                pictures[number] = _picture(frame, number)
        tick = stream.time_base
    known = [time for time in times if time is not None]
    if len(known) < len(times) or known != sorted(set(known)):  # AVI's are in another order
        return _Read(pictures, {}, len(times))
    seconds = {number: float((known[number] - known[0]) * tick) for number in pictures}
    return _Read(pictures, seconds, len(times))


def _picture(frame: Any, number: int) -> NDArray[numpy.uint8]:
    """A frame as it is meant to be seen: a phone films lying down and notes how it was held."""
    import numpy

    if frame.is_corrupt:
        raise ValueError(f"frame {number} is damaged")
    _check_size(frame.width, frame.height)
    shrink = min(1.0, math.sqrt(FRAME_PIXELS / (frame.width * frame.height)))
    picture_HWC = frame.to_ndarray(
        format="rgb24",
        width=max(1, int(frame.width * shrink)),
        height=max(1, int(frame.height * shrink)),
        interpolation="AREA" if shrink < 1 else None,
    )
    turns = round(frame.rotation / 90) % 4
    return numpy.ascontiguousarray(numpy.rot90(picture_HWC, turns))
