"""OCRBench: the bare question, and the data set's name that the rule branches on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towereval import plugins
from towereval.bridges.lmms_eval import LogSource, find_logs, read_log
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
OFFICIAL = plugins.load_task("ocrbench@official")
TOWERVISION = plugins.load_task("ocrbench@towervision")

ROW: dict[str, object] = {
    "dataset": "IIIT5K",
    "question": " what is written in the image? \n",
    "question_type": "Regular Text Recognition",
    "answer": ["CENTRE", "CENTER"],
    "image": "red.png",
}


@pytest.mark.parametrize("task", [OFFICIAL, TOWERVISION], ids=["official", "towervision"])
def test_a_row_becomes_a_sample_and_one_request(local: Local, task: Any) -> None:
    source = local({"test.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    (sample,) = task.samples(source, ["en"])
    assert sample == Sample(
        id="0",
        language="en",
        prompt=(Message("user", (picture, Text("what is written in the image?"))),),
        references=("CENTRE", "CENTER"),
        group="Regular Text Recognition",
        cluster=picture.sha256,
        meta={"dataset": "IIIT5K"},
    )
    assert list(task.requests(sample)) == [
        Request("0", sample.prompt, Decoding(max_tokens=128, stop=()))
    ]


def test_questions_about_one_picture_are_one_cluster(local: Local) -> None:
    rows = [ROW, {**ROW, "image": "blue.png"}, ROW]
    samples = list(OFFICIAL.samples(local({"test.jsonl": rows}), ["en"]))
    assert [sample.id for sample in samples] == ["0", "1", "2"]
    assert samples[0].cluster == samples[2].cluster != samples[1].cluster


def test_the_variants_differ_in_a_formula_s_capitals(local: Local) -> None:
    """The authors' harness lower-cases the prediction, but not the formula that it looks for."""
    row = {**ROW, "dataset": "HME100k", "answer": ["X ^ 2"]}
    source = local({"test.jsonl": [row]})
    values = []
    for task in (OFFICIAL, TOWERVISION):
        (sample,) = task.samples(source, ["en"])
        (metric,) = task.metrics
        values.append(metric.sample(sample, [Response("", "It is X^2.")]))
    assert values == [(1.0,), (0.0,)]


@pytest.mark.parametrize(
    "checkpoint", ["towerp_2b_base_english", "towerp_2b_instruct", "towerp_9b_instruct"]
)
def test_the_prompts_are_those_of_the_authors_logs(shared: Path, checkpoint: str) -> None:
    (log,), _ = find_logs(shared / "data/towervision_logs" / checkpoint / "ocrbench")
    count = 0
    for index, row in read_log(log):
        (sample,) = TOWERVISION.samples(LogSource(log, index, row), ["en"])
        assert sample.prompt[0].parts[1] == Text(row["input"])
        assert sample.references == tuple(row["doc"]["answer"])
        count += 1
    assert count == 1000
