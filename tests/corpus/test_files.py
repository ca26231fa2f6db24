"""Records are read as they were written, and what is no record is named with its line."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.corpora import records, row, write
from towereval.corpus.files import read, read_all, writing
from towereval.corpus.records import Clip, Picture, Record, Slot, Translation, Turn
from towereval.errors import DataError, UsageError
from towereval.types import Text, digest

WHOLE = Record(
    id="ü-1",
    source="PixMo-Cap",
    language="de",
    task="caption",
    messages=(
        Turn("system", (Text("Kurz."),)),
        Turn("user", (Slot.IMAGE, Text("Was ist\u2028da?"), Slot.IMAGE)),
        Turn("assistant", (Text("Ein Hund.\n"),)),
    ),
    images=(Picture("a/1.png", width=3, height=4, sha256="ab"), Picture(data=b"\x00\xff")),
    origin="translated",
    translation=Translation("1", "en", ("Short.", "What is it?", "A dog."), "m@1", 0.0, "kiwi|1"),
    licence="ODC-BY",
    split="test",
)
CLIP = Record(
    "2", "V", "en", "video", (Turn("user", (Slot.VIDEO,)),), video=Clip(frames=(Picture("f.png"),))
)
TEXT = Record("3", "T", "en", "text", (Turn("user", (Text("Hi"),)),), video=Clip("c.mp4"))


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / "new" / f"corpus{suffix}"
    many = [WHOLE, CLIP, TEXT] * 50  # more than one batch of parquet
    with writing(file) as writer:
        for record in many:
            writer.add(record)
    assert records(file) == many
    assert [number for number, _ in read(file)] == list(range(1, 151))
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_file_that_was_broken_off_is_none(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"corpus{suffix}"
    with pytest.raises(KeyboardInterrupt), writing(file) as writer:
        writer.add(WHOLE)
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_placeholders_in_a_text_are_slots(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "<image>\nWhat, and <video>?"}]
    file = write(tmp_path / "a.jsonl", row(messages=messages, images=["1.png"], video="c.mp4"))
    [record] = records(file)
    assert record.messages == (
        Turn("user", (Slot.IMAGE, Text("\nWhat, and "), Slot.VIDEO, Text("?"))),
    )
    assert (record.images, record.video) == ((Picture("1.png"),), Clip("c.mp4"))


def test_a_picture_as_the_hub_writes_it(tmp_path: Path) -> None:
    data = base64.b64encode(b"png").decode()
    file = write(tmp_path / "a.jsonl", row(images=[{"bytes": data, "path": "name.png"}]))
    assert records(file)[0].images == (Picture(data=b"png"),)


FAULTS = [
    ('{"id": "1"', "not JSON: Expecting"),
    ("[1]", "record: wanted an object, found list '[1]'"),
    (row(langage="de"), "record: unknown key 'langage'; did you mean language"),
    (row(id=None), "record: id is missing, wanted a text"),
    (row(id=7), "record: id is int '7', wanted a text"),
    (row(source=" "), "record: source is empty"),
    (row(origin="stolen"), "origin is str 'stolen', wanted one of public, translated, synthetic"),
    (row(messages="hi"), "messages is str 'hi', wanted a list"),
    (row(messages=[{"role": "human", "content": ""}]), "message 1: role is str 'human', wanted"),
    (row(messages=[{"role": "user"}, {"role": "user", "content": 3}]), "message 2: content is int"),
    (
        row(messages=[{"role": "user", "content": [{"type": "audio"}]}]),
        "message 1, part 1: type is str 'audio', wanted one of text, image, video",
    ),
    (row(images=[{"width": 3}]), "picture 1: it has neither bytes nor a path"),
    (row(images=[{"bytes": "!"}]), "picture 1: bytes are no base64"),
    (row(images=[{"path": "a", "width": "3"}]), "picture 1: width is str '3', wanted a number"),
    (row(video={"path": "a", "frames": ["b"]}), "video: it wants a path or frames"),
    (row(translation={"model": "m"}), "translation: source_id is missing"),
    (
        row(translation=json.loads('{"source_id": "1", "source_language": "en", "score": NaN}')),
        "translation: score is float 'nan'",
    ),
]


@pytest.mark.parametrize(("bad", "said"), FAULTS)
def test_what_is_no_record_is_named_with_its_line(tmp_path: Path, bad: Any, said: str) -> None:
    file = write(tmp_path / "a.jsonl", row("1"), "", bad, row("2"))
    with pytest.raises(DataError) as caught:
        list(read(file))
    assert str(caught.value).startswith(f"{file}:3: ")
    assert said in str(caught.value)
    kinds = [(number, type(found).__name__) for number, found in read_all(file)]
    assert kinds == [(1, "Record"), (3, "DataError"), (4, "Record")]


def test_files_that_hold_no_records(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="records lie in a"):
        list(read(tmp_path / "a.json"))
    with pytest.raises(DataError, match="no such file"):
        list(read(tmp_path / "a.jsonl"))
    broken = tmp_path / "a.parquet"
    broken.write_bytes(b"PAR1 no more")
    with pytest.raises(DataError, match="not a readable parquet file"):
        list(read(broken))
    with pytest.raises(UsageError), writing(tmp_path / "a.csv"):
        pass
    with pytest.raises(DataError, match="cannot be written"), writing(broken / "b.jsonl"):
        pass


def test_other_words_keep_the_places_of_pictures() -> None:
    said = WHOLE.with_texts(["A", "B", "C"])
    assert said.texts == ("A", "B", "C")
    assert said.messages[1].parts == (Slot.IMAGE, Text("B"), Slot.IMAGE)


@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
def test_a_full_disk_is_told_and_leaves_the_earlier_file(tmp_path: Path, suffix: str) -> None:
    import resource

    file = tmp_path / f"corpus{suffix}"
    with writing(file) as writer:
        writer.add(TEXT)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Nothing may be longer than that; Python turns the signal into an error.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(DataError, match="cannot be written"), writing(file) as writer:
            for number in range(3000):
                writer.add(replace(WHOLE, id=digest(number) * 4))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert records(file) == [TEXT]
    assert list(tmp_path.iterdir()) == [file]


def test_what_fails_while_a_file_is_written_stays_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConnectionError), writing(tmp_path / "a.jsonl"):
        raise ConnectionError
    assert list(tmp_path.iterdir()) == []
