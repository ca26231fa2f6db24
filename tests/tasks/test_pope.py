"""POPE: the question with LLaVA's ending; English by its own rule, ten languages by a table."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError, Unscorable
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("pope")
TRANSLATED = plugins.load_task("pope@lrm")
ROW: dict[str, object] = {
    "id": "0",
    "question_id": "1",
    "image": "red.png",
    "question": "Is there a snowboard in the image?",
    "answer": "yes",
    "category": "adversarial",
}


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"test.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    ask = "Is there a snowboard in the image?\nAnswer the question using a single word or phrase."
    (sample,) = TASK.samples(source, ["en"])
    assert sample == Sample(
        id="0",
        language="en",
        prompt=(Message("user", (picture, Text(ask))),),
        references=("yes",),
        group="adversarial",
        cluster=picture.sha256,
    )
    assert list(TASK.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=128))]


@pytest.mark.parametrize(
    ("answer", "gold", "scores"),
    [
        ("Yes", "yes", [(1.0,), (1.0, 1.0, 1.0), (1.0,)]),
        ("No, there is not.", "no", [(1.0,), (0.0, 0.0, 0.0), (0.0,)]),
        # Whatever is no "no" is a yes to POPE.
        ("Hard to say", "no", [(0.0,), (0.0, 1.0, 0.0), (1.0,)]),
        ("NO", "no", [(0.0,), (0.0, 1.0, 0.0), (1.0,)]),
        ("", "yes", [(1.0,), (1.0, 1.0, 1.0), (1.0,)]),
    ],
)
def test_answers_by_popes_rule(
    local: Local, answer: str, gold: str, scores: list[tuple[float, ...]]
) -> None:
    (sample,) = TASK.samples(local({"test.jsonl": [{**ROW, "answer": gold}]}), ["en"])
    assert [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics] == scores


@pytest.mark.parametrize(
    ("answer", "gold", "scores"),
    [
        ("Sí, hay una.", "yes", [(1.0,), (1.0, 1.0, 1.0), (1.0,)]),
        ("No", "no", [(1.0,), (0.0, 0.0, 0.0), (0.0,)]),
        ("Quizás", "no", [(0.0,), (0.0, 0.0, 0.0)]),
        ("Quizás", "yes", [(0.0,), (0.0, 0.0, 1.0)]),
    ],
)
def test_translated_answers_by_the_table(
    local: Local, answer: str, gold: str, scores: list[tuple[float, ...]]
) -> None:
    rows = [{**ROW, "question": "¿Hay una tabla?", "answer": gold}]
    (sample,) = TRANSLATED.samples(local({"es.jsonl": rows}), ["es"])
    *metrics, rate = TRANSLATED.metrics
    found = [metric.sample(sample, [Response("", answer)]) for metric in metrics]
    if answer == "Quizás":  # it tells of no bias
        with pytest.raises(Unscorable, match="neither yes nor no"):
            rate.sample(sample, [Response("", answer)])
    else:
        found.append(rate.sample(sample, [Response("", answer)]))
    assert found == scores


def test_another_label_is_refused(local: Local) -> None:
    with pytest.raises(DataError, match="column answer: wanted yes or no, found 'sí'"):
        list(TASK.samples(local({"test.jsonl": [{**ROW, "answer": "sí"}]}), ["en"]))
