"""XM3600: a photograph captioned in the language that is asked for."""

from __future__ import annotations

from collections.abc import Callable

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
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
