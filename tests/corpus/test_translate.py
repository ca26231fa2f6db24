"""`towereval data translate`: what is asked, what is kept, and that nothing is translated by ""."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chat_server import Asked, ChatServer, Reply, completion, refusal
from tests.corpus.corpora import asked_text, records, row, shown, translated, write
from tests.test_cli import MAIN, surroundings, towereval
from towereval.corpus.records import Slot, Translation
from towereval.corpus.translate import Translator
from towereval.corpus.translated_records import Counts, translate_file
from towereval.errors import DataError, EngineError, UnknownName, UsageError
from towereval.progress import Silence
from towereval.types import Text


def translate(file: Path, output: Path, translator: Translator, *languages: str) -> Counts:
    return translate_file(file, languages or ("de",), translator, output, Silence())


def test_records_come_in_each_language_with_their_places_and_origin(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    file = write(tmp_path / "en.jsonl", shown("1", "1.png", "<image>\nWhat?"), row("2"))
    counts = translate(file, tmp_path / "out.parquet", translator, "de", "pt-BR")
    assert (counts.translated, counts.failed) == ({"de": 2, "pt-BR": 2}, 0)
    found = records(tmp_path / "out.parquet")
    assert [(one.id, one.language) for one in found] == [
        *(("1-de", "de"), ("1-pt-BR", "pt-BR")),
        *(("2-de", "de"), ("2-pt-BR", "pt-BR")),
    ]
    [question, answer] = found[0].messages
    # The line break that parts the question from the picture is no part of what is translated.
    assert question.parts == (Slot.IMAGE, Text("\n[German] What?"))
    assert answer.text == "[German] A red circle, number 1."
    source = records(file)[0]
    assert (found[0].images, found[0].source) == (source.images, "Drawings")
    assert found[0].origin == "translated"
    translation = found[0].translation
    assert translation is not None
    assert translation.model.startswith("t@")
    assert translation == Translation("1", "en", source.texts, translation.model)


def test_each_text_is_asked_once_and_greedily(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    file = write(tmp_path / "en.jsonl", row("1"), row("2"))
    translate(file, tmp_path / "out.jsonl", translator)
    assert sorted(asked_text(one) for one in server.asked) == [
        ("German", "A red circle, number 1."),
        ("German", "A red circle, number 2."),
        ("German", "Describe it."),
    ]
    assert {one.body["temperature"] for one in server.asked} == {0.0}


def test_what_has_no_letter_stays_and_is_not_asked(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    said = [{"role": "user", "content": "2 + 2 = ?"}, {"role": "assistant", "content": "4"}]
    file = write(tmp_path / "en.jsonl", row("1", messages=said))
    translate(file, tmp_path / "out.jsonl", translator)
    assert records(tmp_path / "out.jsonl")[0].texts == ("2 + 2 = ?", "4")
    assert server.asked == []


def test_a_record_in_the_language_is_passed_over(tmp_path: Path, translator: Translator) -> None:
    file = write(tmp_path / "en.jsonl", row("1", language="de"), row("2"))
    counts = translate(file, tmp_path / "out.jsonl", translator, "de", "fr")
    assert counts.translated == {"de": 1, "fr": 2}


def test_failed_ones_are_left_out_and_asked_again(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    def broken(asked: Asked) -> str | Reply:
        return refusal(400, "too hot") if "number 2" in asked.text else translated(asked)

    server.script = broken
    file = write(tmp_path / "en.jsonl", *(row(str(n)) for n in range(4)))
    counts = translate(file, tmp_path / "out.jsonl", translator)
    assert (counts.translated["de"], counts.missing["de"], counts.failed) == (3, 1, 1)
    assert "too hot" in next(iter(counts.reasons))
    assert [one.id for one in records(tmp_path / "out.jsonl")] == ["0-de", "1-de", "3-de"]

    server.script = translated
    server.asked.clear()
    counts = translate(file, tmp_path / "out.jsonl", translator)
    assert [asked_text(one)[1] for one in server.asked] == ["A red circle, number 2."]
    assert (counts.translated["de"], counts.failed) == (4, 0)
    assert [one.id for one in records(tmp_path / "out.jsonl")] == ["0-de", "1-de", "2-de", "3-de"]

    server.asked.clear()
    translate(file, tmp_path / "out.jsonl", replace(translator, model="another"))
    assert len(server.asked) == 5  # other answers than the first model's


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("  \n", "nothing"),
        (completion("Ein", usage={"completion_tokens": 32}), "the answer was cut at 32 tokens"),
    ],
)
def test_nothing_is_translated_by_an_empty_or_a_cut_answer(
    tmp_path: Path, server: ChatServer, translator: Translator, reply: str | Reply, reason: str
) -> None:
    server.script = lambda asked: reply if "number 1" in asked.text else translated(asked)
    file = write(tmp_path / "en.jsonl", row("1"), row("2"))
    counts = translate(file, tmp_path / "out.jsonl", translator)
    assert counts.missing["de"] == 1
    [told] = counts.reasons
    assert reason in told
    assert [one.id for one in records(tmp_path / "out.jsonl")] == ["2-de"]


def test_a_server_that_goes_away_leaves_what_was_answered(
    tmp_path: Path, server: ChatServer, translator: Translator
) -> None:
    file = write(tmp_path / "en.jsonl", row("1"))
    translate(file, tmp_path / "out.jsonl", translator)
    nobody = replace(translator, engine_args={"base_url": "http://127.0.0.1:9/v1"})
    before = (tmp_path / "out.jsonl").read_bytes()
    with pytest.raises(EngineError):
        translate(file, tmp_path / "out.jsonl", nobody)
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_what_cannot_be_translated_is_refused(tmp_path: Path, translator: Translator) -> None:
    file = write(tmp_path / "a.jsonl", row("1"), row("2", language="xx"), "{")
    with pytest.raises(UnknownName, match="unknown language 'dee'"):
        translate(file, tmp_path / "out.jsonl", translator, "dee")
    with pytest.raises(UnknownName, match="unknown language 'xx'"):
        translate(file, tmp_path / "out.jsonl", translator)
    file = write(tmp_path / "b.jsonl", row("1"), "{")
    with pytest.raises(DataError, match=":2: not JSON"):
        translate(file, tmp_path / "out.jsonl", translator)
    with pytest.raises(UsageError, match="records lie in"):
        translate(file, tmp_path / "out.txt", translator)
    with pytest.raises(UsageError, match="unknown engine"):
        translate(file, tmp_path / "out.jsonl", replace(translator, engine="vlm"))
    assert not (tmp_path / "out.jsonl").exists()


def test_what_was_answered_survives_a_kill(tmp_path: Path, server: ChatServer) -> None:
    def slow(asked: Asked) -> Reply:
        return replace(completion(translated(asked)), seconds=0.1)

    server.script = slow
    file = write(tmp_path / "en.jsonl", *(row(str(n)) for n in range(160)))
    words = ["data", "translate", str(file), "--to", "de", "--model", "t", "--engine", "openai"]
    words += ["--engine-args", f"base_url={server.url}", "--output", "out.jsonl"]
    command = [sys.executable, "-c", MAIN, *words]
    process = subprocess.Popen(command, cwd=tmp_path, env=surroundings(), stderr=subprocess.PIPE)
    for _ in range(600):
        if len(server.asked) > 100:
            break
        time.sleep(0.05)
    process.kill()
    process.communicate(timeout=180)
    assert not (tmp_path / "out.jsonl").exists()

    server.script = translated
    server.asked.clear()
    done = towereval(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "de: 160 translated\nout.jsonl\n"), done.stderr
    assert (
        0 < len(server.asked) < 140
    )  # of 161 texts; what came within the last half second is lost
    assert len(records(tmp_path / "out.jsonl")) == 160


def test_the_command(tmp_path: Path, server: ChatServer) -> None:
    server.script = lambda asked: (
        refusal(400, "no") if "number 2" in asked.text else translated(asked)
    )
    file = write(tmp_path / "en.jsonl", row("1"), row("2"))
    done = towereval(
        *("data", "translate", file, "--to", "de,fr", "--model", "t", "--output", "out.jsonl"),
        *("--engine", "openai", "--engine-args", f"base_url={server.url}"),
        cwd=tmp_path,
    )
    assert done.returncode == 4, done.stderr
    assert "de: 1 translated, 1 left out\nfr: 1 translated, 1 left out\n" in done.stdout
    assert "2 requests failed: the same command asks them again\nout.jsonl" in done.stdout
    assert "failed 2x:" in done.stderr
    assert len(records(tmp_path / "out.jsonl")) == 2
