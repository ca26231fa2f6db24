"""ALM-Bench: what is asked in both variants, the gold letter, and which rows are left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towereval import plugins
from towereval.bridges.lmms_eval import LogSource, find_logs, read_log
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError
from towereval.types import Decoding, Message, Request, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK, TEXT_TASK, OFFICIAL_TASK = (
    plugins.load_task(f"alm_bench@{variant}")
    for variant in ("towervision", "towervision-text", "official")
)

ROW: dict[str, object] = {
    "file_name": "red.png",
    "ID": "007_7_03_002",
    "Language": "German",
    "Category": "Clothing",
    "Question_Type": "Multiple Choice Questions",
    "English_Question": "Which dress is it?",
    "English_Answer": "Dirndl (Options: Dirndl, Lederhosen, Sari, Kimono)",
    "Translated_Question": "Welches Kleid ist das?",
    "Translated_Answer": "Dirndl (Optionen: Lederhosen, Dirndl, Sari, Kimono)",
    "Image_Url": "https://example.invalid/dirndl.jpg",
}
LETTER_PROMPT = (
    "For the given Multiple Choice Question Answer below, analyze the question and answer strictly"
    " from one of the options below. End your answer with 'Final Answer: <your answer>' where <your"
    " answer> is strictly the choice letter only. Provide brief, clear responses in German"
    " language. The image represents the Clothing in Germany Welches Kleid ist das?\n"
    "A) Lederhosen\nB) Dirndl\nC) Sari\nD) Kimono"
)
TEXT_PROMPT = (
    "For the given Multiple Choice Question Answer below, analyze the question and answer strictly"
    " from one of the options below. Strictly answer the choice only. No additional text. Welches"
    " Kleid ist das?\nLederhosen\nDirndl\nSari\nKimono"
)
# Language -> the data set's split and the country that the prompt names: `country_map` in the
# authors' fork, deep-spin/lmms-eval a98cfe3d.
SPLITS = {
    "de": ("German", "Germany"),
    "es": ("Spanish", "Spain"),
    "fr": ("French", "France"),
    "it": ("Italian", "Italy"),
    "ko": ("Korean", "South Korea"),
    "nl": ("Dutch", "Netherlands"),
    "ru": ("Russian", "Russia"),
    "en": ("English", "United States"),
    "pt": ("Portuguese", "Portugal"),
    "zh-Hans": ("chinese_simplified", "China"),
    "zh-Hant": ("chinese_traditional", "Taiwan"),
    "is": ("Icelandic", "Iceland"),
    "cs": ("Czech", "Czech Republic"),
    "uk": ("Ukrainian", "Ukraine"),
    "hi": ("Hindi", "India"),
    "ja": ("Japanese", "Japan"),
    "pl": ("Polish", "Poland"),
    "sv": ("Swedish", "Sweden"),
    "hu": ("Hungarian", "Hungary"),
    "ro": ("Romanian", "Romania"),
    "da": ("Danish", "Denmark"),
    "no": ("Norwegian", "Norway"),
    "fi": ("Finnish", "Finland"),
}


def asked(sample: Sample) -> str:
    _, text = sample.prompt[0].parts
    assert isinstance(text, Text)
    return text.text


@pytest.mark.parametrize(
    ("task", "prompt", "gold", "tokens"),
    [(TASK, LETTER_PROMPT, "B", 1024), (TEXT_TASK, TEXT_PROMPT, "Dirndl", 128)],
    ids=["towervision", "towervision-text"],
)
def test_a_row_becomes_a_sample_and_one_request(
    local: Local, task: Any, prompt: str, gold: str, tokens: int
) -> None:
    source = local({"German.jsonl": [ROW]})
    (sample,) = task.samples(source, ["de"])
    picture = image_file(source.folder / "red.png")
    assert sample == Sample(
        id="0",
        language="de",
        prompt=(Message("user", (picture, Text(prompt))),),
        references=(gold,),
        choices=("Lederhosen", "Dirndl", "Sari", "Kimono"),
        cluster="https://example.invalid/dirndl.jpg",
        meta={"ID": "007_7_03_002", "Category": "Clothing"},
    )
    assert list(task.requests(sample)) == [
        Request("0", sample.prompt, Decoding(max_tokens=tokens, temperature=0.0, stop=()))
    ]


def test_the_languages_are_those_of_the_paper() -> None:
    for task in (TASK, TEXT_TASK, OFFICIAL_TASK):
        assert task.languages == tuple(SPLITS)


@pytest.mark.parametrize("language", SPLITS)
def test_each_language_reads_its_split_and_names_its_country(local: Local, language: str) -> None:
    split, country = SPLITS[language]
    english = "Chinese (Simplified)" if split == "chinese_simplified" else split
    source = local({f"{split}.jsonl": [{**ROW, "Language": english}]})
    (sample,) = TASK.samples(source, [language])
    assert sample.language == language
    named = f" responses in {english} language. The image represents the Clothing in {country} W"
    assert named in asked(sample)


@pytest.mark.parametrize("kind", ["True False Question", "Long Question", "Short Questions", ""])
def test_other_question_types_are_left_out(local: Local, kind: str) -> None:
    source = local({"German.jsonl": [{**ROW, "Question_Type": kind}, ROW]})
    for task in (TASK, TEXT_TASK):
        assert [sample.id for sample in task.samples(source, ["de"])] == ["1"]


def test_questions_about_one_picture_share_an_id_and_a_cluster(local: Local) -> None:
    rows = [ROW, {**ROW, "Translated_Question": "Woher?"}, {**ROW, "Image_Url": ""}]
    samples = list(TASK.samples(local({"German.jsonl": rows}), ["de"]))
    assert [sample.id for sample in samples] == ["0", "1", "2"]
    assert [sample.meta["ID"] for sample in samples] == ["007_7_03_002"] * 3
    assert samples[0].cluster == samples[1].cluster == ROW["Image_Url"]
    picture = samples[2].prompt[0].parts[0]
    assert not isinstance(picture, Text)
    assert samples[2].cluster == picture.sha256 != ""


@pytest.mark.parametrize(
    ("answer", "letter", "choices"),
    [
        (" Oui (choix : Non, Oui ) ", "B", ("Non", "Oui")),
        ("3つ（選択肢：2つ、3つ、4つ）。", "B", ("2つ", "3つ", "4つ")),
        ("春节 (选项：中秋节，春节)", "B", ("中秋节", "春节")),
        (
            "Reis, gekocht (Optionen: Brot, Reis, gekocht, Tee)",
            "B",
            ("Brot", "Reis, gekocht", "Tee"),
        ),
        # A number is cut at its comma, as it is in the authors' harness.
        ("1,000 (Options: 10, 1,000)", "C", ("10", "1", "000")),
        ("Dirndel. (Optionen: Sari, Dirndl)", "B", ("Sari", "Dirndl")),
        ("борщ (Варіанти: борщ, каша)", "A", ("борщ", "каша")),
    ],
)
def test_the_gold_letter_is_the_option_most_like_the_answer(
    local: Local, answer: str, letter: str, choices: tuple[str, ...]
) -> None:
    source = local({"German.jsonl": [{**ROW, "Translated_Answer": answer}]})
    (sample,) = TASK.samples(source, ["de"])
    assert (sample.references, sample.choices) == ((letter,), choices)
    assert [line[:2] for line in asked(sample).split("\n")[1:]] == ["A)", "B)", "C)"][
        : len(choices)
    ]


def test_a_row_without_options_is_asked_but_has_no_gold(local: Local) -> None:
    """The authors' runs asked it too, with the word None in place of the options."""
    source = local({"German.jsonl": [{**ROW, "Translated_Answer": "Dirndl"}]})
    for task, end in (
        (TASK, "Welches Kleid ist das?\n"),
        (TEXT_TASK, "Welches Kleid ist das?\nNone"),
    ):
        (sample,) = task.samples(source, ["de"])
        assert sample.references == ()
        assert sample.choices == ()
        assert asked(sample).endswith(end)


