"""MME: a picture's two questions are one sample, wherever their rows stand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("mme")
TRANSLATED = plugins.load_task("mme@lrm")


def row(number: int, answer: str, **changed: object) -> dict[str, object]:
    return {
        "question_id": f"existence/{number}.png",
        "image": "red.png",
        "question": f"Is there a {answer} in this image? Please answer yes or no.",
        "answer": answer,
        "category": "existence",
        **changed,
    }


def test_two_rows_become_a_sample_and_two_requests(local: Local) -> None:
    source = local({"test.jsonl": [row(1, "Yes"), row(2, "No"), row(2, "Yes"), row(1, "No")]})
    picture = image_file(source.folder / "red.png")
    asked = {
        word: f"Is there a {word} in this image? Please answer yes or no." for word in ("Yes", "No")
    }
    prompts = {word: (Message("user", (picture, Text(asked[word]))),) for word in asked}
    second, first = TASK.samples(source, ["en"])
    assert first == Sample(
        id="existence/1.png",
        language="en",
        prompt=prompts["Yes"],
        references=("yes", "no"),
        group="existence",
        cluster="existence: existence/1.png",
        meta={"first": asked["Yes"], "second": asked["No"]},
    )
    assert second.references == ("no", "yes")
    assert list(TASK.requests(first)) == [
        Request(first.id, prompts[word], Decoding(max_tokens=16)) for word in ("Yes", "No")
    ]


@pytest.mark.parametrize(
    ("answers", "scores"),
    [
        (("Yes", "No"), [(2.0, 1.0), (), (1.0,), (1.0,)]),
        (("Yes.", "no, there is none"), [(2.0, 1.0), (), (1.0,), (1.0,)]),
        (("Yes", "Yes"), [(0.5, 1.0), (), (0.5,), (0.0,)]),
        (("No", "Yes"), [(0.0, 1.0), (), (0.0,), (0.0,)]),
        (("It is", ""), [(0.0, 1.0), (), (0.0,), (0.0,)]),
    ],
)
def test_answers(local: Local, answers: tuple[str, str], scores: list[tuple[float, ...]]) -> None:
    """A score's statistics are its points, at its subtask's place, and the picture's one."""
    (sample,) = TASK.samples(local({"test.jsonl": [row(1, "Yes"), row(1, "No")]}), ["en"])
    found = [metric.sample(sample, [Response("", a) for a in answers]) for metric in TASK.metrics]
    perception = found[0]
    assert len(perception) == 20
    assert [(perception[0], perception[10]), *found[1:]] == scores


def test_a_name_in_two_subtasks_is_refused(local: Local) -> None:
    source = local({"test.jsonl": [row(1, "Yes"), row(1, "No", category="count")]})
    with pytest.raises(DataError, match=r"'existence/1\.png' is of existence and count"):
        list(TASK.samples(source, ["en"]))


def test_the_translated_sets_have_a_split_a_language(local: Local) -> None:
    rows = [
        row(1, "Yes", question="Есть ли дом? Ответьте да или нет."),
        row(1, "No", question="Есть ли кот? Ответьте да или нет."),
    ]
    (sample,) = TRANSLATED.samples(local({"ru.jsonl": rows}), ["ru"])
    assert sample.references == ("yes", "no")
    responses = [Response("", "Да."), Response("", "Нет, кота нет")]
    assert TRANSLATED.metrics[2].sample(sample, responses) == (1.0,)
    assert set(TRANSLATED.languages) == {
        *("en", "cs", "de", "fr", "hr", "it", "ro", "ru", "es", "zh"),
    }


def test_half_a_pair_of_translations_is_left_out(local: Local) -> None:
    rows = [row(1, "Yes"), row(2, "Yes"), row(2, "No")]
    samples = TRANSLATED.samples(local({"de.jsonl": rows}), ["de"])
    assert [sample.id for sample in samples] == ["existence/2.png"]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row(1, "Yes"), row(1, "No"), row(2, "No")], "existence/2.png has not two questions"),
        ([row(1, "Yes"), row(1, "No"), row(1, "No")], "existence/1.png has not two questions"),
        ([row(1, "Maybe")], "column answer: wanted Yes or No, found 'maybe'"),
        ([row(1, "Yes", category="cats")], "column category: no subtask of MME is 'cats'"),
    ],
)
def test_bad_rows_are_told(local: Local, rows: list[dict[str, object]], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({"test.jsonl": rows}), ["en"]))
