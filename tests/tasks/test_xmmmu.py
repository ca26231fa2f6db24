"""xMMMU: options written as a Python list, pictures named in the text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("xmmmu")
ROW: dict[str, object] = {
    "id": "validation_Basic_Medical_Science_7",
    "question": "Qu'est-ce que <image 2> montre à côté de <image 1> et <image 2> ?",
    "question_type": "multiple-choice",
    "options": "['un os', \n'une main']",
    "answer": "B",
    "image_1": "red.png",
    "image_2": "blue.png",
    "image_3": None,
}


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"fr.jsonl": [ROW]})
    red, blue = (image_file(source.folder / name) for name in ("red.png", "blue.png"))
    ask = (
        "Qu'est-ce que <image 2> montre à côté de <image 1> et <image 2> ?"
        "\nThere are several options:\nA. un os\nB. une main"
        "\nAnswer with the option’s letter from the given choices directly."
    )
    (sample,) = TASK.samples(source, ["fr"])
    assert sample == Sample(
        id="validation_Basic_Medical_Science_7",
        language="fr",
        prompt=(Message("user", (blue, red, Text(ask))),),
        references=("B",),
        choices=("un os", "une main"),
        group="Basic_Medical_Science",
        cluster="validation_Basic_Medical_Science_7",
    )
    (request,) = TASK.requests(sample)
    assert request == Request(sample.id, sample.prompt, Decoding(max_tokens=512))


@pytest.mark.parametrize(
    ("question", "options", "names"),
    [
        ("What?", "['a', 'b']", ["red.png"]),
        ("What?", "['<image 2>', '<image 1>']", ["blue.png", "red.png"]),
        ("What is <image 3>?", "['<image 2>', 'b']", ["blue.png"]),
    ],
)
def test_the_pictures_that_the_text_names_are_shown(
    local: Local, question: str, options: str, names: list[str]
) -> None:
    source = local({"fr.jsonl": [{**ROW, "question": question, "options": options}]})
    (sample,) = TASK.samples(source, ["fr"])
    assert list(sample.prompt[0].parts[:-1]) == [image_file(source.folder / n) for n in names]


@pytest.mark.parametrize(
    ("answer", "relaxed", "exact"),
    [("B", 1.0, 1.0), ("B.", 1.0, 0.0), ("b", 1.0, 1.0), ("une main", 0.0, 0.0), ("", 0.0, 0.0)],
)
def test_answers(local: Local, answer: str, relaxed: float, exact: float) -> None:
    (sample,) = TASK.samples(local({"fr.jsonl": [ROW]}), ["fr"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics]
    assert found == [(relaxed,), (exact,)]


def test_open_questions_are_left_out(local: Local) -> None:
    source = local({"fr.jsonl": [{**ROW, "question_type": "open"}]})
    assert list(TASK.samples(source, ["fr"])) == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"options": "['un os"}, "column options: no list is"),
        ({"options": "{[]: 1}"}, "column options: no list is"),
        ({"options": "'un os'"}, "column options: no list of texts is"),
        ({"options": "[['un os']]"}, "column options: no list of texts is"),
        ({"answer": "C"}, "column answer: 'C' is none of 2 options"),
    ],
)
def test_bad_rows_are_told(local: Local, changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({"fr.jsonl": [{**ROW, **changed}]}), ["fr"]))
