"""Pictures and clips: what a model is shown, and that no file can do harm."""

from __future__ import annotations

import hashlib
import http.server
import io
import resource
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
from PIL import Image as pil

from towereval.data import media
from towereval.errors import DataError
from towereval.types import Frame, Image, Video

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


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
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


def test_a_picture_of_a_log_without_pictures_is_told() -> None:
    with pytest.raises(DataError, match="log without pictures"):
        media.decode_image(Image("", "abc"))


def test_the_limit_of_pixels_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "MAX_PIXELS", 63)
    with pytest.raises(DataError, match="8x8 is more than 63 pixels"):
        decoded(tmp_path, encoded(pil.new("RGB", (8, 8)), "PNG"))


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


# --- which frames of a clip ---


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 16, 23, 27, 32, 47, 64])
def test_frames_are_chosen_as_numpy_s_linspace_truncated(count: int) -> None:
    """The authors' frames exactly: 27 frames of a clip of 31 would differ by one otherwise."""
    for total in (*range(1, 300), 999, 1000, 1001, 3600, 99_999):
        wanted = numpy.linspace(0, total - 1, count).astype(int).tolist()
        assert list(media.uniform(total, count)) == wanted, total


@pytest.mark.parametrize(
    ("total", "count", "indices"),
    [
        (12, 1, (0,)),
        (12, 2, (0, 11)),
        (12, 4, (0, 3, 7, 11)),
        (12, 12, tuple(range(12))),
        (3, 8, (0, 0, 0, 0, 1, 1, 1, 2)),
        (1, 4, (0, 0, 0, 0)),
    ],
)
def test_frames_are_uniform_and_short_clips_repeat_them(
    tmp_path: Path, total: int, count: int, indices: tuple[int, ...]
) -> None:
    file = clip(tmp_path / "a.mp4", total)
    shown = media.decode_video(media.video_file(file), count)
    assert (shown.indices, shown.total, shown.fps) == (indices, total, 5.0)
    assert shown.frames_THWC.shape == (count, 48, 64, 3)
    assert [grey(frame) for frame in shown.frames_THWC] == [20 * index for index in indices]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mp4", "libx264"),
        ("a.mov", "libx264"),
        ("a.mkv", "libx264"),
        ("a.webm", "libvpx-vp9"),
        ("a.avi", "mpeg4"),
        ("a.ts", "libx264"),
        ("with space: and %03d.mp4", "libx264"),
    ],
)
def test_first_and_last_frame_of_every_container(tmp_path: Path, name: str, codec: str) -> None:
    file = clip(tmp_path / name, 10, codec=codec)
    shown = media.decode_video(media.video_file(file), 3)
    assert shown.indices == (0, 4, 9)
    assert [grey(frame) for frame in shown.frames_THWC] == [0, 80, 180]


def test_a_clip_s_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would look for a protocol called "ball"."""
    clip(tmp_path / "ball:left.mp4", 3)
    monkeypatch.chdir(tmp_path)
    assert media.decode_video(media.video_file(Path("ball:left.mp4")), 2).indices == (0, 2)


def test_frames_for_a_model_that_reads_pictures_only(tmp_path: Path) -> None:
    video = media.video_file(clip(tmp_path / "a.mp4", 5))
    still = media.image_bytes(encoded(pil.new("RGB", (8, 8), RED), "PNG"))
    shown = media.decode_frames((Frame(video, 2, 3), still, Frame(video, 0, 3)))
    assert [picture.size for picture in shown] == [(64, 48), (8, 8), (64, 48)]
    assert near(shown[0].getpixel((30, 20)), (80, 80, 80))
    assert near(shown[1].getpixel((4, 4)), RED)
    assert near(shown[2].getpixel((30, 20)), (0, 0, 0))
    small = media.decode_frames((Frame(video, 2, 3), still), 32)
    assert [picture.size for picture in small] == [(32, 24), (8, 8)]


# --- clips that cannot be read ---


def clip(
    file: Path,
    total: int,
    *,
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    options: dict[str, str] | None = None,
) -> Path:
    """Frame number i is grey 20 * i."""
    av = pytest.importorskip("av", reason="needs the data extra: av")
    # FFmpeg takes a name with a colon for an address, and "%03d" for a number to fill in.
    kind = {".ts": "mpegts", ".mkv": "matroska"}.get(file.suffix, file.suffix[1:])
    with file.open("wb") as target, av.open(target, "w", format=kind, options=options) as container:
        stream = container.add_stream(codec, rate=5)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        for index in range(total):
            pixels = numpy.full((size[1], size[0], 3), 20 * index, numpy.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file


def grey(frame: numpy.ndarray) -> int:
    """The frame's grey as it was drawn: codecs are off by a little."""
    return 20 * round(float(frame.mean()) / 20)


