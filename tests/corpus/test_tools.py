"""Census, video split, caption prompts and the filter: counts, shares, seeds, refusals."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import COMET_PYTHON
from tests.corpus.corpora import records, row, shown, write
from tests.test_cli import error_line, towereval
from towereval.corpus import caption_prompts, census
from towereval.corpus.caption_prompts import BANKS, pair_file, paired, read_banks
from towereval.corpus.llava import Stated, convert
from towereval.corpus.quality import filter_file, find_metric
from towereval.corpus.records import Slot
from towereval.corpus.select import Choice
from towereval.corpus.select import select as select_records
from towereval.corpus.system_prompts import GROUPS, instruct_file
from towereval.corpus.video_split import split
from towereval.errors import DataError, UnknownName, UsageError
from towereval.metrics.comet import Segment
from towereval.progress import Silence
from towereval.types import Text

TRANSLATION = {
    "source_id": "1",
    "source_language": "en",
    "source_texts": ["a cat", "the house"],
    "model": "m@1",
}


# --- census ---


def test_a_corpus_is_counted_as_the_papers_table(tmp_path: Path) -> None:
    translated = {"origin": "translated", "translation": TRANSLATION}
    file = write(
        tmp_path / "a.jsonl",
        *(row(str(n), source="DVQA", task="Chart/Plot") for n in range(5)),
        row("6", source="PixMo|Cap", language="de", **translated),
        row("7", source="PixMo|Cap", language="fr", origin="synthetic", licence="CC0"),
        row("8", source="Clips", task="Video/Text", video="c.mp4"),
    )
    done = towereval("data", "census", file, "--format", "markdown", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "| task | source | samples | % | tag |"
    assert "| Chart/Plot | DVQA | 5 | 62.50 | public |" in lines
    assert "| caption | PixMo\\|Cap | 1 | 12.50 | translated |" in lines
    assert "| language | multilingual | 2 | 25.00 |  |" in lines
    assert lines[-1] == "| total |  | 8 | 100.00 |  |"
    found = json.loads(towereval("data", "census", file, "--format", "json", cwd=tmp_path).stdout)
    assert found["origins"] == {"public": 6, "translated": 1, "synthetic": 1}
    assert (found["english"], found["multilingual"]) == (6, 2)
    assert found["media"] == {"text": 7, "video": 1}
    assert sum(one["samples"] for one in found["sources"]) == found["total"] == 8


def test_an_empty_corpus_has_nothing_to_share_out(tmp_path: Path) -> None:
    counted = census.take([write(tmp_path / "a.jsonl")], lambda: None)
    assert [(one.name, one.count, one.share) for one in census.rows(counted)][-1] == (
        ("total", ""),
        0,
        0.0,
    )


# --- from LLaVA's form ---

SAID = [{"from": "human", "value": "Was?"}, {"from": "gpt", "value": "Ein Hund."}]


@pytest.mark.parametrize("listed", [True, False])
def test_conversations_in_llavas_form_become_records(tmp_path: Path, listed: bool) -> None:
    short = {"from": "system", "value": "Kurz."}
    placed = [{"from": "human", "value": "One <image> two <image>"}, SAID[1]]
    rows = [
        {"id": 7, "image": "1.jpg", "conversations": SAID, "language": "de", "data_source": "P"},
        {"id": "8", "image": ["1.jpg", "2.jpg"], "conversations": placed},
        {
            "id": "9",
            "video": "c.mp4",
            "conversations": [short, *SAID],
        },
        {"id": "10", "conversations": SAID},
    ]
    file = tmp_path / "a.json"
    lines = "\n".join(json.dumps(one) for one in rows)
    file.write_text(json.dumps(rows) if listed else lines)
    done = towereval(
        *("data", "from-llava", file, "--output", "out.jsonl", "--task", "caption"),
        *("--source", "Q", "--language", "nl", "--licence", "CC0"),
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout) == (0, "out.jsonl: 4 records\n"), done.stderr
    one, two, three, four = records(tmp_path / "out.jsonl")
    assert (one.id, one.source, one.language, one.licence) == ("7", "P", "de", "CC0")
    assert one.messages[0].parts == (Slot.IMAGE, Text("Was?"))
    assert two.messages[0].parts == (Text("One "), Slot.IMAGE, Text(" two "), Slot.IMAGE)
    assert (two.source, two.language, len(two.images)) == ("Q", "nl", 2)
    assert three.messages[1].parts == (Slot.VIDEO, Text("Was?"))
    assert four.texts == ("Was?", "Ein Hund.")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ([], "wanted an object"),
        ({"id": 1}, "conversations: wanted a list of turns"),
        ({"id": 1, "conversations": ["a"]}, "turn 1: wanted"),
        ({"id": 1, "conversations": [{"from": "dog", "value": ""}]}, "turn 1: from is 'dog'"),
        ({"conversations": SAID}, "id is empty"),
        ({"id": 1, "image": 3, "conversations": SAID}, "picture 1: wanted an object"),
    ],
)
def test_what_is_no_conversation_is_named(tmp_path: Path, row: object, said: str) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([{"id": 0, "conversations": SAID}, row]))
    with pytest.raises(DataError, match=f"a\\.json:2: .*{re.escape(said)}"):
        convert(file, Stated("S", "de", "t"), tmp_path / "out.jsonl")
    assert not (tmp_path / "out.jsonl").exists()


# --- select ---


def many(file: Path, count: int) -> Path:
    rows = [
        row(f"{n}", language=("en", "pt-BR", "ko")[n % 3], source="AB"[n % 2]) for n in range(count)
    ]
    return write(file, *rows)


def test_a_part_is_selected_in_its_order(tmp_path: Path) -> None:
    file = many(tmp_path / "all.jsonl", 30)
    select = partial(select_records, file, output=tmp_path / "out.jsonl", advance=lambda: None)
    # Core has Portuguese, which its varieties are.
    assert select(Choice(languages=("core",))) == {"en": 10, "pt-BR": 10}
    assert select(Choice(languages=("ko",), sources=("A",))) == {"ko": 5}
    assert select(Choice(most=4)) == {"en": 4, "pt-BR": 4, "ko": 4}
    ids = [int(one.id) for one in records(tmp_path / "out.jsonl")]
    assert ids == sorted(ids)
    turned = write(tmp_path / "turned.jsonl", *reversed(file.read_text().splitlines()))
    select_records(turned, Choice(most=4), tmp_path / "same.jsonl", lambda: None)
    assert sorted(int(one.id) for one in records(tmp_path / "same.jsonl")) == ids
    select(Choice(most=4, seed=1))
    assert [int(one.id) for one in records(tmp_path / "out.jsonl")] != ids


def test_a_selection_of_nothing_is_refused(tmp_path: Path) -> None:
    file = many(tmp_path / "all.jsonl", 3)
    with pytest.raises(UnknownName, match="unknown language 'kor'"):
        select_records(file, Choice(("kor",)), tmp_path / "out.jsonl", lambda: None)
    with pytest.raises(DataError, match="no record is left"):
        select_records(file, Choice(("tier:T1",)), tmp_path / "out.jsonl", lambda: None)
    assert not (tmp_path / "out.jsonl").exists()
    done = towereval(
        *("data", "select", file, "--origins", "public", "--output", "b/out.jsonl"), cwd=tmp_path
    )
    assert done.stdout == "en: 1\nko: 1\npt-BR: 1\nb/out.jsonl\n"
    assert done.stderr.splitlines()[-1].startswith("note: media of b/out.jsonl stay below")


# --- video split ---


def clips(file: Path, count: int) -> Path:
    return write(file, *(row(f"v{n}", video=f"{n}.mp4") for n in range(count)))


def test_a_share_stays_english_and_the_rest_is_spread(tmp_path: Path) -> None:
    file = clips(tmp_path / "all.jsonl", 101)
    counts = split(file, 0.5, ("de", "fr", "ko"), 0, tmp_path / "out")
    assert counts == {"en": 51, "de": 17, "fr": 17, "ko": 16}
    parts = {code: records(tmp_path / "out" / f"{code}.jsonl") for code in counts}
    assert {code: len(found) for code, found in parts.items()} == counts
    assert Counter(one.id for found in parts.values() for one in found) == Counter(
        f"v{n}" for n in range(101)
    )
    assert {one.language for found in parts.values() for one in found} == {"en"}


def test_the_split_is_the_seeds_alone(tmp_path: Path) -> None:
    file = clips(tmp_path / "all.jsonl", 40)
    lines = file.read_text().splitlines()
    turned = write(tmp_path / "turned.jsonl", *reversed(lines))
    ids = []
    for name, seed, source in (("a", 0, file), ("b", 0, turned), ("c", 1, file)):
        split(source, 0.25, ("de", "fr"), seed, tmp_path / name)
        ids.append({one.id for one in records(tmp_path / name / "de.jsonl")})
    assert ids[0] == ids[1] != ids[2]
    assert len(records(tmp_path / "a" / "en.jsonl")) == 10


def test_what_cannot_be_split_is_refused(tmp_path: Path) -> None:
    file = clips(tmp_path / "all.jsonl", 4)
    for share, languages in ((1.5, ("de",)), (0.5, ()), (0.5, ("en",)), (0.5, ("de", "de"))):
        with pytest.raises(UsageError):
            split(file, share, languages, 0, tmp_path / "out")
    with pytest.raises(UnknownName, match="'xx'"):
        split(file, 0.5, ("xx",), 0, tmp_path / "out")
    german = write(tmp_path / "de.jsonl", row("1"), row("2", language="de"))
    with pytest.raises(DataError, match="2: 'de', wanted a record in English"):
        split(german, 0.5, ("fr",), 0, tmp_path / "out")
    with pytest.raises(DataError, match="two records have the same id"):
        split(write(tmp_path / "twice.jsonl", row(), row()), 0.5, ("fr",), 0, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- caption prompts ---


def test_the_banks_are_the_papers() -> None:
    assert {len(bank) for bank in BANKS.values()} == {7}
    assert {"en", "pt", "fr", "nl", "de", "es", "it", "ko", "zh"} <= set(BANKS)
    assert len({one for bank in BANKS.values() for one in bank}) == 9 * 7


def test_a_caption_gets_an_instruction_in_its_language(tmp_path: Path) -> None:
    rows = [shown(str(n), "1.png", "<image>", language="ko") for n in range(60)]
    kept = [row("text"), shown("asked", "1.png", "<image>Was?", language="de")]
    file = write(tmp_path / "a.jsonl", *rows, *kept)
    counts = pair_file(file, BANKS, 0, tmp_path / "out.jsonl", again=False)
    assert counts == {"ko": 60}
    before, after = records(file), records(tmp_path / "out.jsonl")
    assert after[60:] == before[60:]
    drawn = Counter(one.messages[0].text for one in after[:60])
    assert set(drawn) == set(BANKS["ko"])
    assert after[0].messages[0].parts[0] is Slot.IMAGE
    assert after[0].messages[1] == before[0].messages[1]
    # The same record gets the same one wherever it stands.
    assert paired(before[5], BANKS, 0) == after[5]
    assert any(paired(one, BANKS, 1) != paired(one, BANKS, 0) for one in before[:9])
    counts = pair_file(file, BANKS, 0, tmp_path / "again.jsonl", again=True)
    assert counts == {"ko": 60, "de": 1}


def test_a_language_without_a_bank_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", shown("1", "1.png", "<image>", language="ru"))
    with pytest.raises(DataError, match="1: no caption instructions in 'ru'"):
        pair_file(file, BANKS, 0, tmp_path / "out.jsonl", again=False)
    own = tmp_path / "own.json"
    own.write_text('{"ru": ["Опишите картинку."]}')
    pair_file(file, read_banks(own), 0, tmp_path / "out.jsonl", again=False)
    assert records(tmp_path / "out.jsonl")[0].messages[0].parts == (
        Slot.IMAGE,
        Text("Опишите картинку."),
    )
    for text in ('["a"]', '{"ru": []}', '{"ru": [" "]}', "{"):
        own.write_text(text)
        with pytest.raises(UsageError, match="--banks"):
            read_banks(own)


TRANSLATED = {"source_id": "1", "source_language": "en", "model": "m"}


def test_what_is_added_to_a_translation_is_added_to_what_it_was(tmp_path: Path) -> None:
    """Training sets the texts beside those before translation, one by one."""
    before = {**TRANSLATED, "source_texts": ["A dog."]}
    rows = [shown(f"{n}", "1.png", "<image>", language="ko", translation=before) for n in range(9)]
    before = {**TRANSLATED, "source_texts": ["What is there?", "A dog."]}
    rows.append(shown("asked", "1.png", "<image>Was?", language="de", translation=before))
    file = write(tmp_path / "a.jsonl", *rows)
    pair_file(file, BANKS, 0, tmp_path / "b.jsonl", again=True)
    instruct_file(tmp_path / "b.jsonl", 0, tmp_path / "c.jsonl", again=False)
    instruct_file(tmp_path / "c.jsonl", 1, tmp_path / "d.jsonl", again=True)
    for one in records(tmp_path / "d.jsonl"):
        assert one.translation is not None
        prompt, asked, answer = one.translation.source_texts
        assert one.messages[0].role == "system"
        assert one.texts[0] == prompt
        assert BANKS["en"].index(asked) == BANKS[one.language].index(one.texts[1])
        assert answer == "A dog."
    odd = {**before, "source_language": "ru"}
    file = write(tmp_path / "a.jsonl", shown("1", "1.png", "<image>W?", translation=odd))
    with pytest.raises(DataError, match=r"a.jsonl:1: no such caption instruction in 'ru'"):
        pair_file(file, BANKS, 0, tmp_path / "b.jsonl", again=True)


def test_system_prompts_are_the_papers(tmp_path: Path) -> None:
    assert [len(prompts) for prompts in GROUPS.values()] == [7, 6, 7, 6, 5, 4]
    assert len({prompt for prompts in GROUPS.values() for prompt in prompts}) == 35
    done = towereval("data", "caption-prompts", "--system", cwd=tmp_path)
    assert done.stdout.count("\n") == 35
    assert "markers\t<description><answer>\n" in done.stdout
    file = write(tmp_path / "a.jsonl", *(shown(f"{n}", "1.png", "<image>") for n in range(300)))
    assert instruct_file(file, 0, tmp_path / "b.jsonl", again=False) == {"en": 300}
    drawn = Counter(one.messages[0].text for one in records(tmp_path / "b.jsonl"))
    assert len(drawn) == 35
    assert instruct_file(tmp_path / "b.jsonl", 1, tmp_path / "c.jsonl", again=False) == {}
    assert records(tmp_path / "c.jsonl") == records(tmp_path / "b.jsonl")
    file = write(tmp_path / "a.jsonl", {**shown("1", "1.png"), "messages": []})
    assert instruct_file(file, 0, tmp_path / "b.jsonl", again=False) == {"en": 1}


def test_the_commands(tmp_path: Path) -> None:
    done = towereval("data", "caption-prompts", cwd=tmp_path)
    assert done.stdout.count("\n") == 7 * len(caption_prompts.BANKS)
    assert "de\tBeschreiben Sie dieses Bild.\n" in done.stdout
    file = clips(tmp_path / "all.jsonl", 10)
    done = towereval(
        *("data", "video-split", file, "--english", "50%", "--languages", "de,fr"),
        *("--output", "out"),
        cwd=tmp_path,
    )
    assert done.stdout == (
        "out/en.jsonl: 5\nout/de.jsonl: 3 to be translated\nout/fr.jsonl: 2 to be translated\n"
    )


# --- filter ---


def test_without_comet_nothing_is_filtered(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", row(language="de", translation=TRANSLATION))
    done = towereval("data", "filter", file, "--output", "out.jsonl", cwd=tmp_path)
    assert "run: towereval setup comet" in error_line(done, 2)
    assert not (tmp_path / "out.jsonl").exists()
    with pytest.raises(UnknownName, match="reference-free metric 'bleu'"):
        find_metric("bleu", "")


@pytest.mark.slow
@pytest.mark.usefixtures("comet")
def test_the_worst_text_decides_and_is_kept(tmp_path: Path) -> None:
    builder = Path(__file__).parents[1] / "metrics" / "tiny_comet.py"
    models = tmp_path / "models"
    subprocess.run([COMET_PYTHON, "-I", "-W", "ignore", builder, "build", models], check=True)
    metric = find_metric("cometkiwi", str(models / "referenceless"))
    said = [[("user", "ein Hund"), ("assistant", "le chat")], [("user", "x"), ("assistant", "y")]]
    rows = [
        row(
            str(n),
            language="de",
            origin="translated",
            messages=[{"role": role, "content": text} for role, text in turns],
            translation=TRANSLATION,
        )
        for n, turns in enumerate(said)
    ]
    file = write(tmp_path / "a.jsonl", *rows, row("en"))
    found = filter_file(file, metric, -1e9, tmp_path / "all.jsonl", Silence())
    assert (found.languages["de"].scored, found.languages["de"].kept) == (2, 2)
    kept = records(tmp_path / "all.jsonl")
    assert (found.untranslated, kept[2]) == (1, records(file)[2])
    marks = [one.translation for one in kept[:2]]
    scores = [mark.score for mark in marks if mark is not None and mark.score is not None]
    assert {mark.score_signature for mark in marks if mark is not None} == {found.signature}
    pairs = [zip(("a cat", "the house"), one.texts, strict=True) for one in kept[:2]]
    segments = [[Segment(*pair, "") for pair in both] for both in pairs]
    alone = dict(metric.score_segments(segment for both in segments for segment in both))
    assert len(set(alone.values())) == 4
    # Which segments share a batch moves a score's last digits.
    assert scores == pytest.approx([min(alone[s.key] for s in both) for both in segments], abs=1e-5)
    assert found.languages["de"].mean == pytest.approx(sum(scores) / 2)

    # Another threshold scores nothing again: what was scored is kept beside the output.
    half = filter_file(file, metric, max(scores), tmp_path / "all.jsonl", Silence())
    assert (half.languages["de"].kept, half.languages["de"].dropped_share) == (1, 0.5)
    assert [one.id for one in records(tmp_path / "all.jsonl")][1:] == ["en"]
