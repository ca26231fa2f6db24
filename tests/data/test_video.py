"""Clips: which frames a model is shown, as they are meant to be seen, and when they were."""

from __future__ import annotations

import io
import itertools
import random
from pathlib import Path

import numpy
import pytest
from PIL import Image as pil

from tests.data.clips import av, clip, grey, held
from towereval.data import media, video
from towereval.errors import DataError
from towereval.types import Frame

RED = (250, 10, 20)

# --- which frames of a clip ---


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 8, 16, 23, 27, 32, 47, 64])
def test_frames_are_chosen_as_numpy_s_linspace_truncated(count: int) -> None:
    """The authors' frames exactly: 27 frames of a clip of 31 would differ by one otherwise."""
    for total in (*range(1, 300), 999, 1000, 1001, 3600, 99_999):
        wanted = numpy.linspace(0, total - 1, count).astype(int).tolist()
        assert list(video.uniform(total, count)) == wanted, total


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
    shown = video.decode_video(media.video_file(file), count)
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
    shown = video.decode_video(media.video_file(file), 3)
    assert shown.indices == (0, 4, 9)
    assert [grey(frame) for frame in shown.frames_THWC] == [0, 80, 180]


def test_a_clip_s_name_is_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FFmpeg would look for a protocol called "ball"."""
    clip(tmp_path / "ball:left.mp4", 3)
    monkeypatch.chdir(tmp_path)
    assert video.decode_video(media.video_file(Path("ball:left.mp4")), 2).indices == (0, 2)


def test_frames_for_a_model_that_reads_pictures_only(tmp_path: Path) -> None:
    film = media.video_file(clip(tmp_path / "a.mp4", 5))
    stream = io.BytesIO()
    pil.new("RGB", (8, 8), RED).save(stream, "PNG")
    still = media.image_bytes(stream.getvalue())
    shown = media.decode_frames((Frame(film, 2, 3), still, Frame(film, 0, 3)))
    assert [picture.size for picture in shown] == [(64, 48), (8, 8), (64, 48)]
    assert [grey(numpy.asarray(picture)) for picture in (shown[0], shown[2])] == [80, 0]
    assert shown[1].getpixel((4, 4)) == RED
    small = media.decode_frames((Frame(film, 2, 3), still), 32)
    assert [picture.size for picture in small] == [(32, 24), (8, 8)]


# --- when they were ---

UNEVEN = list(itertools.accumulate((40, 80, 40, 500, 40, 1000, 200, 40, 40, 40, 2000), initial=0))


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.webm", "a.ts"])
def test_frames_of_a_variable_rate_are_timed_by_their_file(tmp_path: Path, name: str) -> None:
    """Matroska notes a rate that is not the film's: 25 for these three frames a second."""
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    file = clip(tmp_path / name, 12, codec=codec, times=UNEVEN)
    shown = video.decode_video(media.video_file(file), 4)
    assert shown.indices == (0, 3, 7, 11)
    wanted = [UNEVEN[index] / 1000 for index in shown.indices]
    assert shown.timestamps == pytest.approx(wanted, abs=0.002)
    assert shown.fps == pytest.approx(11 / (UNEVEN[11] / 1000), rel=0.35)
    assert [grey(frame) for frame in shown.frames_THWC] == [0, 60, 140, 220]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "a.ts"])
def test_frames_of_a_constant_rate_keep_the_rate_of_their_file(tmp_path: Path, name: str) -> None:
    shown = video.decode_video(media.video_file(clip(tmp_path / name, 11)), 3)
    assert shown.fps == 5.0
    assert shown.timestamps == pytest.approx((0.0, 1.0, 2.0), abs=0.002)


def test_repeated_frames_have_one_time(tmp_path: Path) -> None:
    shown = video.decode_video(media.video_file(clip(tmp_path / "a.mp4", 2)), 4)
    assert (shown.indices, shown.timestamps) == ((0, 0, 0, 1), (0.0, 0.0, 0.0, 0.2))


# --- as they are meant to be seen ---


