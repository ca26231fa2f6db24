"""SEED-Bench: pictures only, four options, the answer's first character."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("seedbench")
TRANSLATED = plugins.load_task("seedbench@lrm")
ROW: dict[str, object] = {
    "question_id": "101669",
    "image": ["red.png"],
    "question": "How many towels are in the image?",
    "choice_a": "One",
    "choice_b": "Two",
    "choice_c": "Three",
    "choice_d": "Four",
    "answer": "C",
    "data_type": "image",
    "question_type_id": 5,
}


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"test.jsonl": [{**ROW, "data_type": "video"}, ROW]})
    picture = image_file(source.folder / "red.png")
    ask = (
        "How many towels are in the image?\nA. One\nB. Two\nC. Three\nD. Four"
        "\nAnswer with the option's letter from the given choices directly."
    )
    (sample,) = TASK.samples(source, ["en"])
    assert sample == Sample(
        id="101669",
        language="en",
        prompt=(Message("user", (picture, Text(ask))),),
        references=("C",),
        choices=("One", "Two", "Three", "Four"),
        group="instances counting",
        cluster=picture.sha256,
    )
    (request,) = TASK.requests(sample)
    assert request == Request("101669", sample.prompt, Decoding(max_tokens=16))


@pytest.mark.parametrize(
    ("answer", "score"),
    [("C", 1.0), (" c.", 1.0), ("Cat", 1.0), ("Three", 0.0), ("(C)", 0.0), ("A", 0.0), ("", 0.0)],
)
def test_answers(local: Local, answer: str, score: float) -> None:
    (sample,) = TASK.samples(local({"test.jsonl": [ROW]}), ["en"])
    (metric,) = TASK.metrics
    assert metric.sample(sample, [Response("", answer)]) == (score,)


def test_the_translated_sets_have_a_split_a_language_and_a_picture_by_its_path(
    local: Local,
) -> None:
    source = local({"fr.jsonl": [{**ROW, "image": "blue.png", "question_type_id": 77}]})
    (sample,) = TRANSLATED.samples(source, ["fr"])
    assert sample.prompt[0].parts[0] == image_file(source.folder / "blue.png")
    assert (sample.language, sample.group) == ("fr", "type 77")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"image": ["red.png", "blue.png"]}, "column image: wanted one picture, found 2"),
        ({"image": ["../../outside.png"]}, "lies outside"),
        ({"answer": "E"}, "column answer: wanted A, B, C or D, found 'E'"),
        ({"choice_d": None}, "column choice_d: wanted a text, found NoneType"),
        ({"question_type_id": "five"}, "column question_type_id: wanted a whole number"),
    ],
)
def test_bad_rows_are_told(local: Local, changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({"test.jsonl": [{**ROW, **changed}]}), ["en"]))
