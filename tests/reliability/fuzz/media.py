"""Fuzz what decodes pictures and clips: the file is shown, or refused with a `DataError`.

    python -m tests.reliability.fuzz.media CORPUS -max_total_time=600

An input's first byte says whether the rest is a picture or a clip. The corpus is begun with small
files of every format.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["PIL", "towereval"]):
    from PIL import Image as pil
    from PIL import ImageFile

    from towereval.data import media, video
    from towereval.errors import DataError

from tests.data.clips import clip
from tests.data.test_media import encoded

PICTURE, CLIP = b"\x00", b"\x01"
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM", "ICO")
MODES = ("RGB", "L", "P", "1", "RGBA", "CMYK", "I;16", "LA")
SUFFIXES = (".mp4", ".mkv", ".avi", ".ts", ".flv", ".ogv", ".wmv", ".mpg")
CODECS = {".ogv": "libtheora", ".wmv": "wmv2", ".mpg": "mpeg2video", ".flv": "flv"}
# Less than the real bounds, so that time is spent on readers and not on filling memory.
media.MAX_PIXELS = 1 << 20
video.MOST_PIXELS = 1 << 18


def seeds(folder: Path) -> Iterator[bytes]:
    for mode in MODES:
        picture = pil.new(mode, (9, 7), 1)
        for kind in KINDS:
            with suppress(OSError, ValueError, KeyError):  # not every format has every mode
                yield PICTURE + encoded(picture, kind)
    for suffix in SUFFIXES:
        with suppress(Exception):  # an encoder that this FFmpeg lacks
            file = clip(folder / f"a{suffix}", 3, size=(32, 32), codec=CODECS.get(suffix, "mpeg4"))
            yield CLIP + file.read_bytes()


def one(folder: Path, data: bytes) -> None:
    file = folder / "file"
    file.write_bytes(data[1:])
    if data[:1] == CLIP:
        with suppress(DataError):
            shown = video.decode_video(media.video_file(file), 2)
            assert len(shown.indices) == 2 == len(shown.frames_THWC)
            assert shown.frames_THWC.shape[3] == 3
        return
    image = media.image_file(file)
    with suppress(DataError):
        height, width = media.image_size(image)
        picture = media.decode_image(image)
        assert picture.mode == "RGB"
        assert picture.size == (width, height)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def main() -> None:
    pil.init()
    corpus = Path(sys.argv[1])
    corpus.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:  # for speed
        for number, data in enumerate(seeds(Path(temporary))):
            (corpus / f"seed-{number}").write_bytes(data)
        atheris.Setup(sys.argv, lambda data: one(Path(temporary), data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
