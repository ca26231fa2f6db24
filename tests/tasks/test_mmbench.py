"""MMBench: a sample is a question with all rotations of its options."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("mmbench")
TRANSLATED = plugins.load_task("mmbench@lrm")
FILE = "en/dev.jsonl"
ROW: dict[str, object] = {
    "index": 241,
    "image": "../red.png",
    "hint": "The passage below describes an experiment.",
    "question": "Which is it?",
    "A": "a test",
    "B": "a design",
    "C": "a bridge",
    "D": None,
    "answer": "B",
    "category": "identity_reasoning",
}
QUESTION = "The passage below describes an experiment. Which is it?"


def asked(a: str, b: str, c: str) -> Text:
    return Text(
        f"{QUESTION} There are several options:\nA. {a}\nB. {b}\nC. {c}"
        "\n\nAnswer with the option's letter from the given choices directly."
    )


def test_a_row_becomes_a_sample_and_a_request_a_rotation(local: Local) -> None:
    source = local({FILE: [ROW]})
    picture = image_file(source.folder / "red.png")
    (sample,) = TASK.samples(source, ["en"])
    assert sample == Sample(
        id="241",
        language="en",
        prompt=(Message("user", (picture, asked("a test", "a design", "a bridge"))),),
        references=("B",),
        choices=("a test", "a design", "a bridge"),
        group="identity_reasoning",
        cluster=picture.sha256,
        meta={"question": QUESTION},
    )
    assert list(TASK.requests(sample)) == [
        Request("241", (Message("user", (picture, text)),), Decoding(max_tokens=1024))
        for text in (
            asked("a test", "a design", "a bridge"),
            asked("a design", "a bridge", "a test"),
            asked("a bridge", "a test", "a design"),
        )
    ]


@pytest.mark.parametrize(
    ("answers", "circular", "plain"),
    [
        (("B", "A.", "It is a design"), 1.0, 1.0),
        (("B", "B", "B"), 0.0, 1.0),
        (("A", "A", "C"), 0.0, 0.0),
        (("The answer is B", "(A)", "no idea"), 0.0, 1.0),
    ],
)
def test_answers(local: Local, answers: tuple[str, ...], circular: float, plain: float) -> None:
    (sample,) = TASK.samples(local({FILE: [ROW]}), ["en"])
    responses = [Response("", answer) for answer in answers]
    assert [metric.sample(sample, responses) for metric in TASK.metrics] == [(circular,), (plain,)]


@pytest.mark.parametrize("hint", [None, "", "nan", float("nan")])
def test_a_missing_hint_is_none(local: Local, hint: object) -> None:
    (sample,) = TASK.samples(local({FILE: [{**ROW, "hint": hint, "C": "nan"}]}), ["en"])
    assert sample.meta["question"] == "Which is it?"
    assert sample.choices == ("a test", "a design")


def test_the_rotated_rows_are_left_out(local: Local) -> None:
    source = local({FILE: [ROW, {**ROW, "index": 1_000_241}, {**ROW, "index": 7}]})
    assert [sample.id for sample in TASK.samples(source, ["en"])] == ["241", "7"]


def test_the_translated_sets_have_a_split_a_language(local: Local) -> None:
    source = local({"hr.jsonl": [{**ROW, "image": "blue.png", "question": "Što je to?"}]})
    (sample,) = TRANSLATED.samples(source, ["hr"])
    assert sample.language == "hr"
    assert sample.meta["question"].endswith("experiment. Što je to?")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answer": "D"}, "column answer: 'D' is none of 3"),
        ({"B": None, "answer": "A"}, "wanted 2 to 10 options, found 1"),
        ({"index": "first"}, "column index: wanted a whole number, found str 'first'"),
        ({"question": 3}, "column question: wanted a text"),
    ],
)
def test_bad_rows_are_told(local: Local, changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({FILE: [{**ROW, **changed}]}), ["en"]))
