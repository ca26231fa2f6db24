"""Pictures: what a model is shown, and that no file can do harm."""

from __future__ import annotations

import hashlib
import io
import resource
import struct
import zlib
from pathlib import Path

import numpy
import pytest
from PIL import Image as pil

from towereval.data import media
from towereval.errors import DataError
from towereval.types import Image

RED, BLUE = (250, 10, 20), (20, 10, 250)


def encoded(picture: pil.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def decoded(tmp_path: Path, data: bytes) -> pil.Image:
    file = tmp_path / "picture"
    file.write_bytes(data)
    return media.decode_image(media.image_file(file))


def near(pixel: object, wanted: tuple[int, int, int], by: int = 4) -> bool:
    assert isinstance(pixel, tuple)
    return all(abs(one - other) <= by for one, other in zip(pixel, wanted, strict=True))


# --- pictures ---


def two_halves(left: tuple[int, int, int], right: tuple[int, int, int]) -> pil.Image:
    picture = pil.new("RGB", (32, 16), left)
    picture.paste(right, (16, 0, 32, 16))
    return picture


# EXIF's orientations: where the stored picture's left half is seen.
@pytest.mark.parametrize(
    ("orientation", "size", "red_at"),
    [
        (1, (32, 16), (4, 8)),
        (2, (32, 16), (28, 8)),
        (3, (32, 16), (28, 8)),
        (4, (32, 16), (4, 8)),
        (5, (16, 32), (8, 4)),
        (6, (16, 32), (8, 4)),
        (7, (16, 32), (8, 28)),
        (8, (16, 32), (8, 28)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_camera_s_orientation_is_applied(
    tmp_path: Path, kind: str, orientation: int, size: tuple[int, int], red_at: tuple[int, int]
) -> None:
    exif = pil.Exif()
    exif[0x0112] = orientation
    picture = decoded(tmp_path, encoded(two_halves(RED, BLUE), kind, exif=exif))
    assert (picture.mode, picture.size) == ("RGB", size)
    assert near(picture.getpixel(red_at), RED)
    other = (size[0] - 1 - red_at[0], size[1] - 1 - red_at[1])
    assert near(picture.getpixel(other), BLUE)


def sixteen_bits(level: int) -> pil.Image:
    return pil.fromarray(numpy.full((8, 8), level, numpy.uint16))


@pytest.mark.parametrize(
    ("picture", "kind", "pixel"),
    [
        (pil.new("RGB", (8, 8), RED), "PNG", RED),
        (pil.new("RGB", (8, 8), RED), "JPEG", RED),
        (pil.new("RGB", (8, 8), RED), "WEBP", RED),
        (pil.new("RGB", (8, 8), RED), "BMP", RED),
        (pil.new("RGB", (8, 8), RED), "TIFF", RED),
        (pil.new("RGB", (8, 8), RED).quantize(4), "PNG", RED),
        (pil.new("RGB", (8, 8), RED).quantize(4), "GIF", RED),
        (pil.new("RGBA", (8, 8), (*RED, 128)), "PNG", RED),
        (pil.new("LA", (8, 8), (100, 255)), "PNG", (100, 100, 100)),
        (pil.new("L", (8, 8), 100), "PNG", (100, 100, 100)),
        (pil.new("L", (8, 8), 100), "JPEG", (100, 100, 100)),
        (pil.new("1", (8, 8), 1), "PNG", (255, 255, 255)),
        (pil.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", (255, 0, 0)),
        (pil.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF", (255, 0, 0)),
        (sixteen_bits(0), "PNG", (0, 0, 0)),
        (sixteen_bits(0x8000), "PNG", (128, 128, 128)),
        (sixteen_bits(0xFFFF), "PNG", (255, 255, 255)),
        (sixteen_bits(0x8000), "TIFF", (128, 128, 128)),
    ],
    ids=lambda value: getattr(value, "mode", None),
)
def test_every_kind_of_picture_becomes_rgb(
    tmp_path: Path, picture: pil.Image, kind: str, pixel: tuple[int, int, int]
) -> None:
    shown = decoded(tmp_path, encoded(picture, kind))
    assert (shown.mode, shown.size) == ("RGB", (8, 8))
    assert near(shown.getpixel((4, 4)), pixel)


def bomb(width: int, height: int, colours: int = 2) -> bytes:
    """A PNG of a few bytes that claims to be large; `colours` 2 is RGB, 0 grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


NOISE = pil.effect_noise((64, 48), 50).convert("RGB")


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (encoded(NOISE, "PNG")[:-200], "truncated"),
        (encoded(NOISE, "JPEG")[:-200], "truncated"),
        (encoded(NOISE, "AVIF")[:-200], "cannot be decoded"),
        (encoded(NOISE, "AVIF").replace(b"iloc", b"xxxx"), "cannot be decoded"),
        (encoded(NOISE, "PNG")[:20], "Truncated"),
        (b"<html>404 Not Found</html>", "not a picture"),
        (b"", "not a picture"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", "not a picture"),
        (bomb(20_000, 20_000), "400000000 pixels"),
        (encoded(pil.new("I", (8, 8), 70_000), "TIFF"), "(Pillow's mode I)"),
        (encoded(pil.new("F", (8, 8), 0.5), "TIFF"), "(Pillow's mode F)"),
    ],
    ids=[
        "png",
        "jpeg",
        "avif",
        "damaged avif",
        "header",
        "text",
        "empty",
        "a program (EPS)",
        "bomb",
        "32-bit integers",
        "floats",
    ],
)
def test_a_bad_picture_is_named_with_its_fault(tmp_path: Path, data: bytes, fault: str) -> None:
    with pytest.raises(DataError) as raised:
        decoded(tmp_path, data)
    assert str(raised.value).startswith(f"{tmp_path / 'picture'}: ")
    assert fault in str(raised.value)


def test_a_missing_picture_is_told_when_it_is_decoded(tmp_path: Path) -> None:
    image = media.image_file(tmp_path / "no.png")
    with pytest.raises(DataError, match=r"no\.png: .*No such file"):
        media.decode_image(image)


def test_a_device_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "endless.png").symlink_to("/dev/zero")
    with pytest.raises(DataError, match="it is no file"):
        media.decode_image(media.image_file(tmp_path / "endless.png"))


def test_a_picture_of_a_log_without_pictures_is_told() -> None:
    with pytest.raises(DataError, match="log without pictures"):
        media.decode_image(Image("", "abc"))


@pytest.mark.parametrize("own", [True, False], ids=["Pillow's own", "Pillow's lifted"])
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_of_pixels_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    if not own:
        monkeypatch.setattr(pil, "MAX_IMAGE_PIXELS", None)
    file = tmp_path / "picture"
    width = 12_470
    for more, fault in ((0, "file is truncated"), (1, f"{media.MAX_PIXELS} pixels")):
        file.write_bytes(bomb(width, media.MAX_PIXELS // width + more, colours=0))
        with pytest.raises(DataError, match=fault):
            media.decode_image(media.image_file(file))


def test_the_size_is_that_of_what_is_shown(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        exif = pil.Exif()
        exif[0x0112] = orientation
        file = tmp_path / f"{orientation}.jpg"
        file.write_bytes(encoded(two_halves(RED, BLUE), "JPEG", exif=exif))
        image = media.image_file(file)
        width, height = media.decode_image(image).size
        assert media.image_size(image) == (height, width)


# --- the cache ---


def test_equal_bytes_are_one_picture_written_once(cache: Path) -> None:
    data = encoded(two_halves(RED, BLUE), "PNG")
    first = media.image_bytes(data)
    written = Path(first.source).stat().st_mtime_ns
    assert media.image_bytes(bytes(bytearray(data))) == first
    assert Path(first.source).stat().st_mtime_ns == written
    assert Path(first.source).is_relative_to(cache)
    assert Path(first.source).read_bytes() == data
    assert first.sha256 == hashlib.sha256(data).hexdigest()
    assert [file for file in cache.rglob("*") if file.is_file()] == [Path(first.source)]


def test_one_other_pixel_is_another_picture() -> None:
    picture = two_halves(RED, BLUE)
    before = media.image_bytes(encoded(picture, "PNG"))
    picture.putpixel((0, 0), (251, 10, 20))
    after = media.image_bytes(encoded(picture, "PNG"))
    assert before.sha256 != after.sha256
    assert before.source != after.source


def test_a_file_and_its_bytes_have_the_same_hash(tmp_path: Path) -> None:
    data = encoded(two_halves(RED, BLUE), "PNG")
    (tmp_path / "a.png").write_bytes(data)
    assert media.image_file(tmp_path / "a.png").sha256 == media.image_bytes(data).sha256


def test_a_cache_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TOWEREVAL_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError) as raised:
        media.image_bytes(encoded(NOISE, "PNG"))
    assert str(tmp_path / "file" / "cache") in str(raised.value)
    assert "Not a directory; TOWEREVAL_CACHE names" in str(raised.value)


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    file = tmp_path / "new" / "file.json"
    media.write_atomically(file, b"one")
    media.write_atomically(file, b"two")
    assert file.read_bytes() == b"two"
    assert list(file.parent.iterdir()) == [file]


def test_a_failed_write_keeps_the_old_content(tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    media.write_atomically(file, b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))  # as a full disk would
    try:
        with pytest.raises(OSError, match="File too large"):
            media.write_atomically(file, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
