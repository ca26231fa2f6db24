"""Pictures and clips of every kind, and ways to damage them, all by a seed."""

from __future__ import annotations

import io
import random
from pathlib import Path
from typing import Any

import numpy
from PIL import Image as pil

from tests.data.clips import clip, held


def pictures() -> dict[str, bytes]:
    """One of each format and mode, by name."""
    noise = numpy.random.RandomState(0).randint(0, 255, (12, 16, 3), dtype=numpy.uint8)
    drawn = pil.fromarray(noise).resize((64, 48), pil.Resampling.BICUBIC)
    frames = [drawn.rotate(90 * turn).resize((64, 48)) for turn in range(1, 3)]
    turned = pil.Exif()
    turned[0x0112] = 6
    deep = pil.fromarray((numpy.asarray(drawn.convert("L")).astype(numpy.uint16) << 8) + 7)
    kinds: dict[str, tuple[pil.Image, str, dict[str, Any]]] = {
        "png": (drawn, "PNG", {}),
        "palette": (drawn.quantize(16), "PNG", {}),
        "transparent": (drawn.convert("RGBA"), "PNG", {}),
        "16 bits": (deep, "PNG", {}),
        "moving png": (drawn, "PNG", {"save_all": True, "append_images": frames}),
        "jpeg": (drawn, "JPEG", {}),
        "progressive": (drawn, "JPEG", {"progressive": True}),
        "cmyk": (drawn.convert("CMYK"), "JPEG", {}),
        "turned": (drawn, "JPEG", {"exif": turned}),
        "gif": (drawn, "GIF", {"save_all": True, "append_images": frames}),
        "webp": (drawn, "WEBP", {}),
        "moving webp": (drawn, "WEBP", {"save_all": True, "append_images": frames}),
        "bmp": (drawn, "BMP", {}),
        "tiff": (drawn, "TIFF", {}),
        "packed tiff": (drawn, "TIFF", {"compression": "tiff_lzw"}),
        "jpeg tiff": (drawn, "TIFF", {"compression": "jpeg"}),
        "deep tiff": (deep, "TIFF", {"compression": "tiff_deflate"}),
        "avif": (drawn, "AVIF", {}),
        "jpeg2000": (drawn, "JPEG2000", {}),
        "ppm": (drawn, "PPM", {}),
        "ico": (drawn, "ICO", {}),
    }
    made = {}
    for name, (picture, kind, options) in kinds.items():
        stream = io.BytesIO()
        picture.save(stream, kind, **options)
        made[name] = stream.getvalue()
    return made


def clips(folder: Path) -> dict[str, bytes]:
    """One of each container and codec, by file name."""
    kinds = {
        "a.mp4": "libx264",
        "held.mp4": "libx264",
        "a.mov": "mjpeg",
        "a.mkv": "libx264",
        "vp8.mkv": "libvpx",
        "a.webm": "libvpx-vp9",
        "a.avi": "mpeg4",
        "a.ts": "libx264",
        "a.flv": "flv",
        "a.wmv": "wmv2",
        "a.mpg": "mpeg2video",
    }
    strict = {"mjpeg": {"strict": "-1"}}
    for name, codec in kinds.items():
        clip(folder / name, 16, codec=codec, every_key=5, codec_options=strict.get(codec))
    held(folder / "held.mp4", 90)
    return {name: (folder / name).read_bytes() for name in kinds}


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Bits turned, bytes lost, doubled, overwritten, or the end cut off; headers most of all."""
    hurt = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        if not hurt:
            break
        at = chance.randrange(min(len(hurt), chance.choice((64, 512, len(hurt)))))
        way = chance.randrange(6)
        if way == 0:
            hurt[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            hurt[at] = chance.randrange(256)
        elif way == 2:
            hurt[at : at + 4] = chance.choice(
                (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")
            )
        elif way == 3:
            del hurt[at : at + chance.randrange(1, 64)]
        elif way == 4:
            hurt[at:at] = hurt[at : at + chance.randrange(1, 64)]
        else:
            del hurt[chance.randrange(len(hurt)) :]
    return bytes(hurt)
