"""`towereval data validate`: every fault is told with its place, and what is right has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageEnhance

from tests.corpus.corpora import picture, row, shown, write
from tests.test_cli import towereval
from towereval.corpus.contamination import Held
from towereval.corpus.duplicates import Duplicates
from towereval.corpus.files import writing
from towereval.corpus.perceptual import DISTANCE, distances, perceptual_hash
from towereval.corpus.phrases import phrases, words
from towereval.corpus.pictures import middle_frame
from towereval.corpus.records import Picture, Record, Slot, Turn
from towereval.corpus.validation import EXAMPLES, Checks, Report, validate
from towereval.data.media import image_file, video_file
from towereval.errors import DataError
from towereval.plan import SAMPLES
from towereval.types import Message, Sample, Text


def found(file: Path, **checks: Any) -> list[tuple[str, int, str]]:
    """Kind, line and detail of each fault."""
    report = validate([file], Checks(**checks), lambda: None)
    assert sum(report.counts.values()) == len(report.faults)
    return [
        (fault.kind, int(fault.place.removeprefix(f"{file}:")), fault.detail)
        for fault in report.faults
    ]


def test_a_sound_corpus_has_no_fault(tmp_path: Path) -> None:
    for seed in range(3):
        picture(tmp_path / f"{seed}.png", seed)
    rows = [shown(str(seed), f"{seed}.png") for seed in range(3)]
    assert found(write(tmp_path / "a.jsonl", *rows, row("text"))) == []


def turns(*said: tuple[str, str]) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in said]


ONE = [
    (row(language="xx"), "unknown language", "'xx'"),
    (row(language="und"), "unknown language", "'und'"),
    (row(images=["0.png"]), "placeholders do not match media", "0 places for 1 images"),
    (
        row(messages=turns(("user", "<image><image>?"), ("assistant", "A")), images=["0.png"]),
        "placeholders do not match media",
        "2 places for 1 images",
    ),
    (
        row(
            messages=[
                {"role": "user", "content": [{"type": "text", "text": "<image>"}]},
                *turns(("assistant", "A")),
            ]
        ),
        "placeholders do not match media",
        "a text holds one, which a tokenizer would read",
    ),
    (
        row(messages=turns(("user", "?"), ("assistant", "A<image>")), images=["0.png"]),
        "placeholders do not match media",
        "message 2: the assistant shows one",
    ),
    (row(messages=[]), "roles do not alternate", "no message"),
    (row(messages=turns(("user", "?"))), "roles do not alternate", "user"),
    (
        row(messages=turns(("user", "?"), ("assistant", "A"), ("system", "B"), ("assistant", "C"))),
        "roles do not alternate",
        "user assistant system assistant",
    ),
    (row(messages=turns(("user", "?"), ("assistant", " \n"))), "empty answer", "message 2"),
    (row(messages=turns(("user", ""), ("assistant", "A"))), "empty question", "message 1"),
    (shown("1", "small.png"), "picture too small or too long", "20x90 pixels"),
    (shown("1", "long.png"), "picture too small or too long", "700x30 pixels"),
    (shown("1", "none.png"), "picture cannot be read", "none.png"),
    (shown("1", "cut.png"), "picture cannot be read", "cut.png: cannot be decoded"),
    (shown("1", "../a.png"), "picture cannot be read", "lies outside"),
    (
        shown("1", "0.png") | {"images": [{"path": "0.png", "width": 1, "height": 64}]},
        "picture cannot be read",
        "0.png: 96x64 pixels, the row says 1x64",
    ),
    (
        shown("1", "0.png") | {"images": [{"path": "0.png", "sha256": "00"}]},
        "picture cannot be read",
        "not the row's",
    ),
    (shown("1", "", "<video>?") | {"images": [], "video": "c.mp4"}, "clip cannot be read", "c.mp4"),
    ("{", "not a record", "not JSON"),
]


@pytest.mark.parametrize(("bad", "kind", "detail"), ONE)
def test_a_fault_is_told_with_its_line(tmp_path: Path, bad: Any, kind: str, detail: str) -> None:
    picture(tmp_path / "0.png")
    picture(tmp_path / "small.png", size=(20, 90))
    picture(tmp_path / "long.png", size=(700, 30))
    (tmp_path / "cut.png").write_bytes((tmp_path / "0.png").read_bytes()[:400])
    [(name, line, said)] = found(write(tmp_path / "a.jsonl", row("sound"), bad))
    assert (name, line) == (kind, 2)
    assert detail in said


def test_duplicates_are_found_across_files(tmp_path: Path) -> None:
    picture(tmp_path / "0.png")
    (tmp_path / "copy.png").write_bytes((tmp_path / "0.png").read_bytes())
    one = write(tmp_path / "1.jsonl", row("a"), shown("b", "0.png"))
    again = {**shown("b", "copy.png"), "id": "c", "source": "other"}
    two = write(tmp_path / "2.jsonl", "", row("a", source="x", language="de"), again)
    report = validate([one, two], Checks(), lambda: None)
    assert [(f.kind, f.place, f.detail) for f in report.faults] == [
        ("id not unique", f"{two}:2", f"as {one}:1"),
        ("same content twice", f"{two}:2", f"as {one}:1"),
        ("same content twice", f"{two}:3", f"as {one}:2"),
    ]
    assert report.records == 4


def test_pictures_that_cannot_be_seen_are_not_the_same(tmp_path: Path) -> None:
    rows = [shown("a", "x.png"), {**shown("a", "y.png"), "id": "b"}]
    assert {kind for kind, *_ in found(write(tmp_path / "a.jsonl", *rows))} == {
        "picture cannot be read"
    }


def test_bytes_in_parquet_are_decoded(tmp_path: Path) -> None:
    data = picture(tmp_path / "0.png").read_bytes()
    file = tmp_path / "out" / "a.parquet"
    with writing(file) as writer:
        for name, held in (("1", data), ("2", data[:300])):
            said = (Turn("user", (Slot.IMAGE,)), Turn("assistant", (Text(name),)))
            writer.add(Record(name, "S", "en", "t", said, (Picture(data=held),)))
    assert [(kind, line) for kind, line, _ in found(file)] == [("picture cannot be read", 2)]


def test_all_faults_are_counted_and_some_are_kept(tmp_path: Path) -> None:
    rows = [row(str(n), language="xx", messages=[]) for n in range(EXAMPLES + 5)]
    report = validate([write(tmp_path / "a.jsonl", *rows)], Checks(), lambda: None)
    assert report.counts["unknown language"] == EXAMPLES + 5
    assert len([f for f in report.faults if f.kind == "unknown language"]) == EXAMPLES
    assert isinstance(report, Report)


def test_answers_in_another_language_are_told(tmp_path: Path) -> None:
    pytest.importorskip("lingua")
    german = "Der kleine Hund läuft am Abend durch den Garten und bellt den Nachbarn an."
    rows = [
        row(language, language=language, messages=turns(("user", "?"), ("assistant", text)))
        for language, text in (("ja", german), ("ko", german), ("nl", "Ja."), ("xx", german))
    ]
    file = write(tmp_path / "a.jsonl", *rows)
    told = [one for one in found(file, identify=True) if one[0] == "wrong language"]
    # By script alone, for which the identifier's models need not be read.
    assert told == [
        ("wrong language", 1, "the answer is taken for Latin script, the record says ja"),
        ("wrong language", 2, "the answer is taken for Latin script, the record says ko"),
    ]
    assert "wrong language" not in {kind for kind, *_ in found(file)}


def test_duplicates_by_hand() -> None:
    keys = Duplicates()
    assert list(keys.found()) == []
    for key in (b"a", b"b", b"a", b"c", b"b", b"a"):
        keys.add(key)
    assert list(keys.found()) == [(2, 0), (4, 1), (5, 0)]


# --- what must not be trained on ---


def evaluation(name: str, text: str, *pictures: Path, language: str = "en", **more: Any) -> Sample:
    parts = (*(image_file(file) for file in pictures), Text(text))
    return Sample(name, language, (Message("user", parts),), **{"references": ("a",), **more})


LONG = "the quick brown fox jumps over the lazy dog while seven small birds sing songs"


def test_words_of_scripts_without_blanks_are_characters() -> None:
    assert words("Éa, ﬁSH-2 東京タワー ไทย!") == ["éa", "fish", "2", *"東京タワー", *"ไทย"]
    assert len(list(phrases(LONG))) == 3
    assert len(list(phrases(" ".join(LONG.split()[:12])))) == 1
    assert list(phrases("one two three four five six seven")) == []


def test_thirteen_words_in_a_row_are_found(tmp_path: Path) -> None:
    held = Held()
    held.add("t@v", [evaluation("7", f"Say it: {LONG}")])
    words_13 = LONG.split()[1:14]
    bad = row(
        "1", messages=turns(("user", "?"), ("assistant", "Well, " + ", ".join(words_13).upper()))
    )
    near = row("2", messages=turns(("user", "?"), ("assistant", " ".join(words_13[:12]))))
    assert found(write(tmp_path / "a.jsonl", bad, near), held=held) == [
        ("in an evaluation set: same text", 1, f"t@v en 7: {' '.join(words_13)}")
    ]


def test_a_short_line_counts_where_it_is_equal(tmp_path: Path) -> None:
    held = Held()
    line = "A man is sitting under a tree today."
    held.add("t@v", [evaluation("7", f"Translate:\n{line}", references=("Ein Mann",))])
    said = [line.lower(), f"{line} He sleeps.", "Ein Mann"]
    rows = [
        row(str(n), messages=turns(("user", f"{n}"), ("assistant", s))) for n, s in enumerate(said)
    ]
    assert [(kind, at) for kind, at, _ in found(write(tmp_path / "a.jsonl", *rows), held=held)] == [
        ("in an evaluation set: same text", 1)
    ]


def test_a_template_is_no_content() -> None:
    template = "For the question below choose exactly one of the given options and say nothing else"
    held = Held()
    held.add("t@v", [evaluation(f"{n}", f"{template} please: {n}") for n in range(3)])
    assert list(held.overlaps([], [template])) == []
    few = Held()
    few.add("t@v", [evaluation(f"{n}", f"{template} please: {n}") for n in range(2)])
    assert len(list(few.overlaps([], [template]))) == 1
    # One sentence in all of a task's languages is content.
    many = Held()
    codes = [f"l{n}" for n in range(30)]
    many.add("t@v", [evaluation("1", f"Into {code}: {LONG}", language=code) for code in codes])
    assert len(list(many.overlaps([], [LONG]))) == 1


def test_words_around_a_template_do_not_count_with_it() -> None:
    ask = "Translate the following source text from English to German:"
    sources = [f"{name} is standing beside a {thing}" for name in ("He", "She") for thing in "ABC"]
    held = Held()
    held.add(
        "t@v",
        [evaluation(one, f"{ask}\n{one}, which is old and very, very heavy.") for one in sources],
    )
    # Nine words of the template and four of the source are in both.
    assert list(held.overlaps([], [f"{ask}\nHe is standing beside my dog."])) == []
    [found] = held.overlaps(
        [], [f"{ask}\nHe is standing beside a B, which is old and very, very heavy."]
    )
    assert found.place == "t@v en He is standing beside a B"


def jpeg(source: Path, file: Path) -> None:
    with Image.open(source) as one:
        half = one.convert("RGB").resize((one.width // 2, one.height // 2))
    ImageEnhance.Brightness(half).enhance(1.1).save(file, "JPEG", quality=50)


def test_pictures_are_found_as_they_are_and_as_copies(tmp_path: Path) -> None:
    ours = picture(tmp_path / "eval" / "0.png", 1, (400, 300))
    held = Held()
    held.add("t@v", [evaluation("7", "?", ours)])
    (tmp_path / "same.png").write_bytes(ours.read_bytes())
    jpeg(ours, tmp_path / "copy.jpg")
    picture(tmp_path / "other.png", 2, (400, 300))
    Image.new("RGB", (64, 64), "white").save(tmp_path / "flat.png")
    names = ("same.png", "copy.jpg", "other.png", "flat.png")
    file = write(tmp_path / "a.jsonl", *(shown(name, name) for name in names))
    kinds = [(kind, line) for kind, line, _ in found(file, held=held)]
    assert kinds == [
        ("in an evaluation set: same picture", 1),
        ("in an evaluation set: similar picture", 2),
    ]


def test_clips_are_found_as_they_are_and_as_copies(tmp_path: Path) -> None:
    (clip, *_) = sorted((SAMPLES / "vimul_bench" / "videos").glob("*.mp4"))
    held = Held()
    message = Message("user", (video_file(clip), Text("?")))
    held.add("t@v", [Sample("7", "en", (message,), references=("a",))])
    (tmp_path / "same.mp4").write_bytes(clip.read_bytes())
    middle_frame(video_file(clip)).save(tmp_path / "middle.jpg", quality=60)
    rows = [
        {**shown("1", "", "<video>?"), "images": [], "video": "same.mp4"},
        {**shown("2", "", "<video>?"), "images": [], "video": {"frames": ["middle.jpg"]}},
    ]
    kinds = [(kind, line) for kind, line, _ in found(write(tmp_path / "a.jsonl", *rows), held=held)]
    assert kinds == [
        ("in an evaluation set: same clip", 1),
        ("in an evaluation set: similar clip", 2),
    ]


def test_the_hash_tells_copies_from_other_pictures(tmp_path: Path) -> None:
    files = sorted((SAMPLES / "multi30k" / "images").glob("*.png"))
    hashes = []
    for file in files:
        with Image.open(file) as one:
            ours = perceptual_hash(one.convert("RGB"))
        assert ours is not None
        hashes.append(ours)
        jpeg(file, tmp_path / "copy.jpg")
        with Image.open(tmp_path / "copy.jpg") as one:
            copy = perceptual_hash(one)
        assert copy is not None
        assert distances(copy, ours[None])[0] <= DISTANCE
    for index, ours in enumerate(hashes[1:], start=1):
        for other in hashes[:index]:
            assert distances(ours, other[None])[0] > 2 * DISTANCE


# --- the command ---


def test_the_command_says_what_is_wrong_and_ends_with_1(tmp_path: Path) -> None:
    source = next((SAMPLES / "multi30k" / "images").glob("*.png"))
    (tmp_path / "dog.png").write_bytes(source.read_bytes())
    file = write(tmp_path / "a.jsonl", shown("1", "dog.png"), row("1", language="[b]xx"))
    command = ("data", "validate", file, "--against", "multi30k", "--split", "sample")
    done = towereval(*command, "--report", tmp_path / "r.json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert "id not unique" in done.stdout
    assert "'[b]xx'" in done.stdout
    assert "against multi30k@towervision: 24 samples" in done.stdout
    assert done.stdout.endswith("2 records, 1 pictures, 0 clips: 3 faults\n")
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["faults"] == {
        "in an evaluation set: same picture": 1,
        "unknown language": 1,
        "id not unique": 1,
    }
    assert report["against"] == [{"task": "multi30k@towervision", "samples": 24, "undecoded": 0}]
    german = towereval(*command, "--languages", "de", cwd=tmp_path)
    assert "against multi30k@towervision: 8 samples" in german.stdout


def test_the_command_ends_with_0_where_all_is_well(tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", row())
    done = towereval("data", "validate", file, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "1 records, 0 pictures, 0 clips: no fault\n")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("--against", "multi31k"), 2, "unknown task 'multi31k'; did you mean multi30k"),
        (("--against", "multi30k", "--languages", "ko"), 2, "unknown language 'ko'; known: "),
        (("--against", "multi30k", "--data", "multi30k=."), 4, "no test.jsonl or test.parquet"),
        (("none.jsonl",), 4, "none.jsonl: no such file"),
    ],
)
def test_what_cannot_be_checked(
    tmp_path: Path, words: tuple[str, ...], status: int, said: str
) -> None:
    write(tmp_path / "a.jsonl", row())
    done = towereval("data", "validate", "a.jsonl", *words, cwd=tmp_path)
    assert done.returncode == status
    assert said in done.stderr.splitlines()[-1]
    assert done.stdout == ""


def test_an_evaluation_set_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    from towereval.corpus.evaluation_sets import hold
    from towereval.plan import Plan

    (tmp_path / "test.jsonl").write_text('{"image": "1.png"}\n')
    plan = Plan("", ("multi30k",), data={"multi30k": tmp_path})
    with pytest.raises(DataError, match="the data has no column or value"):
        hold(plan, str)
