"""MaXM: any of the references, in the language of the question."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("maxm")
ROW: dict[str, object] = {
    "image_id": "000411001ff7dd4f",
    "image": "red.png",
    "question": "מה רואים בתמונה?",
    "answers": ["בית אדום", " בית "],
    "processed_answers": ["בית", "הבית"],
}
ENDING = "\nAnswer the question using a single word or phrase.\nAnswer in Hebrew."


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"iw.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    (sample,) = TASK.samples(source, ["he"])
    assert sample == Sample(
        id="0",
        language="he",
        prompt=(Message("user", (picture, Text(f"מה רואים בתמונה?{ENDING}"))),),
        references=("בית אדום", "בית"),
        cluster="000411001ff7dd4f",
    )
    assert list(TASK.requests(sample)) == [Request("0", sample.prompt, Decoding(max_tokens=512))]


@pytest.mark.parametrize(
    ("question", "asked"),
    [("What is it", "What is it?"), ("What is it? ", "What is it?"), ("这是什么？", "这是什么？")],
)
def test_a_question_mark_is_added_where_there_is_none(
    local: Local, question: str, asked: str
) -> None:
    (sample,) = TASK.samples(local({"iw.jsonl": [{**ROW, "question": question}]}), ["he"])
    assert sample.prompt[0].parts[1] == Text(asked + ENDING)


@pytest.mark.parametrize(
    ("answer", "scores"),
    [
        (" בית\n", [(1.0,), (1.0,)]),
        ("בית אדום", [(1.0,), (1.0,)]),
        ("בית.", [(0.0,), (1.0,)]),
        ("הבית", [(0.0,), (1.0,)]),
        ("כלב", [(0.0,), (0.0,)]),
        ("", [(0.0,), (0.0,)]),
    ],
)
def test_any_reference_counts(local: Local, answer: str, scores: list[tuple[float]]) -> None:
    (sample,) = TASK.samples(local({"iw.jsonl": [ROW]}), ["he"])
    assert [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics] == scores


@pytest.mark.parametrize("answers", [[], [" "]])
def test_a_row_without_an_answer_is_refused(local: Local, answers: list[str]) -> None:
    """An empty reference would be met by every answer."""
    with pytest.raises(DataError, match="column answers: wanted an answer, found none"):
        list(TASK.samples(local({"iw.jsonl": [{**ROW, "answers": answers}]}), ["he"]))