@pytest.mark.parametrize(
    ("degrees", "size", "bright"),
    [
        (0, (48, 64), (slice(0, 20), slice(None))),
        (90, (64, 48), (slice(None), slice(28, 48))),
        (180, (48, 64), (slice(28, 48), slice(None))),
        (270, (64, 48), (slice(None), slice(0, 20))),
    ],
)
def test_a_phone_s_clip_is_shown_upright(
    tmp_path: Path, degrees: int, size: tuple[int, int], bright: tuple[slice, slice]
) -> None:
    file = tmp_path / "a.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=5)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pixels = numpy.zeros((48, 64, 3), numpy.uint8)
        pixels[:24] = 200  # the stored frame's upper half
        container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    [frame_HWC] = video.decode_video(media.video_file(held(file, degrees)), 1).frames_THWC
    assert frame_HWC.shape == (*size, 3)
    assert frame_HWC[bright].min() > 190
    assert frame_HWC.mean() == pytest.approx(100, abs=5)


def test_large_frames_are_reduced_to_full_hd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = media.video_file(clip(tmp_path / "a.mp4", 12))
    assert video.FRAME_PIXELS == 1920 * 1080
    monkeypatch.setattr(video, "FRAME_PIXELS", 64 * 48)
    assert video.decode_video(file, 2).frames_THWC.shape == (2, 48, 64, 3)
    monkeypatch.setattr(video, "FRAME_PIXELS", 32 * 24)
    small = video.decode_video(file, 3)
    assert small.frames_THWC.shape == (3, 24, 32, 3)
    assert [grey(frame) for frame in small.frames_THWC] == [0, 100, 220]


# --- found from key frame to key frame ---


CASES: list[tuple[str, str, dict[str, str], bool]] = [
    ("a.mp4", "libx264", {}, True),
    ("open.mp4", "libx264", {"x264-params": "open-gop=1:bframes=3"}, True),
    ("a.mkv", "libx264", {}, True),
    ("hevc.mp4", "libx265", {"x265-params": "log-level=none:open-gop=1"}, True),
    ("a.webm", "libvpx-vp9", {}, True),
    ("a.mov", "mpeg4", {}, True),
    # No key frame but the first: pictures are refreshed a strip at a time.
    ("strips.mp4", "libx264", {"x264-params": "intra-refresh=1"}, False),
    ("a.avi", "mpeg4", {}, False),
    ("a.ts", "libx264", {}, False),
    ("a.flv", "flv", {}, False),
    ("a.wmv", "wmv2", {}, False),
    ("a.mpg", "mpeg2video", {}, False),
]


@pytest.mark.parametrize(
    ("name", "codec", "codec_options", "sought", "uneven"),
    [(*case, uneven) for case in CASES for uneven in (False, True) if case[3] or not uneven],
)
def test_frames_are_the_same_however_they_are_found(
    tmp_path: Path,
    name: str,
    codec: str,
    codec_options: dict[str, str],
    sought: bool,
    uneven: bool,
) -> None:
    chance = random.Random(0)
    times = list(itertools.accumulate(chance.choices((10, 40, 90, 300), k=60))) if uneven else None
    file = clip(tmp_path / name, 61 - uneven, codec=codec, times=times, codec_options=codec_options)
    index = video._read_index(str(file))
    for count in (1, 2, 5, 8, 40):
        numbers = video.uniform(index.total, count)
        one = video._from_the_start(str(file), numbers)
        assert one.total == index.total
        other = video._from_key_frames(str(file), index, numbers)
        if other is None:
            assert not sought
            continue
        assert one.seconds == other.seconds
        assert sorted(one.pictures) == sorted(other.pictures) == sorted(set(numbers))
        for number, picture_HWC in one.pictures.items():
            assert numpy.array_equal(picture_HWC, other.pictures[number])


def test_a_long_clip_is_not_decoded_as_a_whole(tmp_path: Path) -> None:
    """Scenes between those that are asked for are not read: here they could not be."""
    file = clip(tmp_path / "a.mp4", 600, codec_options={"x264-params": "scenecut=0"})
    numbers = video.uniform(600, 5)
    data = bytearray(file.read_bytes())
    read = {number // 12 + after for number in numbers for after in (0, 1)}
    with av.open(str(file)) as container:
        for packet in container.demux(video=0):
            if packet.size and packet.pts // packet.duration // 12 not in read:
                data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    file.write_bytes(data)
    shown = video.decode_video(media.video_file(file), 5)
    assert [grey(frame) for frame in shown.frames_THWC] == [20 * (n % 13) for n in numbers]
    with pytest.raises(DataError, match="cannot be decoded"):
        video.decode_video(media.video_file(file), 600)