OFFICIAL_CHOICE = (
    "For the given Multiple Choice Question, analyze the question and answer strictly from one of"
    " the options below. Strictly answer the choice only. No additional text.\nWelches Kleid ist"
    " das?\nOptionen: Lederhosen, Dirndl, Sari, Kimono"
)


@pytest.mark.parametrize(
    ("kind", "answer", "prompt"),
    [
        ("Multiple Choice Questions", ROW["Translated_Answer"], OFFICIAL_CHOICE),
        (
            "True False Question",
            "Falsch",
            "Welches Kleid ist das?\nThe above question is a True/False question. Please provide"
            " the answer as one word in German",
        ),
        (
            "Long Question",
            "Ein Dirndl.",
            "Welches Kleid ist das?\nAnswer the question in detail in German language.",
        ),
        (
            "Short Questions",
            "Dirndl",
            "Welches Kleid ist das?\nPlease provide brief, clear responses in German language.",
        ),
    ],
)
def test_the_official_variant_asks_all_question_types(
    local: Local, kind: str, answer: str, prompt: str
) -> None:
    source = local({"test.jsonl": [{**ROW, "Question_Type": kind, "Translated_Answer": answer}]})
    (sample,) = OFFICIAL_TASK.samples(source, OFFICIAL_TASK.languages)
    picture = image_file(source.folder / "red.png")
    assert sample == Sample(
        id="0",
        language="de",
        prompt=(Message("user", (picture, Text(prompt))),),
        references=(answer,),
        group=kind,
        cluster="https://example.invalid/dirndl.jpg",
        meta={
            "ID": "007_7_03_002",
            "Question_Type": kind,
            "Question": "Welches Kleid ist das?",
        },
    )
    assert list(OFFICIAL_TASK.requests(sample)) == [
        Request("0", sample.prompt, Decoding(max_tokens=2048, stop=()))
    ]


