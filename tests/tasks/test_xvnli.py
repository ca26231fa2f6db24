"""XVNLI: three relations, asked for as yes, no or maybe."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("xvnli")
ROW: dict[str, object] = {
    "flikr30k_id": "36979",
    "image": "red.png",
    "hypothesis": "Un chien court.",
    "caption": "A dog on a meadow.",
    "label": "neutral",
}


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"fr.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    ask = 'Is it guaranteed true that "Un chien court."? Yes, no, or maybe? Answer in English:'
    (sample,) = TASK.samples(source, ["fr"])
    assert sample == Sample(
        id="0",
        language="fr",
        prompt=(Message("user", (picture, Text(ask))),),
        references=("maybe",),
        group="neutral",
        cluster="36979",
    )
    assert list(TASK.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


@pytest.mark.parametrize(
    ("label", "answer", "exact", "relaxed"),
    [
        ("entailment", "Yes", 1.0, 1.0),
        ("contradiction", "No.", 0.0, 1.0),
        ("neutral", "maybe", 1.0, 1.0),
        ("contradiction", "Not sure", 0.0, 1.0),  # begins with "no": so is the official rule
        ("neutral", "It may be so", 0.0, 0.0),
    ],
)
def test_answers(local: Local, label: str, answer: str, exact: float, relaxed: float) -> None:
    (sample,) = TASK.samples(local({"fr.jsonl": [{**ROW, "label": label}]}), ["fr"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics]
    assert found == [(exact,), (relaxed,)]


@pytest.mark.parametrize(
    ("label", "told"),
    [("yes", "wanted entailment, contradiction, neutral"), (2, "wanted a text, found int")],
)
def test_another_label_is_refused(local: Local, label: object, told: str) -> None:
    with pytest.raises(DataError, match=f"column label: {told}"):
        list(TASK.samples(local({"fr.jsonl": [{**ROW, "label": label}]}), ["fr"]))
