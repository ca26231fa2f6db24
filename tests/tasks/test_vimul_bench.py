"""ViMUL-Bench: a clip, with options in the data's order and a letter that is wanted, or open."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import video_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("vimul_bench")

ROW: dict[str, object] = {
    "mint_video_id": "../clip.mp4",
    "question": "In welche Richtung rollt der Ball?",
    "option": ["A. Nach links", "B. Nach rechts", "C. Nach oben", "D. Nach unten"],
    "answer": "B",
}
PROMPT = (
    "In welche Richtung rollt der Ball?\nA. Nach links\nB. Nach rechts\nC. Nach oben\nD. Nach unten"
    "\nAnswer with the option's letter from the given choices directly."
)
OPEN: dict[str, object] = {
    "mint_video_id": "../clip.mp4",
    "question": "Was tut der Ball?",
    "answer": "Er rollt",
}
OPEN_PROMPT = "Was tut der Ball?\nAnswer briefly, in the language of the question."


def tables(*languages: str, row: dict[str, object] = ROW) -> dict[str, list[dict[str, object]]]:
    """Both configurations of each language, with one row each."""
    return {f"vimulmcq_{name}/test.jsonl": [row] for name in languages} | {
        f"vimuloe_{name}/test.jsonl": [OPEN] for name in languages
    }


def test_a_row_with_options_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local(tables("german"))
    clip = video_file(source.folder / "clip.mp4")
    sample, _ = TASK.samples(source, ["de"])
    assert sample == Sample(
        id="mcq-0",
        language="de",
        prompt=(Message("user", (clip, Text(PROMPT))),),
        references=("B",),
        choices=("A. Nach links", "B. Nach rechts", "C. Nach oben", "D. Nach unten"),
        group="mcq",
        cluster=clip.sha256,
    )
    assert list(TASK.requests(sample)) == [
        Request("mcq-0", sample.prompt, Decoding(max_tokens=16, stop=()))
    ]


def test_an_open_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local(tables("german"))
    clip = video_file(source.folder / "clip.mp4")
    _, sample = TASK.samples(source, ["de"])
    assert sample == Sample(
        id="open-0",
        language="de",
        prompt=(Message("user", (clip, Text(OPEN_PROMPT))),),
        references=("Er rollt",),
        group="open",
        cluster=clip.sha256,
        meta={"Question": "Was tut der Ball?"},
    )
    assert list(TASK.requests(sample)) == [
        Request("open-0", sample.prompt, Decoding(max_tokens=128, stop=()))
    ]


def test_each_metric_is_for_one_kind_of_question(local: Local) -> None:
    letter, judge, fidelity = TASK.metrics
    choice, question = TASK.samples(local(tables("german")), ["de"])
    assert letter.sample(choice, [Response("", "B")]) == (1.0,)
    assert letter.sample(question, [Response("", "B")]) == ()
    verdict = Response("", "{'pred': 'yes', 'score': 5}")
    assert judge.sample(choice, [verdict]) == ()
    assert judge.sample(question, [verdict]) == (1.0,)
    assert fidelity.sample(choice, [Response("", "Eine Antwort auf Deutsch")]) == ()


@pytest.mark.parametrize("kind", ["vimulmcq", "vimuloe"])
def test_both_configurations_are_part_of_the_data_set(local: Local, kind: str) -> None:
    given = {name: rows for name, rows in tables("german").items() if kind not in name}
    with pytest.raises(DataError, match=f"no {kind}_german/test.jsonl or {kind}_german/test.parq"):
        list(TASK.samples(local(given), ["de"]))


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [("option", "A. Nach links", "a list of texts"), ("answer", None, "a text")],
)
def test_a_field_that_is_something_else_is_refused(
    local: Local, column: str, value: object, wanted: str
) -> None:
    source = local(tables("german", row={**ROW, column: value}))
    with pytest.raises(DataError, match=f"column {column}: wanted {wanted}, found"):
        list(TASK.samples(source, ["de"]))


@pytest.mark.parametrize(
    ("language", "english"),
    [
        ("ar", "arabic"),
        ("bn", "bengali"),
        ("zh", "chinese"),
        ("en", "english"),
        ("fr", "french"),
        ("de", "german"),
        ("hi", "hindi"),
        ("ja", "japanese"),
        ("ru", "russian"),
        ("si", "sinhala"),
        ("es", "spanish"),
        ("sv", "swedish"),
        ("ta", "tamil"),
        ("ur", "urdu"),
    ],
)
def test_each_language_reads_its_configuration(local: Local, language: str, english: str) -> None:
    choice, question = TASK.samples(local(tables(english)), [language])
    assert choice.language == question.language == language
    assert choice.prompt[0].parts[1] == Text(PROMPT)
    assert question.prompt[0].parts[1] == Text(OPEN_PROMPT)


def test_the_languages_are_those_of_the_benchmark() -> None:
    wanted = {"ar", "bn", "zh", "en", "fr", "de", "hi", "ja", "ru", "si", "es", "sv", "ta", "ur"}
    assert set(TASK.languages) == wanted
    assert len(TASK.languages) == 14


@pytest.mark.parametrize("name", ["clip.mp4", "../clip.mp4"])
def test_a_clip_is_found_from_the_top_or_beside_the_rows(local: Local, name: str) -> None:
    """On the hub a clip is named from the repository's top, below its configuration or not."""
    source = local(tables("german", row={**ROW, "mint_video_id": name}))
    sample, _ = TASK.samples(source, ["de"])
    assert sample.prompt[0].parts[0] == video_file(source.folder / "clip.mp4")


def test_one_clip_in_two_languages_is_one_cluster(local: Local) -> None:
    source = local(tables("german", "french"))
    clusters = {sample.cluster for sample in TASK.samples(source, ["de", "fr"])}
    assert clusters == {video_file(source.folder / "clip.mp4").sha256}
