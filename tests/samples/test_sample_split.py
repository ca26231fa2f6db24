"""The bundled sample split: enough of every task to try it, in many languages and scripts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import decode_image, decode_video
from towereval.languages import LANGUAGES
from towereval.plan import SAMPLES
from towereval.types import Image, Sample, Text, Video

NAMES = (
    *("alm_bench", "babel_imagenet_mc", "cc_ocr", "commute", "cvqa", "m3exam"),
    *("m5_vgr", "m5_vlod", "marvl", "maxm", "mmbench", "mme"),
    *("mtvqa", "multi30k", "ocrbench", "pope", "seedbench", "smpqa"),
    *("textvqa", "vimul_bench", "xgqa", "xm3600", "xmmmu", "xvnli"),
)
VARIANTS = [f"{task.name}@{task.variant}" for name in NAMES for task in plugins.load_tasks(name)]
MEDIA = (".png", ".jpg", ".mp4")
# The authors' logged runs knew the word for "options" of these languages, and of some French rows.
LOGGED = {"de", "en", "es", "it", "ko", "nl", "pt", "ru"}
# Fewest languages and scripts of a sample split; two benchmarks are English, one has four scripts.
SPREAD = {
    "alm_bench": (23, 6),
    "babel_imagenet_mc": (20, 7),
    "cc_ocr": (7, 3),
    "commute": (6, 4),
    "cvqa": (31, 12),
    "m3exam": (7, 3),
    "m5_vgr": (12, 6),
    "m5_vlod": (12, 6),
    "marvl": (6, 3),
    "maxm": (7, 5),
    "mmbench": (1, 1),
    "mme": (1, 1),
    "mtvqa": (9, 6),
    "multi30k": (3, 1),
    "ocrbench": (1, 1),
    "pope": (1, 1),
    "seedbench": (1, 1),
    "smpqa": (11, 7),
    "textvqa": (1, 1),
    "vimul_bench": (14, 8),
    "xgqa": (8, 5),
    "xm3600": (36, 12),
    "xmmmu": (7, 4),
    "xvnli": (5, 3),
}


def samples(reference: str) -> tuple[Sample, ...]:
    task = plugins.load_task(reference)
    return tuple(task.samples(FolderSource(SAMPLES / task.name), task.languages))


def media(reference: str) -> set[Image | Video]:
    parts = (part for sample in samples(reference) for part in sample.prompt[0].parts)
    return {part for part in parts if not isinstance(part, Text)}


def test_every_task_has_a_sample_split() -> None:
    assert sorted(plugins.names("tasks")) == sorted(NAMES)
    assert sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()) == sorted(NAMES)


@pytest.mark.parametrize("reference", VARIANTS)
def test_there_are_enough_samples_to_try(reference: str) -> None:
    assert len(samples(reference)) >= 24


@pytest.mark.parametrize("name", NAMES)
def test_it_has_all_languages_and_many_scripts(name: str) -> None:
    task = plugins.load_task(name)
    found = {sample.language for sample in samples(name)}
    assert found == set(task.languages)
    least = (len(found), len({LANGUAGES[code].script for code in found}))
    assert least >= SPREAD[name]
    assert least[1] >= SPREAD[name][1]


@pytest.mark.parametrize("reference", VARIANTS)
def test_sample_ids_are_unique(reference: str) -> None:
    ids = [(sample.language, sample.id) for sample in samples(reference)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("reference", VARIANTS)
def test_every_sample_has_a_reference_and_a_cluster(reference: str) -> None:
    for sample in samples(reference):
        assert sample.cluster
        assert all(sample.references)
        if reference != "alm_bench@towervision-text" or sample.language in LOGGED:
            assert sample.references


@pytest.mark.parametrize("name", [name for name in NAMES if name != "vimul_bench"])
def test_every_picture_can_be_decoded(name: str) -> None:
    pictures = [part for part in media(name) if isinstance(part, Image)]
    assert len(pictures) >= 8
    for picture in pictures:
        shown = decode_image(picture)
        assert min(shown.size) >= 64
        assert max(high - low for low, high in shown.getextrema()) > 50  # something is drawn on it


def test_every_clip_can_be_decoded() -> None:
    clips = [part for part in media("vimul_bench") if isinstance(part, Video)]
    assert len(clips) >= 2
    for clip in clips:
        shown = decode_video(clip, 8)
        assert shown.total >= 8
        assert shown.indices[0] == 0
        assert shown.indices[-1] == shown.total - 1
        first, last = shown.frames_THWC[0], shown.frames_THWC[-1]
        assert (first != last).any()  # something moves in it


def test_gold_letters_are_among_the_options() -> None:
    for sample in samples("alm_bench"):
        (letter,) = sample.references
        assert letter in "ABCDEFGH"[: len(sample.choices)]
        assert len(set(sample.choices)) == len(sample.choices) >= 2
    for sample in samples("vimul_bench"):
        (letter,) = sample.references
        if sample.group == "mcq":
            assert letter in [option[0] for option in sample.choices]
            assert [option[:3] for option in sample.choices] == ["A. ", "B. ", "C. ", "D. "]


def test_gold_texts_are_among_the_options() -> None:
    letters = {(one.language, one.id): one.references[0] for one in samples("alm_bench")}
    for sample in samples("alm_bench@towervision-text"):
        letter = letters[sample.language, sample.id]
        if sample.references:
            assert sample.choices["ABCDEFGH".index(letter)] == sample.references[0]


def test_gold_letters_are_not_always_the_same() -> None:
    for name in ("alm_bench", "vimul_bench"):
        letters = [sample.references[0] for sample in samples(name) if sample.choices]
        assert max(letters.count(letter) for letter in "ABCD") <= len(letters) / 2


def test_each_language_has_all_types_of_open_questions() -> None:
    official = samples("alm_bench@official")
    assert len({sample.language for sample in official}) >= 6
    assert len({LANGUAGES[sample.language].script for sample in official}) >= 3
    kinds = Counter((sample.language, sample.group) for sample in official)
    for language in {sample.language for sample in official}:
        one_each = ("Long Question", "Short Questions", "True False Question")
        assert [kinds[language, kind] for kind in one_each] == [1, 1, 1]
        assert kinds[language, "Multiple Choice Questions"] >= 2
    spoken = [one.language for one in samples("vimul_bench") if one.group == "open"]
    assert spoken == list(plugins.load_task("vimul_bench").languages)


def test_long_answers_are_longer_than_short_ones() -> None:
    lengths: dict[str, set[int]] = {}
    for sample in samples("alm_bench@official"):
        lengths.setdefault(sample.group, set()).add(len(sample.references[0]))
    assert min(lengths["Long Question"]) > max(lengths["Short Questions"])


def test_commute_rows_come_in_pairs() -> None:
    rows = samples("commute")
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert first.choices == second.choices[::-1]
        assert first.cluster == second.cluster
        assert first.prompt[0].parts[0] != second.prompt[0].parts[0]
        assert first.choices[0] != first.choices[1]


def test_it_is_small_and_holds_no_other_files() -> None:
    files = [path for path in SAMPLES.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 3_000_000
    assert {path.suffix for path in files} <= {".jsonl", ".md", *MEDIA}


@pytest.mark.parametrize("name", NAMES)
def test_every_media_file_is_used(name: str) -> None:
    """cc_ocr keeps its pictures inside the rows."""
    files = {path for path in (SAMPLES / name).rglob("*") if path.suffix in MEDIA}
    used = {Path(part.source) for part in media(name)}
    assert files == {path for path in used if path.is_relative_to(SAMPLES)}


@pytest.mark.parametrize("name", NAMES)
def test_rows_have_one_set_of_columns(name: str) -> None:
    columns = {
        tuple(json.loads(line))
        for file in (SAMPLES / name).rglob("*.jsonl")
        for line in file.read_text("utf-8").split("\n")
        if line
    }
    options = ("mint_video_id", "category", "question", "option", "answer")
    if name == "vimul_bench":
        assert columns == {options, tuple(column for column in options if column != "option")}
    else:
        assert len(columns) == 1
