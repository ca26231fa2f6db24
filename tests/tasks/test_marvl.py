"""MaRVL: a statement about two pictures, of which the left is shown first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("marvl")
ROW: dict[str, object] = {
    "id": "sw-0",
    "hypothesis": "Picha zote mbili zina mbwa.",
    "label": True,
    "left_img": "red.png",
    "right_img": "blue.png",
}


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"sw.jsonl": [ROW]})
    red, blue = (image_file(source.folder / name) for name in ("red.png", "blue.png"))
    ask = (
        'Given the two images, is it correct to say "Picha zote mbili zina mbwa."?'
        " Answer yes or no."
    )
    (sample,) = TASK.samples(source, ["sw"])
    assert sample == Sample(
        id="0",
        language="sw",
        prompt=(Message("user", (red, blue, Text(ask))),),
        references=("yes",),
        cluster="sw: Picha zote mbili zina mbwa.",
    )
    assert list(TASK.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


@pytest.mark.parametrize(
    ("label", "reference"),
    [(True, "yes"), (False, "no"), ("True", "yes"), ("false", "no"), (0, "no")],
)
def test_labels_as_rows_write_them(local: Local, label: object, reference: str) -> None:
    (sample,) = TASK.samples(local({"sw.jsonl": [{**ROW, "label": label}]}), ["sw"])
    assert sample.references == (reference,)


@pytest.mark.parametrize("label", [None, "ndiyo", 2])
def test_another_label_is_refused(local: Local, label: object) -> None:
    with pytest.raises(DataError, match="column label: wanted true or false, found"):
        list(TASK.samples(local({"sw.jsonl": [{**ROW, "label": label}]}), ["sw"]))


@pytest.mark.parametrize(
    ("answer", "exact", "relaxed"),
    [("Yes", 1.0, 1.0), ("Yes.", 0.0, 1.0), ("No", 0.0, 0.0), ("Ndiyo", 0.0, 0.0)],
)
def test_answers(local: Local, answer: str, exact: float, relaxed: float) -> None:
    (sample,) = TASK.samples(local({"sw.jsonl": [ROW]}), ["sw"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics]
    assert found == [(exact,), (relaxed,)]
