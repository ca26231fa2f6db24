"""Clips that cannot be read, or should not: each is one error that names the file."""

from __future__ import annotations

import http.server
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.data.clips import av, clip, grey, sound
from towereval.data import media, video
from towereval.errors import DataError
from towereval.types import Video


def refusal(file: Path) -> str:
    with pytest.raises(DataError) as raised:
        video.decode_video(media.video_file(file), 4)
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


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.webm", "libvpx-vp9"), ("a.avi", "mpeg4")],
)
def test_a_clip_cut_short_gives_the_frames_it_has_or_is_refused(
    tmp_path: Path, name: str, codec: str
) -> None:
    """Never a frame that was not in the film; the last one counts, so it is what is compared."""
    file = clip(tmp_path / name, 60, codec=codec)
    data = file.read_bytes()
    film = {frame.tobytes() for frame in video.decode_video(media.video_file(file), 60).frames_THWC}
    totals = set()
    for length in range(len(data) // 7, len(data), len(data) // 23):
        (tmp_path / f"cut{name}").write_bytes(data[:length])
        try:
            cut = video.decode_video(media.video_file(tmp_path / f"cut{name}"), 3)
        except DataError:
            continue
        totals.add(cut.total)
        assert {frame.tobytes() for frame in cut.frames_THWC} <= film
    assert len(totals) > (name != "a.avi")
    assert max(totals, default=0) <= 60


@pytest.mark.parametrize("cover", [False, True])
def test_sound_alone_is_refused(tmp_path: Path, cover: bool) -> None:
    file = sound(tmp_path / "a.mp4", cover)
    with av.open(str(file)) as container:
        assert len(container.streams.video) == cover
    assert refusal(file) == "no video stream"


def test_an_empty_clip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    assert "Invalid data" in refusal(tmp_path / "a.mp4")


def test_a_clip_of_a_log_without_clips_is_told() -> None:
    with pytest.raises(DataError, match="log without clips"):
        video.decode_video(Video("", "abc"), 2)


def test_text_called_mp4_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("<html>404 Not Found</html>\n" * 50)
    assert "Invalid data" in refusal(tmp_path / "a.mp4")


def test_a_missing_clip_is_refused(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "a.mp4")


def test_a_clip_that_changes_its_size_is_refused(tmp_path: Path) -> None:
    parts = [clip(tmp_path / f"{width}.ts", 4, size=(width, 48)).read_bytes() for width in (64, 96)]
    (tmp_path / "a.ts").write_bytes(b"".join(parts))
    assert "not of one size" in refusal(tmp_path / "a.ts")


def test_the_limit_of_pixels_holds_for_clips(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "MOST_PIXELS", 64 * 48 - 1)
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
        video.decode_video(Video(f"{address}/a.mp4", ""), 2)
    assert asked == []


@pytest.mark.parametrize("said", [0, 1, 2**31 - 1])
def test_a_clip_that_lies_about_its_length_shows_the_frames_it_has(
    tmp_path: Path, said: int
) -> None:
    file = clip(tmp_path / "a.mp4", 12)
    honest = video.decode_video(media.video_file(file), 4)
    content = bytearray(file.read_bytes())
    for box in (b"mvhd", b"mdhd"):  # version, two dates, time scale: then the length
        at = content.index(box) + 20
        content[at : at + 4] = struct.pack(">I", said)
    file.write_bytes(content)
    shown = video.decode_video(media.video_file(file), 4)
    assert (shown.indices, shown.timestamps, shown.total) == ((0, 3, 7, 11), honest.timestamps, 12)
    assert [grey(frame) for frame in shown.frames_THWC] == [
        grey(frame) for frame in honest.frames_THWC
    ]
