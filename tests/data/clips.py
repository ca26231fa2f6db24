"""Small clips made by code, and what is seen on them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy
import pytest

av: Any = pytest.importorskip("av", reason="needs the data extra: av")

TICK = Fraction(1, 1000)
# FFmpeg takes a name with a colon for an address, and "%03d" for a number to fill in.
FORMATS = {".ts": "mpegts", ".mkv": "matroska", ".wmv": "asf", ".mpg": "mpeg"}


def clip(
    file: Path,
    total: int,
    *,
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    times: list[int] | None = None,
    every_key: int = 12,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
) -> Path:
    """Frame number i is grey 20 * i, five a second or at `times` in milliseconds."""
    kind = FORMATS.get(file.suffix, file.suffix[1:])
    with file.open("wb") as target, av.open(target, "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=25 if codec == "mpeg2video" else 5)
        stream.options = codec_options or {}
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        stream.gop_size = every_key
        if times:
            stream.codec_context.time_base = TICK
        for index in range(total):
            pixels = numpy.full((size[1], size[0], 3), 20 * (index % 13), numpy.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if times:
                frame.pts, frame.time_base = times[index], TICK
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def grey(frame: Any) -> int:
    """The frame's grey as it was drawn: codecs are off by a little."""
    return 20 * round(float(frame.mean()) / 20)


def held(file: Path, degrees: int) -> Path:
    """Note in an MP4, as a phone does, that its pictures are to be turned so much clockwise.

    QuickTime File Format, track header atom: the matrix a, b, u, c, d, v, ... in 16.16 fixed point.
    """
    one = 1 << 16
    a, b, c, d = {
        0: (one, 0, 0, one),
        90: (0, one, -one, 0),
        180: (-one, 0, 0, -one),
        270: (0, -one, one, 0),
    }[degrees]
    data = bytearray(file.read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40
    struct.pack_into(">9i", data, matrix, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    file.write_bytes(data)
    return file


def sound(file: Path, cover: bool = False) -> Path:
    """A second of silence, with a picture on its cover or without."""
    with av.open(str(file), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        if cover:
            picture = container.add_stream("png", rate=1)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic.value
        frame = av.AudioFrame.from_ndarray(numpy.zeros((1, 1024), "float32"), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if cover:
            pixels = numpy.zeros((48, 64, 3), numpy.uint8)
            container.mux(picture.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(picture.encode())
    return file
