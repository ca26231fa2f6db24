"""xGQA: asked in the language, answered in English."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("xgqa")
ROW: dict[str, object] = {
    "image_id": "n161313",
    "image": "red.png",
    "question": "Ist es bewölkt?",
    "answer": "yes",
}
ENDING = "\nAnswer the question using a single word or phrase.\nAnswer in English."


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"de.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    (sample,) = TASK.samples(source, ["de"])
    assert sample == Sample(
        id="0",
        language="de",
        prompt=(Message("user", (picture, Text(f"Ist es bewölkt?{ENDING}"))),),
        references=("yes",),
        cluster="n161313",
    )
    assert list(TASK.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


@pytest.mark.parametrize(
    ("answer", "exact", "relaxed"),
    [
        ("Yes", 1.0, 1.0),
        ("yes.", 0.0, 1.0),
        ("Yes, it is cloudy.", 0.0, 1.0),
        ("Ja", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_answers(local: Local, answer: str, exact: float, relaxed: float) -> None:
    (sample,) = TASK.samples(local({"de.jsonl": [ROW]}), ["de"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics]
    assert found == [(exact,), (relaxed,)]


def test_questions_about_one_picture_are_one_cluster_in_all_languages(local: Local) -> None:
    source = local({"de.jsonl": [ROW, {**ROW, "question": "Regnet es"}], "zh.jsonl": [ROW]})
    samples = list(TASK.samples(source, ["de", "zh"]))
    assert {sample.cluster for sample in samples} == {"n161313"}
    assert samples[1].prompt[0].parts[1] == Text(f"Regnet es?{ENDING}")


def test_an_answer_that_is_no_text_is_refused(local: Local) -> None:
    with pytest.raises(DataError, match="column answer: wanted a text, found bool"):
        list(TASK.samples(local({"de.jsonl": [{**ROW, "answer": True}]}), ["de"]))
