"""TextVQA: the question as the published runs wrote it, and ten answers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.types import Decoding, Message, Request, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("textvqa")

ANSWERS = ["nous les gosses", "dakota", "clos culombu", *["dakota digital"] * 7]
ROW: dict[str, object] = {
    "image_id": "003a8ae2ef43b901",
    "question_id": 34602,
    "question": "what is the brand of this camera?",
    "question_tokens": ["what", "is", "the", "brand", "of", "this", "camera"],
    "image": "red.png",
    "image_width": 1024,
    "image_height": 664,
    "flickr_original_url": "https://example.invalid/o.jpg",
    "flickr_300k_url": "https://example.invalid/z.jpg",
    "answers": ANSWERS,
    "image_classes": ["Camera"],
    "set_name": "val",
    "ocr_tokens": ["DAKOTA", "DIGITAL"],
}
ENDING = "\nAnswer the question using a single word or phrase."


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"validation.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    (sample,) = TASK.samples(source, ["en"])
    assert sample == Sample(
        id="34602",
        language="en",
        prompt=(Message("user", (picture, Text(f"What is the brand of this camera?{ENDING}"))),),
        references=tuple(ANSWERS),
        cluster="003a8ae2ef43b901",
    )
    assert list(TASK.requests(sample)) == [
        Request("34602", sample.prompt, Decoding(max_tokens=1024, stop=()))
    ]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("what does NASA say?", "What does nasa say?"),
        ("WHO?", "Who?"),
        ("3 Musketeers?", "3 musketeers?"),
        ("ça va?", "Ça va?"),
    ],
)
def test_all_but_the_first_letter_is_lower_case(local: Local, question: str, asked: str) -> None:
    (sample,) = TASK.samples(local({"validation.jsonl": [{**ROW, "question": question}]}), ["en"])
    assert sample.prompt[0].parts[1] == Text(asked + ENDING)


def test_questions_about_one_picture_are_one_cluster(local: Local) -> None:
    rows = [ROW, {**ROW, "question_id": 34603}, {**ROW, "question_id": 1, "image_id": "other"}]
    samples = list(TASK.samples(local({"validation.jsonl": rows}), ["en"]))
    assert [(sample.id, sample.cluster) for sample in samples] == [
        ("34602", "003a8ae2ef43b901"),
        ("34603", "003a8ae2ef43b901"),
        ("1", "other"),
    ]
