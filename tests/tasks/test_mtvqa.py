"""MTVQA: one row holds a picture's questions; which are asked, and how answers are compared."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("mtvqa")
OFFICIAL = plugins.load_task("mtvqa@official")

PAIRS = [
    {"question": " 간판에 뭐라고 쓰여 있나요? ", "answer": "도서관."},
    {"question": "몇 시입니까?", "answer": "3시"},
]
ROW: dict[str, object] = {"image": "red.png", "id": "kr_1", "lang": "KR", "qa_pairs": str(PAIRS)}


def test_a_rows_pairs_become_samples(local: Local) -> None:
    source = local({"test.jsonl": [{**ROW, "lang": "AR"}, ROW]})
    picture = image_file(source.folder / "red.png")
    ask = (
        "간판에 뭐라고 쓰여 있나요?\nAnswer the question using a single word or phrase."
        "\nAnswer in Korean."
    )
    first, second = TASK.samples(source, ["ko"])
    assert first == Sample(
        id="1-0",
        language="ko",
        prompt=(Message("user", (picture, Text(ask))),),
        references=("도서관.",),
        cluster=picture.sha256,
        meta={"id": "kr_1"},
    )
    assert list(TASK.requests(first)) == [Request("1-0", first.prompt, Decoding(max_tokens=512))]
    assert (second.id, second.references) == ("1-1", ("3시",))


def test_the_benchmarks_own_prompt(local: Local) -> None:
    sample, _ = OFFICIAL.samples(local({"test.jsonl": [ROW]}), ["ko"])
    assert sample.prompt[0].parts[1] == Text(
        "간판에 뭐라고 쓰여 있나요?"
        "\nAnswer the question using a word or phrase in the language of the question."
    )
    (request,) = OFFICIAL.requests(sample)
    assert request.decoding == Decoding(max_tokens=64)


@pytest.mark.parametrize(
    ("answer", "official", "exact", "relaxed"),
    [
        ("도서관.", 1.0, 1.0, 1.0),
        ("도서관", 1.0, 0.0, 0.0),
        ("그것은 도서관입니다.", 1.0, 0.0, 0.0),
        ("도서관. 맞습니다", 1.0, 0.0, 1.0),
        ("학교", 0.0, 0.0, 0.0),
        ("", 0.0, 0.0, 0.0),
    ],
)
def test_answers(local: Local, answer: str, official: float, exact: float, relaxed: float) -> None:
    sample, _ = TASK.samples(local({"test.jsonl": [ROW]}), ["ko"])
    response = [Response("", answer)]
    assert [metric.sample(sample, response) for metric in OFFICIAL.metrics] == [(official,)]
    assert [metric.sample(sample, response) for metric in TASK.metrics] == [(exact,), (relaxed,)]


def test_pairs_without_a_question_or_an_answer_are_left_out(local: Local) -> None:
    pairs = [{"question": "A?", "answer": " "}, {"answer": "b"}, {"question": "C?", "answer": 3}]
    (sample,) = TASK.samples(local({"test.jsonl": [{**ROW, "qa_pairs": str(pairs)}]}), ["ko"])
    assert (sample.id, sample.references) == ("0-0", ("3",))


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ("[{'question': ", "column qa_pairs: no list is"),
        ("{[]: 1}", "column qa_pairs: no list is"),
        ("{'question': 'A?'}", "column qa_pairs: no list of pairs is"),
        ("['A?']", "column qa_pairs: no list of pairs is"),
        (["A?"], "column qa_pairs: wanted a text, found list"),
    ],
)
def test_pairs_that_are_none_are_refused(local: Local, pairs: object, told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({"test.jsonl": [{**ROW, "qa_pairs": pairs}]}), ["ko"]))


def test_other_languages_are_left_out(local: Local) -> None:
    rows = [{**ROW, "lang": lang} for lang in ("EN", "DE", "VI")]
    source = local({"test.jsonl": rows})
    assert [sample.language for sample in TASK.samples(source, TASK.languages)] == ["de"] * 2 + [
        "vi"
    ] * 2
