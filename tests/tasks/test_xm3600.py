"""XM3600: a photograph captioned in the language that is asked for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.types import Decoding, Message, Request, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("xm3600")
ROW: dict[str, object] = {
    "image_id": "000411001ff7dd4f",
    "image_locale": "de",
    "captions": ["Ein Hund.", " Ein brauner Hund im Gras. ", " "],
    "image": "red.png",
}


def test_a_row_becomes_a_sample(local: Local) -> None:
    source = local({"quz.jsonl": [ROW]})
    prompt = (
        Message(
            "user",
            (
                image_file(source.folder / "red.png"),
                Text("Briefly describe the image in Cusco Quechua in one sentence."),
            ),
        ),
    )
    (sample,) = TASK.samples(source, ["quz"])
    assert sample == Sample(
        id="000411001ff7dd4f",
        language="quz",
        prompt=prompt,
        references=("Ein Hund.", "Ein brauner Hund im Gras."),  # an empty caption is none
        cluster="000411001ff7dd4f",
    )
    assert list(TASK.requests(sample)) == [Request(sample.id, prompt, Decoding(max_tokens=128))]


def test_each_language_is_a_split_of_its_own(local: Local) -> None:
    source = local({"de.jsonl": [ROW], "th.jsonl": [{**ROW, "image_locale": "ar"}]})
    assert [one.language for one in TASK.samples(source, ["de", "th"])] == ["de", "th"]


def test_all_languages_are_asked_for_by_an_english_name_of_their_own() -> None:
    names = [LANGUAGES[code].english for code in TASK.languages]
    assert len(set(names)) == 36
    assert {"Filipino", "Māori", "Swahili", "Telugu", "Norwegian", "Chinese"} <= set(names)


def test_a_picture_without_an_english_caption_is_named(local: Local) -> None:
    source = local({"de.jsonl": [ROW], "en.jsonl": [{**ROW, "image_id": "another"}]})
    task = plugins.load_task("xm3600@with-and-without-image")
    with pytest.raises(DataError, match="'000411001ff7dd4f' has no caption in split en"):
        list(task.samples(source, ["de"]))


def test_the_english_caption_stands_for_the_picture(local: Local) -> None:
    english = {**ROW, "captions": [" ", "A brown dog on grass."]}
    source = local({"de.jsonl": [ROW], "en.jsonl": [english]})
    task = plugins.load_task("xm3600@with-and-without-image")
    (sample,) = task.samples(source, ["de"])
    ask = Text(
        "An image shows this: A brown dog on grass.\n"
        "Briefly describe the image in German in one sentence."
    )
    assert sample.references == ("Ein Hund.", "Ein brauner Hund im Gras.")
    shown, unshown = task.requests(sample)
    assert shown.prompt[0].parts == (image_file(source.folder / "red.png"), ask)
    assert unshown.prompt[0].parts == (ask,)
