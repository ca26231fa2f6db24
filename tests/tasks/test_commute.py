"""CoMMuTE: two candidates a row, and that a model which does not look scores one half."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.grading import Scoring
from towereval.plan import Plan
from towereval.progress import Silence
from towereval.run import collect, publish
from towereval.store import Store
from towereval.types import (
    Dataset,
    Decoding,
    Image,
    Message,
    Request,
    Response,
    Sample,
    Text,
    Video,
)

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("commute")

ROW: dict[str, object] = {
    "idx": 0,
    "source": "I saw a bat.",
    "correct_translation": "J'ai vu une chauve-souris.",
    "incorrect_translation": "J'ai vu une batte.",
    "image": "red.png",
    "image_name": "e9490cd.jpeg",
}


def test_a_row_becomes_a_sample_and_two_requests(local: Local) -> None:
    """The metric takes the first response for the right candidate's."""
    source = local({"fr.jsonl": [ROW]})
    (sample,) = TASK.samples(source, ["fr"])
    prompt = "Translate the following source text from English to French:\nI saw a bat."
    picture = image_file(source.folder / "red.png")
    right, wrong = "J'ai vu une chauve-souris.", "J'ai vu une batte."
    assert sample == Sample(
        id="0",
        language="fr",
        prompt=(Message("user", (picture, Text(prompt))),),
        references=(right,),
        choices=(right, wrong),
        cluster="I saw a bat.",
    )
    decoding = Decoding(max_tokens=1, stop=())
    assert list(TASK.requests(sample)) == [
        Request("0", sample.prompt, decoding, continuation=right),
        Request("0", sample.prompt, decoding, continuation=wrong),
    ]


@pytest.mark.parametrize(
    ("language", "english"),
    [
        ("de", "German"),
        ("fr", "French"),
        ("ru", "Russian"),
        ("zh", "Chinese"),
        ("cs", "Czech"),
        ("ar", "Arabic"),
    ],
)
def test_each_language_reads_its_split(local: Local, language: str, english: str) -> None:
    (sample,) = TASK.samples(local({f"{language}.jsonl": [ROW]}), [language])
    ask = f"Translate the following source text from English to {english}:\nI saw a bat."
    assert sample.prompt[0].parts[1] == Text(ask)
    assert sample.language == language


def test_the_languages_in_their_order() -> None:
    assert TASK.languages == ("de", "fr", "ru", "zh", "cs", "ar")
    assert TASK.needs == {"score"}


# --- the published texts ---


class Published:
    """The repository's text files as rows; its pictures are elsewhere and known by their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def rows(self, dataset: Dataset) -> Iterator[tuple[int, Mapping[str, Any]]]:
        language = dataset.split
        names = ("src.en", f"correct.{language}", f"incorrect.{language}", "img.order")
        columns = ("source", "correct_translation", "incorrect_translation", "image")
        texts = [
            (self.folder / f"en-{language}" / name).read_text("utf-8").strip("\n").split("\n")
            for name in names
        ]
        for index, row in enumerate(zip(*texts, strict=True)):
            yield index, dict(zip(columns, row, strict=True))

    def image(self, value: object) -> Image:
        return Image(str(value), str(value))

    def video(self, value: object) -> Video:
        raise AssertionError("CoMMuTE has no clips")


def published(shared: Path) -> list[Sample]:
    return list(TASK.samples(Published(shared / "data/commute"), TASK.languages))


def test_the_published_texts_give_every_row(shared: Path) -> None:
    samples = published(shared)
    counts = Counter(sample.language for sample in samples)
    assert counts == {"de": 300, "fr": 308, "ru": 324, "zh": 324, "cs": 308, "ar": 324}
    assert len({(sample.language, sample.id) for sample in samples}) == len(samples)
    assert not [sample for sample in samples if "" in (*sample.choices, sample.cluster)]
    assert {len(sample.choices) for sample in samples} == {2}


def test_a_few_published_candidates_are_equal(shared: Path) -> None:
    equal = [one.language for one in published(shared) if one.choices[0] == one.choices[1]]
    assert Counter(equal) == {"ar": 2, "ru": 6}


def inexact(samples: Sequence[Sample]) -> list[Sample]:
    """Rows whose neighbour has not the same two translations the other way round."""
    found: list[Sample] = []
    for first, second in zip(samples[::2], samples[1::2], strict=True):
        assert first.cluster == second.cluster
        if first.choices != second.choices[::-1]:
            found += [first, second]
    return found


def test_published_rows_come_in_pairs_with_the_translations_swapped(shared: Path) -> None:
    """All but two of the French pairs."""
    samples = published(shared)
    found = [f"{row.language} {row.id}" for row in inexact(samples)]
    assert found == ["fr 22", "fr 23", "fr 98", "fr 99"]


@pytest.mark.parametrize("taste", ["one", "another", "a third"])
def test_a_model_that_does_not_look_scores_one_half(
    shared: Path, tmp_path: Path, taste: str
) -> None:
    """Whatever texts it likes: of each exact pair it gets one right, and of a tie none."""

    def liking(text: str) -> float:
        return -int(hashlib.sha256(f"{taste} {text}".encode()).hexdigest()[:12], 16) / 1e12

    samples = published(shared)
    # One half of what is left without 2 Arabic and 6 Russian rows with equal candidates.
    expected = {"de": 0.5, "zh": 0.5, "cs": 0.5, "ar": 161 / 324, "ru": 159 / 324}
    odd = [liking(row.choices[0]) > liking(row.choices[1]) for row in inexact(samples)]
    expected["fr"] = ((308 - len(odd)) / 2 + sum(odd)) / 308

    plan = Plan("blind", ("commute",), output=tmp_path)
    source = Published(shared / "data/commute")
    with Store(tmp_path / "run") as store:
        store.write_manifest({"model": "blind", "split": "full", "run_id": "run", "tasks": []})
        collect(store, plan, [TASK], {"commute": source}, "blind", Silence())
        answers = (
            Response(request.key, logprob=liking(request.continuation or ""), token_count=1)
            for request in store.unanswered()
        )
        for _ in store.add_responses(answers):
            pass
        results, _ = publish(store, [TASK], str, Silence(), Scoring())
    found = {row.language: row.value for row in results if row.language != "*"}
    assert found == pytest.approx(expected, abs=1e-12)
    tied = {row.language: row.note.partition("; ")[2] for row in results if "; " in row.note}
    reason = "with equal candidates, which cannot be told apart and count as wrong"
    assert tied == {"ru": f"6 {reason}", "ar": f"2 {reason}"}
