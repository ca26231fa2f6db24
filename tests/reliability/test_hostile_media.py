"""A data set of hostile files: each is shown as stated, or refused for its own sample alone."""

from __future__ import annotations

import io
import json
import os
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest
from PIL import Image as pil

from tests.data.clips import clip
from tests.data.test_media import NOISE, bomb, encoded, sixteen_bits
from tests.data.test_video_refused import listener as listener  # a fixture
from tests.reliability.killing import Bench
from tests.test_checkpoints import checkpoint
from towereval.data import media, video
from towereval.data.hub import HubSource
from towereval.errors import DataError
from towereval.store import Store

SHOWN = ""
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'


def chunked(*chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of these chunks."""
    parts = [b"\x89PNG\r\n\x1a\n"]
    for kind, data in chunks:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        parts.append(struct.pack(">I", len(data)) + kind + data + checksum)
    return b"".join(parts)


def packed(side: int) -> bytes:
    """A whole black-and-white PNG, a thousandth of what it unpacks to."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    rows = zlib.compressobj()
    row = bytes(1 + side // 8)
    data = b"".join(rows.compress(row) for _ in range(side)) + rows.flush()
    return chunked((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))


def talkative() -> bytes:
    """A small picture with a text of half a gigabyte in a chunk of half a megabyte."""
    text = zlib.compressobj()
    data = b"".join(text.compress(bytes(1 << 20)) for _ in range(512)) + text.flush()
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    pixel = zlib.compress(b"\x00\x00")
    note = (b"zTXt", b"note\x00\x00" + data)
    return chunked((b"IHDR", header), note, (b"IDAT", pixel), (b"IEND", b""))


def animated() -> bytes:
    frames = [pil.new("RGB", (8, 8), (shade, 0, 0)) for shade in (0, 99, 200)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def turned() -> bytes:
    exif = pil.Exif()
    exif[0x0112] = 6
    return encoded(NOISE, "JPEG", exif=exif)


def transparent_palette() -> bytes:
    return encoded(NOISE.quantize(8), "PNG", transparency=0)


# File name -> what lies there, and what is said of it, "" where it is shown.
FILES: dict[str, tuple[Callable[[], bytes], str]] = {
    "good.png": (lambda: encoded(NOISE, "PNG"), SHOWN),
    "one pixel.png": (lambda: encoded(pil.new("RGB", (1, 1)), "PNG"), SHOWN),
    "cmyk.jpg": (lambda: encoded(NOISE.convert("CMYK"), "JPEG"), SHOWN),
    "16 bits.png": (lambda: encoded(sixteen_bits(0x8000), "PNG"), SHOWN),
    "palette with alpha.png": (transparent_palette, SHOWN),
    "animated.gif": (animated, SHOWN),
    "turned by exif.jpg": (turned, SHOWN),
    "png by another name.jpg": (lambda: encoded(NOISE, "PNG"), SHOWN),
    "truncated.png": (lambda: encoded(NOISE, "PNG")[:-200], "truncated"),
    "truncated.jpg": (lambda: encoded(NOISE, "JPEG")[:-200], "truncated"),
    "a gigapixel by its header.png": (lambda: bomb(40_000, 25_000), "pixels"),
    "bomb.png": (lambda: packed(20_000), "pixels"),
    "bomb of text.png": (talkative, "too large"),
    "drawing.png": (SVG.encode, "not a picture"),
    "nothing.png": (bytes, "not a picture"),
    "page.jpg": (lambda: b"<html>404</html>", "not a picture"),
}
# Written into a row as they are; what lies there is made below.
NAMES = {
    "a folder": "it is no file",
    "a pipe.png": "it is no file",
    "missing.png": "No such file",
    "http://127.0.0.1:{port}/a.png": "No such file",
    "file:///etc/hostname": "No such file",
}


def row(name: str) -> str:
    about = {"dataset": "IIIT5K", "question_type": "Regular Text Recognition", "answer": ["x"]}
    return json.dumps({"image": name, "question": f"what is in {name}?", **about})


def watch_memory(pid: int, peaks: list[int]) -> None:
    """Of the program that the process became, in KB: `ru_maxrss` has that of its parent, too."""
    with suppress(OSError, IndexError):  # it ended
        while True:
            status = Path(f"/proc/{pid}/status").read_text()
            peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
            time.sleep(0.02)


def test_each_is_shown_or_refused_alone(tmp_path: Path, listener: tuple[str, list[str]]) -> None:
    address, asked = listener
    data = tmp_path / "data"
    data.mkdir()
    for name, (make, _) in FILES.items():
        (data / name).write_bytes(make())
    (data / "a folder").mkdir()
    os.mkfifo(data / "a pipe.png")
    said = {name: fault for name, (_, fault) in FILES.items()} | {
        name.format(port=address.rpartition(":")[2]): fault for name, fault in NAMES.items()
    }
    (data / "test.jsonl").write_text("\n".join(map(row, said)))
    bench = Bench(tmp_path)
    given = ("--engine", "scripted", "--data", f"ocrbench={data}", "--output", tmp_path / "results")
    words = ("run", "--model", checkpoint(tmp_path / "model"), "--tasks", "ocrbench", *given)
    process = bench.start(words)
    peaks: list[int] = []
    watcher = Thread(target=watch_memory, args=(process.pid, peaks))
    watcher.start()
    _, errors = process.communicate()
    watcher.join()
    assert process.returncode == 4, errors
    assert 50_000 < peaks[-1] < 1_000_000, "KB"
    [folder] = (tmp_path / "results").glob("*/*")
    with Store(folder) as store:
        found = {
            name: response.error
            for name, (_, _, [response]) in zip(said, store.answered("ocrbench"), strict=True)
            if response
        }
    assert set(found) == set(said)
    wrong = {
        name: error
        for name, error in found.items()
        if (said[name] not in error if said[name] else error)
    }
    assert wrong == {}
    assert asked == []
    rows = json.loads((folder / "results.json").read_text())["results"]
    [whole] = [one for one in rows if not one["group"] and one["language"] == "en"]
    shown = sum(not fault for fault in said.values())
    assert (whole["n"], whole["n_failed"]) == (shown, len(said) - shown)


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_file_is_no_clip(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "a.mp4"
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to("/dev/zero")
    with pytest.raises(DataError, match="it is no file"):
        video.decode_video(media.video_file(file), 2)


def test_a_clip_that_lies_about_its_length_is_shown_as_it_is(tmp_path: Path) -> None:
    honest = clip(tmp_path / "honest.mp4", 12)
    lying = bytearray(honest.read_bytes())
    for box in (b"mvhd", b"mdhd"):
        at = lying.index(box) + 20
        (length,) = struct.unpack(">I", lying[at : at + 4])
        lying[at : at + 4] = struct.pack(">I", 1000 * length)
    (tmp_path / "lying.mp4").write_bytes(lying)
    clips = [
        video.decode_video(media.video_file(tmp_path / name), 4)
        for name in ("honest.mp4", "lying.mp4")
    ]
    assert clips[0].total == clips[1].total == 12
    assert (clips[0].frames_THWC == clips[1].frames_THWC).all()
    assert clips[0].timestamps == clips[1].timestamps


def test_a_row_from_the_hub_does_not_name_the_user_s_own_files(tmp_path: Path) -> None:
    """A served model would be sent them."""
    pytest.importorskip("datasets", reason="needs the data extra: datasets")
    stream = io.BytesIO()
    NOISE.save(stream, "PNG")
    (tmp_path / "private.png").write_bytes(stream.getvalue())
    source = HubSource("ocrbench")
    with pytest.raises(DataError, match="not downloaded with the data set"):
        source.image({"bytes": None, "path": str(tmp_path / "private.png")})
    # A name beside the bytes is only a name.
    assert source.image({"bytes": stream.getvalue(), "path": "/etc/passwd"}).sha256