def sound(file: Path) -> Path:
    av = pytest.importorskip("av", reason="needs the data extra: av")
    with av.open(str(file), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(numpy.zeros((1, 1024), "float32"), "fltp", "mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def refusal(file: Path) -> str:
    with pytest.raises(DataError) as raised:
        media.decode_video(media.video_file(file), 4)
    assert str(raised.value).startswith(f"{file}: cannot be decoded: ")
    return str(raised.value).removeprefix(f"{file}: cannot be decoded: ")


def test_a_clip_cut_anywhere_is_refused(tmp_path: Path) -> None:
    """Cut within its index, PyAV has no codec for the stream and would crash the process."""
    whole = clip(tmp_path / "a.mp4", 12).read_bytes()
    faults = set()
    for length in range(0, len(whole) - 100, 31):
        (tmp_path / "cut.mp4").write_bytes(whole[:length])
        faults.add(refusal(tmp_path / "cut.mp4"))
    assert "no codec for its video stream" in faults


def test_a_clip_whose_end_is_missing_is_refused(tmp_path: Path) -> None:
    """Its index, at the front, promises more frames than there are."""
    file = clip(tmp_path / "a.mp4", 12, options={"movflags": "faststart"})
    data = file.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    start = data.index(b"mdat")
    for length in (start, start + 8, start + 300, len(data) - 5, len(data) - 1):
        (tmp_path / "cut.mp4").write_bytes(data[:length])
        refusal(tmp_path / "cut.mp4")


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    assert refusal(sound(tmp_path / "a.mp4")) == "no video stream"


def test_text_called_mp4_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("<html>404 Not Found</html>\n" * 50)
    assert "Invalid data" in refusal(tmp_path / "a.mp4")


def test_a_missing_clip_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "a.mp4")


def test_a_clip_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    parts = [clip(tmp_path / f"{width}.ts", 4, size=(width, 48)).read_bytes() for width in (64, 96)]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    assert "same shape" in refusal(tmp_path / "a.ts")


def test_the_limit_of_pixels_holds_for_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "MAX_PIXELS", 64 * 48 - 1)
    assert "64x48 is more than 3071 pixels" in refusal(clip(tmp_path / "a.mp4", 2))


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """An address on loopback, and what was asked of it."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


HLS = "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3.0,\n{}\n#EXT-X-ENDLIST\n"
CONCAT = "ffconcat version 1.0\nfile '{}'\n"


@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".ffconcat", ".ts"])
@pytest.mark.parametrize("playlist", [HLS, CONCAT], ids=["m3u8", "ffconcat"])
def test_a_playlist_is_not_followed(
    tmp_path: Path, listener: tuple[str, list[str]], playlist: str, suffix: str
) -> None:
    address, asked = listener
    secret = clip(tmp_path / "secret.ts", 3)
    for target in (secret.name, str(secret), f"file:{secret}", f"{address}/a.ts"):
        file = tmp_path / f"playlist{suffix}"
        file.write_text(playlist.format(target))
        refusal(file)
    assert asked == []


def test_an_address_is_no_clip(listener: tuple[str, list[str]]) -> None:
    address, asked = listener
    with pytest.raises(DataError, match="cannot be decoded"):
        media.decode_video(Video(f"{address}/a.mp4", ""), 2)
    assert asked == []
