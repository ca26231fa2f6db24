"""Babel-ImageNet as multiple choice: from a folder of the user's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("babel_imagenet_mc")
ROW: dict[str, object] = {
    "image": "red.png",
    "choices": ["whare", "kurī", "waka", "keke"],
    "answer": 1,
}


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"mi.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    ask = (
        "Which of these choices (in Māori) is shown in the image?\nChoices:\nA. whare\nB. kurī"
        "\nC. waka\nD. keke\nAnswer with the letter from the given choices directly."
    )
    (sample,) = TASK.samples(source, ["mi"])
    assert sample == Sample(
        id="0",
        language="mi",
        prompt=(Message("user", (picture, Text(ask))),),
        references=("B",),
        choices=("whare", "kurī", "waka", "keke"),
        cluster=picture.sha256,
    )
    assert list(TASK.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


@pytest.mark.parametrize(
    ("answer", "relaxed", "exact"),
    [("B", 1.0, 1.0), ("b. kurī", 1.0, 0.0), ("kurī", 0.0, 0.0), ("C", 0.0, 0.0)],
)
def test_answers(local: Local, answer: str, relaxed: float, exact: float) -> None:
    (sample,) = TASK.samples(local({"mi.jsonl": [ROW]}), ["mi"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics]
    assert found == [(relaxed,), (exact,)]


def test_one_picture_in_two_languages_is_one_cluster(local: Local) -> None:
    source = local({"mi.jsonl": [ROW], "en.jsonl": [ROW]})
    assert len({sample.cluster for sample in TASK.samples(source, ["mi", "en"])}) == 1


def test_the_pictures_of_a_class_are_one_cluster_in_every_language(local: Local) -> None:
    """Their answers hang together: ten of them tell hardly more than one."""
    names = ("n02084071/a.png", "n02084071/b.png", "n02958343/a.png")
    rows = [{**ROW, "image": name} for name in names]
    source = local({"mi.jsonl": rows, "en.jsonl": rows[:1]})
    for name in names:
        (source.folder / name).parent.mkdir(exist_ok=True)
        (source.folder / name).write_bytes((source.folder / "red.png").read_bytes())
    clusters = [sample.cluster for sample in TASK.samples(source, ["mi", "en"])]
    assert clusters == ["n02084071", "n02084071", "n02958343", "n02084071"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"answer": 4}, "column answer: 4 is none of 4 choices"),
        ({"answer": "B"}, "column answer: wanted a whole number, found str 'B'"),
        ({"choices": ["kurī"], "answer": 0}, "wanted 2 to 10 options, found 1"),
        ({"choices": "kurī"}, "column choices: wanted a list of texts"),
    ],
)
def test_bad_rows_are_told(local: Local, changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({"mi.jsonl": [{**ROW, **changed}]}), ["mi"]))
