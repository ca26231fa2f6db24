"""`towereval data translate-benchmark`: a folder of local data, parallel across languages."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sacrebleu import corpus_bleu, sentence_bleu

from tests.chat_server import ChatServer, refusal
from tests.corpus.corpora import asked_text, picture, translated, write
from tests.test_cli import towereval
from towereval import plugins
from towereval.corpus.agreement import Agreement
from towereval.corpus.benchmark import Built, Job, build
from towereval.corpus.benchmark_sets import SETS, YES_OR_NO, find_set
from towereval.corpus.translate import Translator
from towereval.data.folder import FolderSource
from towereval.errors import DataError, UnknownName, UsageError
from towereval.metrics.yes_no import verdict
from towereval.progress import Silence
from towereval.types import Dataset

END = " Please answer yes or no."


def mme(folder: Path) -> Path:
    picture(folder / "data" / "images" / "1.png")
    rows = [
        {"question_id": "count/1.png", "image": "images/1.png", "category": "count", **said}
        for said in (
            {"question": f"Is there one dog?{END}", "answer": "Yes"},
            {"question": f"Are there 3 dogs?{END}", "answer": "No"},
        )
    ]
    write(folder / "data" / "test.jsonl", *rows)
    return folder


def job(folder: Path, first: Translator, name: str = "mme", **changes: Any) -> Job:
    settings: dict[str, Any] = {"languages": ("de", "fr"), **changes}
    return Job(name, find_set(name, None), FolderSource(folder), first=first, **settings)


def made(job: Job, output: Path) -> Built:
    return build(job, output, Silence())


def rows(folder: Path, language: str) -> list[dict[str, Any]]:
    dataset = Dataset("", language, media=("image",))
    return [dict(row) for _, row in FolderSource(folder).rows(dataset)]


def test_each_language_is_a_split_of_local_data(tmp_path: Path, translator: Translator) -> None:
    built = made(job(mme(tmp_path / "mme"), translator), tmp_path / "out")
    assert (built.rows, built.translated, built.failed) == (2, {"de": 2, "fr": 2}, 0)
    english, german = rows(tmp_path / "out", "en"), rows(tmp_path / "out", "de")
    assert [one["question"] for one in english] == [
        f"Is there one dog?{END}",
        f"Are there 3 dogs?{END}",
    ]
    # The sentence that asks for yes or no is the same whoever translates.
    assert [one["question"] for one in german] == [
        "[German] Is there one dog? Bitte antworten Sie mit „ja“ oder „nein“.",
        "[German] Are there 3 dogs? Bitte antworten Sie mit „ja“ oder „nein“.",
    ]
    for ours, theirs in zip(german, english, strict=True):
        assert {**ours, "question": ""} == {**theirs, "question": ""}
        assert ours["image"].read_bytes() == (tmp_path / "mme/data/images/1.png").read_bytes()
    assert len(list((tmp_path / "out" / "images").iterdir())) == 1
    report = json.loads((tmp_path / "out" / "translation.json").read_text())
    assert report["translators"][0].startswith("t@")
    assert report["languages"]["de"] == {"translated": 2, "missing": 0}


def test_options_keep_their_letters(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    picture(tmp_path / "mmb" / "en" / "1.png")
    row = {"index": 7, "question": "Which?", "hint": "nan", "A": "a cat", "B": "12", "C": None}
    more = {"D": "a dog", "answer": "D", "image": "1.png", "category": "x"}
    turned = {**row, **more, "index": 1_000_007, "A": "a dog"}
    write(tmp_path / "mmb" / "en" / "dev.jsonl", {**row, **more}, turned)
    made(job(tmp_path / "mmb", translator, "mmbench", languages=("zh",)), tmp_path / "out")
    [found] = rows(tmp_path / "out", "zh")
    assert {key: found[key] for key in ("index", "answer", "hint", "B", "C")} == {
        "index": 7,
        "answer": "D",
        "hint": "nan",
        "B": "12",
        "C": None,
    }
    assert (found["A"], found["D"]) == ("[Chinese] a cat", "[Chinese] a dog")
    assert sorted(asked_text(one)[1] for one in server.asked) == ["Which?", "a cat", "a dog"]


def test_the_tasks_read_what_was_built(tmp_path: Path, translator: Translator) -> None:
    made(job(mme(tmp_path / "mme"), translator), tmp_path / "out")
    [sample] = plugins.load_task("mme@lrm").samples(FolderSource(tmp_path / "out"), ["fr"])
    assert sample.references == ("yes", "no")
    assert sample.meta["first"].startswith("[French] Is there one dog? Veuillez répondre")


@pytest.mark.parametrize("language", sorted(SETS["mme"].fixed[YES_OR_NO]))
def test_the_words_asked_for_are_those_that_are_read(language: str) -> None:
    words = re.findall(r"[^\W\d_]+", SETS["mme"].fixed[YES_OR_NO][language].casefold())
    if language == "zh":
        words = re.findall("“(.)”", SETS["mme"].fixed[YES_OR_NO]["zh"])
    for says in (True, False):
        assert any(verdict(word, language) is says for word in words)


def test_lists_and_chosen_rows(tmp_path: Path, translator: Translator) -> None:
    columns = tmp_path / "columns.json"
    columns.write_text('{"split": "dev", "texts": ["question", "options"]}')
    write(tmp_path / "set" / "dev.jsonl", {"id": 1, "question": "Q?", "options": ["up", "3", "on"]})
    known = find_set("quiz", columns)
    ours = Job("quiz", known, FolderSource(tmp_path / "set"), ("it",), translator)
    made(ours, tmp_path / "out")
    assert rows(tmp_path / "out", "it") == [
        {"id": 1, "question": "[Italian] Q?", "options": ["[Italian] up", "3", "[Italian] on"]}
    ]
    picture(tmp_path / "seed" / "1.png")
    seed = {"question": "Q?", **{f"choice_{one}": one * 2 for one in "abcd"}, "image": ["1.png"]}
    still = [{**seed, "data_type": kind, "n": n} for n, kind in enumerate(("video", "image"))]
    write(tmp_path / "seed" / "test.jsonl", *still)
    built = made(job(tmp_path / "seed", translator, "seedbench"), tmp_path / "still")
    [row] = rows(tmp_path / "still", "de")
    assert (built.rows, row["n"]) == (1, 1)
    assert [one.read_bytes() for one in row["image"]] == [
        (tmp_path / "seed" / "1.png").read_bytes()
    ]


def test_two_translators_agree_as_sacrebleu_says(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    said = {
        "one": ("der eine kleine Hund läuft dort", "der eine kleine Hund läuft dort"),
        "two": ("das ist ein ganz anderer Satz hier", "niemand hat etwas gleiches gesagt"),
    }
    server.script = lambda asked: said[asked_text(asked)[1]][asked.body["model"] == "u"]
    columns = tmp_path / "columns.json"
    columns.write_text('{"texts": ["question"]}')
    write(tmp_path / "set" / "test.jsonl", *({"question": one} for one in said))
    known = find_set("quiz", columns)
    second = Translator("u", "openai", translator.engine_args)
    source = FolderSource(tmp_path / "set")
    ours = Job("quiz", known, source, ("de",), translator, second, least=50.0)
    built = made(ours, tmp_path / "out")
    first, other = zip(*said.values(), strict=True)
    assert built.agreements["de"].bleu == pytest.approx(corpus_bleu(first, [other]).score)
    report = json.loads((tmp_path / "out" / "translation.json").read_text())["languages"]["de"]
    assert report["bleu"] == pytest.approx(corpus_bleu(first, [other]).score)
    assert "tok:13a" in report["signature"]
    [flagged] = map(json.loads, (tmp_path / "out" / "flagged.jsonl").read_text().splitlines())
    expected = sentence_bleu(first[1], [other[1]]).score
    assert flagged == {
        "language": "de",
        "row": "1",
        "bleu": round(expected, 2),
        "english": ["two"],
        "first": [first[1]],
        "second": [other[1]],
    }
    assert built.flagged == {"de": 1}
    assert len(rows(tmp_path / "out", "de")) == 2  # flagged, not dropped


def test_what_the_second_translator_misses_is_told(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    server.script = lambda asked: (
        refusal(400, "no")
        if asked.body["model"] == "u" and "dogs" in asked.text
        else translated(asked)
    )
    second = Translator("u", "openai", translator.engine_args)
    ours = job(mme(tmp_path / "mme"), translator, languages=("de",), second=second, least=50.0)
    built = made(ours, tmp_path / "out")
    assert (built.translated, built.unpaired, built.failed) == ({"de": 2}, {"de": 1}, 1)
    assert built.agreements["de"].texts == 1
    report = json.loads((tmp_path / "out" / "translation.json").read_text())
    assert report["languages"]["de"]["unpaired"] == 1


@pytest.mark.parametrize(
    ("language", "tokenizer"), [("zh", "zh"), ("zh-Hant", "zh"), ("ja", "char"), ("ko", "13a")]
)
def test_each_language_has_its_tokenizer(language: str, tokenizer: str) -> None:
    agreement = Agreement(language)
    one, other = "今日は天気がいいです", "今日は天気がよいです"
    assert agreement.bleu is None
    agreement.add(["a", "3"], [one, "3"], [other, "3"])
    assert agreement.texts == 1
    expected = corpus_bleu([one], [[other]], tokenize=tokenizer).score
    assert agreement.bleu == pytest.approx(expected)
    assert f"tok:{tokenizer}" in agreement.signature


def test_a_failed_row_is_missing_in_its_language_alone(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    server.script = lambda asked: (
        refusal(400, "no") if "French" in asked.text and "one" in asked.text else translated(asked)
    )
    folder = mme(tmp_path / "mme")
    built = made(job(folder, translator), tmp_path / "out")
    assert (built.missing, built.failed) == ({"fr": 1}, 1)
    counts = [len(rows(tmp_path / "out", code)) for code in ("en", "de", "fr")]
    assert counts == [2, 2, 1]
    server.script = translated
    server.asked.clear()
    assert made(job(folder, translator), tmp_path / "out").failed == 0
    assert [asked_text(one)[1] for one in server.asked] == ["Is there one dog?"]
    assert len(rows(tmp_path / "out", "fr")) == 2


def test_what_cannot_be_built_is_refused(tmp_path: Path, translator: Translator) -> None:
    folder = mme(tmp_path / "mme")
    with pytest.raises(UnknownName, match="benchmark to translate 'mmee'"):
        find_set("mmee", None)
    with pytest.raises(UsageError, match="no fixed translation into ka"):
        made(job(folder, translator, languages=("de", "ka")), tmp_path / "out")
    with pytest.raises(UsageError, match="without en"):
        made(job(folder, translator, languages=("en",)), tmp_path / "out")
    with pytest.raises(DataError, match="mmbench: the data has no column 'hint'"):
        write(tmp_path / "mmb" / "en" / "dev.jsonl", {"index": 1, "question": "Q?"})
        made(job(tmp_path / "mmb", translator, "mmbench"), tmp_path / "out")
    columns = tmp_path / "columns.json"
    for text in ("[]", '{"texts": "question"}', '{"texts": ["q"], "splt": "x"}', "{"):
        columns.write_text(text)
        with pytest.raises(UsageError, match="--columns"):
            find_set("quiz", columns)


def test_the_command(tmp_path: Path, server: ChatServer) -> None:
    mme(tmp_path / "mme")
    served = ("--engine", "openai", "--engine-args", f"base_url={server.url}")
    again = ("--second-engine", "openai", "--second-engine-args", f"base_url={server.url}")
    done = towereval(
        *("data", "translate-benchmark", "mme", "--to", "cs,zh", "--model", "t", *served),
        *("--second-model", "u", *again, "--min-bleu", "50"),
        *("--data", "mme=mme", "--output", "out"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].split()[:5] == ["cs", "2", "0", "0", "100.00"]
    assert "tok:zh" in lines[2]
    assert lines[-1] == "2 rows, out"
