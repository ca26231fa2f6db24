"""ViMUL-Bench: a clip, its options in the data's order, and the letter that is wanted."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import video_file
from towereval.types import Decoding, Message, Request, Sample, Text

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


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"vimulmcq_german/test.jsonl": [ROW]})
    clip = video_file(source.folder / "clip.mp4")
    (sample,) = TASK.samples(source, ["de"])
    assert sample == Sample(
        id="0",
        language="de",
        prompt=(Message("user", (clip, Text(PROMPT))),),
        references=("B",),
        choices=("A. Nach links", "B. Nach rechts", "C. Nach oben", "D. Nach unten"),
        cluster=clip.sha256,
    )
    assert list(TASK.requests(sample)) == [
        Request("0", sample.prompt, Decoding(max_tokens=16, stop=()))
    ]


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
    source = local({f"vimulmcq_{english}/test.jsonl": [ROW]})
    (sample,) = TASK.samples(source, [language])
    assert sample.language == language
    assert sample.prompt[0].parts[1] == Text(PROMPT)


def test_the_languages_are_those_of_the_benchmark() -> None:
    wanted = {"ar", "bn", "zh", "en", "fr", "de", "hi", "ja", "ru", "si", "es", "sv", "ta", "ur"}
    assert set(TASK.languages) == wanted
    assert len(TASK.languages) == 14


@pytest.mark.parametrize("name", ["clip.mp4", "../clip.mp4"])
def test_a_clip_is_found_from_the_top_or_beside_the_rows(local: Local, name: str) -> None:
    """On the hub a clip is named from the repository's top, below its configuration or not."""
    source = local({"vimulmcq_german/test.jsonl": [{**ROW, "mint_video_id": name}]})
    (sample,) = TASK.samples(source, ["de"])
    assert sample.prompt[0].parts[0] == video_file(source.folder / "clip.mp4")


def test_one_clip_in_two_languages_is_one_cluster(local: Local) -> None:
    configurations = ("german", "french")
    source = local({f"vimulmcq_{name}/test.jsonl": [ROW] for name in configurations})
    first, second = TASK.samples(source, ["de", "fr"])
    assert first.cluster == second.cluster != ""
