"""M5's two tasks: a statement about two pictures, and which of five it does not fit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
VGR = plugins.load_task("m5_vgr")
VLOD = plugins.load_task("m5_vlod")
STATEMENT = "Akwai kare a cikin hotuna."
PAIR: dict[str, object] = {
    "hypothesis": STATEMENT,
    "label": False,
    "left_img": "red.png",
    "right_img": "blue.png",
}
FIVE: dict[str, object] = {
    "hypothesis": STATEMENT,
    "label": 3,
    "images": ["red.png", "red.png", "red.png", "blue.png", "red.png"],
}


def test_a_pair_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"ha.jsonl": [PAIR]})
    red, blue = (image_file(source.folder / name) for name in ("red.png", "blue.png"))
    ask = f'Given the two images, is it correct to say "{STATEMENT}"? Answer yes or no.'
    (sample,) = VGR.samples(source, ["ha"])
    assert sample == Sample(
        id="0",
        language="ha",
        prompt=(Message("user", (red, blue, Text(ask))),),
        references=("no",),
        cluster=f"ha: {STATEMENT}",
    )
    assert list(VGR.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


def test_five_pictures_become_a_sample_and_one_request(local: Local) -> None:
    source = local({"ha.jsonl": [FIVE]})
    red, blue = (image_file(source.folder / name) for name in ("red.png", "blue.png"))
    ask = (
        "Based on the 5 images ordered from top-left to bottom-right, which image does not match"
        f' the hypothesis "{STATEMENT}"? Choose one from [A, B, C, D, E] and only output a single'
        " letter:"
    )
    (sample,) = VLOD.samples(source, ["ha"])
    assert sample == Sample(
        id="0",
        language="ha",
        prompt=(Message("user", (red, red, red, blue, red, Text(ask))),),
        references=("D",),
        cluster=f"ha: {STATEMENT}",
    )
    assert list(VLOD.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


@pytest.mark.parametrize(
    ("answer", "exact", "relaxed"), [("No", 1.0, 1.0), ("no.", 0.0, 1.0), ("A'a", 0.0, 0.0)]
)
def test_answers_about_a_pair(local: Local, answer: str, exact: float, relaxed: float) -> None:
    (sample,) = VGR.samples(local({"ha.jsonl": [PAIR]}), ["ha"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in VGR.metrics]
    assert found == [(exact,), (relaxed,)]


@pytest.mark.parametrize(
    ("answer", "relaxed", "exact"),
    [
        ("D", 1.0, 1.0),
        ("D.", 1.0, 0.0),
        ("Image D", 1.0, 0.0),  # ends with the letter
        ("A bird", 1.0, 0.0),  # so does this: the official rule
        ("E", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_answers_about_five(local: Local, answer: str, relaxed: float, exact: float) -> None:
    (sample,) = VLOD.samples(local({"ha.jsonl": [FIVE]}), ["ha"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in VLOD.metrics]
    assert found == [(relaxed,), (exact,)]


@pytest.mark.parametrize(("label", "letter"), [(0, "A"), ("4", "E"), ("b", "B")])
def test_the_odd_one_by_number_or_letter(local: Local, label: object, letter: str) -> None:
    (sample,) = VLOD.samples(local({"ha.jsonl": [{**FIVE, "label": label}]}), ["ha"])
    assert sample.references == (letter,)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"label": 5}, "column label: wanted 0 to 4 or A to E, found 5"),
        ({"label": None}, "column label: wanted 0 to 4 or A to E, found None"),
        ({"images": ["red.png"] * 4}, "column images: wanted a list of five pictures"),
        ({"images": "red.png"}, "column images: wanted a list of five pictures"),
        ({"hypothesis": None}, "column hypothesis: wanted a text"),
    ],
)
def test_bad_rows_are_told(local: Local, changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(VLOD.samples(local({"ha.jsonl": [{**FIVE, **changed}]}), ["ha"]))


def test_a_label_of_a_pair_that_is_none_is_refused(local: Local) -> None:
    with pytest.raises(DataError, match="column label: wanted true or false, found str 'ee'"):
        list(VGR.samples(local({"ha.jsonl": [{**PAIR, "label": "ee"}]}), ["ha"]))
