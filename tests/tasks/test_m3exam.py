"""M3Exam: whose options are lettered, numbered or bare, and the rotations of the cyclic variant."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_bytes
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("m3exam")
CYCLIC = plugins.load_task("m3exam@cyclic")
PICTURE = b"a picture's bytes"
FILE = "italian.jsonl"
ROW: dict[str, object] = {
    "language": "italian",
    "subject_category": "math",
    "question_text": "Quanto misura (image)[image-7.png] l'angolo?",
    "background_description": ["Osserva la figura."],
    "options": ["A. 30°", "B. 45°", "C. 60°"],
    "answer_text": "B",
    **dict.fromkeys((f"image_{number}" for number in range(10)), "None"),
    "image_2": base64.b64encode(PICTURE).decode(),
}
QUESTION = "Osserva la figura.\nQuanto misura  l'angolo?"
ENDING = "Answer with the option’s letter from the given choices directly."


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    picture = image_bytes(PICTURE)
    ask = f"{QUESTION}\nOptions:\nA. 30°\nB. 45°\nC. 60°\n{ENDING}"
    (sample,) = TASK.samples(local({FILE: [ROW]}), ["it"])
    assert sample == Sample(
        id="0",
        language="it",
        prompt=(Message("user", (picture, Text(ask))),),
        references=("B",),
        choices=("30°", "45°", "60°"),
        group="math",
        cluster=picture.sha256,
        meta={"question": QUESTION},
    )
    assert list(TASK.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


def test_the_cyclic_variant_asks_under_every_rotation(local: Local) -> None:
    (sample,) = CYCLIC.samples(local({FILE: [ROW]}), ["it"])
    requests = list(CYCLIC.requests(sample))
    asked = [request.prompt[0].parts[1] for request in requests]
    assert requests[0].prompt == sample.prompt
    assert asked == [
        Text(f"{QUESTION}\nOptions:\nA. {a}°\nB. {b}°\nC. {c}°\n{ENDING}")
        for a, b, c in ((30, 45, 60), (45, 60, 30), (60, 30, 45))
    ]


@pytest.mark.parametrize(
    ("answers", "circular", "first"),
    [
        (("B", "A", "C"), 1.0, 1.0),
        (("b. 45°", "A.", "C"), 1.0, 1.0),
        (("B", "B", "B"), 0.0, 1.0),  # who always says B
        (("A", "A", "C"), 0.0, 0.0),
        (("B", "A", ""), 0.0, 1.0),
    ],
)
def test_only_all_rotations_together_are_right(
    local: Local, answers: tuple[str, ...], circular: float, first: float
) -> None:
    (sample,) = CYCLIC.samples(local({FILE: [ROW]}), ["it"])
    responses = [Response("", answer) for answer in answers]
    found = [metric.sample(sample, responses) for metric in CYCLIC.metrics]
    assert found == [(circular,), (first,)]


@pytest.mark.parametrize(
    ("answer", "relaxed", "exact"),
    [("B", 1.0, 1.0), ("B. 45°", 1.0, 0.0), ("45°", 0.0, 0.0), ("A", 0.0, 0.0), ("", 0.0, 0.0)],
)
def test_answers(local: Local, answer: str, relaxed: float, exact: float) -> None:
    (sample,) = TASK.samples(local({FILE: [ROW]}), ["it"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics]
    assert found == [(relaxed,), (exact,)]


@pytest.mark.parametrize(
    ("options", "answer", "choices", "gold"),
    [
        (["(1) x", "(2) y"], "2", ("x", "y"), "B"),
        (["（1）x", "（2）y"], "(1)", ("x", "y"), "A"),
        (["a) x", "b) y"], "b", ("x", "y"), "B"),
        (["x", "y"], "B", ("x", "y"), "B"),
        (["x", "y"], "1", ("x", "y"), "A"),
        # What looks like a number or a letter is the option itself.
        (["3. März", "1. Mai"], "A", ("3. März", "1. Mai"), "A"),
        (["2 m", "4 m"], "B", ("2 m", "4 m"), "B"),
        (["A. S.", "B. Z.", "x"], "C", ("A. S.", "B. Z.", "x"), "C"),
        (["B. B. King", "x", "y"], "B", ("B. B. King", "x", "y"), "B"),
        (["3.5 kg", "2.5 kg", "1.5 kg"], "3", ("3.5 kg", "2.5 kg", "1.5 kg"), "C"),
        (["1.5", "2.5"], "2", ("1.5", "2.5"), "B"),
        (["๑. x", "๒. y"], "๒", ("x", "y"), "B"),
        # One of the letters was left out of the exam.
        (["A. x", "C. y"], "C", ("A. x", "C. y"), "B"),
    ],
)
def test_options_lose_their_labels_only_where_all_bear_them(
    local: Local, options: list[str], answer: str, choices: tuple[str, ...], gold: str
) -> None:
    row = {**ROW, "options": options, "answer_text": answer}
    (sample,) = TASK.samples(local({FILE: [row]}), ["it"])
    assert (sample.choices, sample.references) == (choices, (gold,))


def test_rows_with_other_than_one_picture_are_left_out(local: Local) -> None:
    two = {**ROW, "image_0": ROW["image_2"]}
    none = {**ROW, "image_2": "None"}
    shown = {**ROW, "options": ["A. (image)[image-7.png]", "B. 45°"]}
    source = local({FILE: [two, none, shown, ROW]})
    assert [sample.id for sample in TASK.samples(source, ["it"])] == ["3"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answer_text": "D"}, "column answer_text: 'D' names none of 3 options"),
        ({"answer_text": ""}, "column answer_text: '' names none of 3 options"),
        ({"options": ["A. 30°"], "answer_text": "A"}, "wanted 2 to 10 options, found 1"),
        ({"options": ["x"] * 12, "answer_text": "12"}, "'12' names none of 12 options"),
        ({"options": "A. 30°"}, "column options: wanted a list of texts"),
        ({"image_2": "images/a.png"}, "a picture that is no base64: 'images/a.png'"),
    ],
)
def test_bad_rows_are_told(local: Local, changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({FILE: [{**ROW, **changed}]}), ["it"]))