def test_the_official_variant_takes_its_languages_from_one_split(local: Local) -> None:
    named = ["Chinese (Simplified)", "Amharic", "German", "Chinese (Traditional)", "Norwegian"]
    source = local({"test.jsonl": [{**ROW, "Language": language} for language in named]})
    everything = OFFICIAL_TASK.samples(source, OFFICIAL_TASK.languages)
    assert [(sample.id, sample.language) for sample in everything] == [
        ("0", "zh-Hans"),
        ("2", "de"),
        ("3", "zh-Hant"),
        ("4", "no"),
    ]
    some = OFFICIAL_TASK.samples(source, ["no", "de"])
    assert [sample.language for sample in some] == ["de", "no"]


@pytest.mark.parametrize("column", ["Language", "Question_Type"])
def test_an_official_column_that_is_no_text_is_named(local: Local, column: str) -> None:
    source = local({"test.jsonl": [{**ROW, column: ["German"]}]})
    with pytest.raises(DataError, match=f"column {column}: wanted a text, found list"):
        list(OFFICIAL_TASK.samples(source, OFFICIAL_TASK.languages))


def test_the_official_variant_leaves_out_a_choice_without_options(local: Local) -> None:
    source = local({"test.jsonl": [{**ROW, "Translated_Answer": "Dirndl"}, ROW]})
    samples = OFFICIAL_TASK.samples(source, OFFICIAL_TASK.languages)
    assert [sample.id for sample in samples] == ["1"]


@pytest.mark.parametrize(
    "checkpoint", ["towerp_2b_base_english", "towerp_2b_instruct", "towerp_9b_instruct"]
)
def test_the_prompts_are_those_of_the_authors_logs(shared: Path, checkpoint: str) -> None:
    logs, _ = find_logs(shared / "data/towervision_logs" / checkpoint / "alm_bench-all")
    counts = {}
    for log in logs:
        counts[log.language] = 0
        for index, row in read_log(log):
            (sample,) = TEXT_TASK.samples(LogSource(log, index, row), [log.language])
            assert asked(sample) == row["input"]
            assert sample.references == (() if row["target"] == "None" else (row["target"],))
            counts[log.language] += 1
    assert counts == {
        "de": 58,
        "en": 64,
        "es": 76,
        "fr": 52,
        "it": 60,
        "ko": 72,
        "nl": 30,
        "pt": 62,
        "ru": 58,
    }
