"""SMPQA: thirteen questions a plot, the same plot in all languages."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.errors import DataError
from towereval.types import Decoding, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
CENTURIO, OURS = plugins.load_tasks("smpqa")
ROW: dict[str, object] = {
    "language": "de",
    "plot": "bar-000",
    "image": "red.png",
    "question_ground": ["Is the bar with label 'Mond' the biggest?"],
    "answer_ground": ["yes"],
    "questions_name": ["What is the label of the red bar?", "What is the label of the blue bar?"],
    "answer_name": ["Haus", "Mond"],
}


def shown(sample: Sample) -> str:
    part = sample.prompt[0].parts[1]
    assert isinstance(part, Text)
    return part.text


def test_a_row_becomes_its_questions(local: Local) -> None:
    source = local({"test.jsonl": [ROW]})
    found = list(CENTURIO.samples(source, CENTURIO.languages))
    assert [(one.id, one.group, one.references) for one in found] == [
        ("bar-000-grounding-0", "grounding", ("yes",)),
        ("bar-000-reading-0", "reading", ("Haus",)),
        ("bar-000-reading-1", "reading", ("Mond",)),
    ]
    assert [shown(one) for one in found] == [
        f"{question}\nAnswer the question using a single word or phrase."
        for question in (
            "Is the bar with label 'Mond' the biggest?",
            "What is the label of the red bar?",
            "What is the label of the blue bar?",
        )
    ]
    assert {(one.language, one.cluster) for one in found} == {("de", "bar-000")}
    (request,) = CENTURIO.requests(found[0])
    assert request.decoding == Decoding(max_tokens=512)


def test_our_variant_says_how_to_answer(local: Local) -> None:
    found = list(OURS.samples(local({"test.jsonl": [ROW]}), ["de"]))
    assert shown(found[0]).endswith("the biggest?\nAnswer with yes or no.")
    assert shown(found[1]).endswith("red bar?\nAnswer with only the label.")
    (request,) = OURS.requests(found[1])
    assert request.decoding == Decoding(max_tokens=32)


def test_only_our_variant_takes_a_language_that_was_not_published(local: Local) -> None:
    source = local({"test.jsonl": [ROW, {**ROW, "language": "ka"}]})
    assert {one.language for one in CENTURIO.samples(source, CENTURIO.languages)} == {"de"}
    assert {one.language for one in OURS.samples(source, OURS.languages)} == {"de", "ka"}


def test_a_question_without_an_answer_is_named(local: Local) -> None:
    source = local({"test.jsonl": [{**ROW, "answer_name": ["Haus"]}]})
    with pytest.raises(DataError, match="bar-000 has not as many answers as reading questions"):
        list(CENTURIO.samples(source, ["de"]))
