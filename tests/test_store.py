"""What was handed on is there after a kill, what was answered is not asked again, and equal
questions have equal keys.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from towereval.errors import StoreError
from towereval.export import write_samples
from towereval.manifest import read_manifest
from towereval.records import dump, load_request, load_sample
from towereval.store import PAGE, Store
from towereval.types import (
    Decoding,
    Image,
    Message,
    Request,
    Respondent,
    Response,
    Sample,
    Score,
    Text,
    Video,
)

ROOT = Path(__file__).parents[1]
# What a killed process runs: `die` is the kill, at the moment that the test chooses.
PREAMBLE = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.test_store import answer, made
from towereval.store import Store
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
folder = Path({folder!r})
"""


def made(
    number: int | str,
    text: str = "",
    *,
    picture: str = "p",
    language: str = "de",
    task: str = "made",
    count: int = 1,
) -> tuple[str, Sample, list[Request]]:
    """One row of `replace_samples`: a sample with `count` requests about one picture."""
    prompt = (Message("user", (Image(f"{picture}.png", picture), Text(text or f"{number}"))),)
    sample = Sample(f"{number}", language, prompt, references=("yes",), cluster=picture)
    requests = [
        Request(
            sample.id, prompt, Decoding(max_tokens=8), continuation=f"{i}" if count > 1 else None
        )
        for i in range(count)
    ]
    return task, sample, requests


def answer(request: Request, text: str = "yes", **changes: Any) -> Response:
    return Response(request.key, text, **changes)


def fill(store: Store, *rows: tuple[str, Sample, list[Request]]) -> None:
    store.replace_samples(rows)
    drain(store, [answer(request) for _, _, requests in rows for request in requests])


def drain(store: Store, responses: list[Response]) -> None:
    assert list(store.add_responses(responses)) == responses


def open_ids(store: Store) -> list[str]:
    return [request.sample_id for request in store.unanswered()]


def killed(folder: Path, script: str) -> None:
    """Run a script that must end by SIGKILL."""
    preamble = PREAMBLE.format(root=str(ROOT), folder=str(folder))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", preamble + script],
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def integrity(folder: Path) -> str:
    db = sqlite3.connect(folder / "run.sqlite")
    try:
        return str(db.execute("PRAGMA integrity_check").fetchone()[0])
    finally:
        db.close()


# --- a kill ---


@pytest.mark.parametrize("handed_on", [1, 2, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 7])
def test_a_kill_loses_at_most_the_last_batch(tmp_path: Path, handed_on: int) -> None:
    script = f"""
rows = [made(i) for i in range({3 * PAGE})]
store = Store(folder)
store.replace_samples(rows)
answers = (answer(request) for request in store.unanswered())
for count, _ in enumerate(store.add_responses(answers, every=1e9), start=1):
    if count == {handed_on}:
        die()
"""
    killed(tmp_path / "run", script)
    assert integrity(tmp_path / "run") == "ok"
    with Store(tmp_path / "run") as store:
        kept = 3 * PAGE - store.count_unanswered()
        assert kept == handed_on // PAGE * PAGE
        assert len(open_ids(store)) == store.count_unanswered()
        drain(store, [answer(request) for request in store.unanswered()])
        assert store.count_unanswered() == 0


def test_a_kill_loses_nothing_that_was_handed_on_longer_ago_than_a_commit(tmp_path: Path) -> None:
    script = """
store = Store(folder)
store.replace_samples([made(i) for i in range(20)])
answers = (answer(request) for request in store.unanswered())
for count, _ in enumerate(store.add_responses(answers, every=0), start=1):
    if count == 7:
        die()
"""
    killed(tmp_path / "run", script)
    with Store(tmp_path / "run") as store:
        assert open_ids(store) == [f"{i}" for i in range(7, 20)]


def test_a_kill_while_samples_are_replaced_leaves_the_old_ones(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        fill(store, made(1), made(2))
    script = """
def rows():
    yield from (made(i) for i in range(10, 3000))
    die()
Store(folder).replace_samples(rows())
"""
    killed(tmp_path / "run", script)
    assert integrity(tmp_path / "run") == "ok"
    with Store(tmp_path / "run") as store:
        assert [sample.id for _, sample, _ in store.answered("made")] == ["1", "2"]
        assert store.count_unanswered() == 0


@pytest.mark.parametrize("name", ["results.json", "manifest.json"])
def test_a_kill_while_json_is_written_leaves_the_old_file(tmp_path: Path, name: str) -> None:
    method = "write_results" if name == "results.json" else "write_manifest"
    with Store(tmp_path / "run") as store:
        getattr(store, method)({"state": "old"})
    script = f"""
store = Store(folder)
os.fsync = die  # the bytes are written, the rename has not come
store.{method}({{"state": "new"}})
"""
    killed(tmp_path / "run", script)
    assert json.loads((tmp_path / "run" / name).read_text()) == {"schema": 1, "state": "old"}


def test_a_kill_while_samples_are_exported_leaves_the_old_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    with Store(tmp_path / "run") as store:
        fill(store, made(1))
        write_samples(store, "made", [])
    file = tmp_path / "run" / "samples" / "made.parquet"
    old = file.read_bytes()
    script = """
from towereval.export import write_samples
store = Store(folder)
store.replace_samples([made(i) for i in range(5)])
os.fsync = die
write_samples(store, "made", [])
"""
    killed(tmp_path / "run", script)
    assert file.read_bytes() == old
    with Store(tmp_path / "run") as store:
        fill(store, *(made(i) for i in range(5)))
        write_samples(store, "made", [])
    assert file.read_bytes() != old
    assert [path.name for path in file.parent.iterdir()] == ["made.parquet"]


def test_a_reader_of_an_old_file_never_sees_half_of_a_new_one(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    names = ("results.json", "manifest.json", "samples/made.parquet")

    def write(store: Store, number: int) -> None:
        fill(store, made(number))
        store.write_results({"state": number})
        store.write_manifest({"state": number})
        write_samples(store, "made", [])

    with Store(tmp_path / "run") as store:
        write(store, 1)
        held = []
        for name in names:
            file = tmp_path / "run" / name
            os.link(file, tmp_path / file.name)  # what a reader has open
            held.append((tmp_path / file.name, file.read_bytes()))
        write(store, 2)
    for (file, old), name in zip(held, names, strict=True):
        assert file.read_bytes() == old != (tmp_path / "run" / name).read_bytes()
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {"results.json", "manifest.json", "samples", "run.sqlite", ".lock"}


def test_an_engine_that_breaks_off_loses_nothing(tmp_path: Path) -> None:
    def breaking(requests: Iterator[Request]) -> Iterator[Response]:
        yield answer(next(requests))
        yield answer(next(requests))
        raise RuntimeError("no memory")

    with Store(tmp_path / "run") as store:
        store.replace_samples([made(i) for i in range(4)])
        with pytest.raises(RuntimeError, match="no memory"):
            list(store.add_responses(breaking(store.unanswered()), every=1e9))
    with Store(tmp_path / "run") as store:
        assert open_ids(store) == ["2", "3"]


def test_a_reader_who_stops_loses_nothing(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        store.replace_samples([made(i) for i in range(4)])
        stream = store.add_responses(map(answer, store.unanswered()), every=1e9)
        next(stream)
        next(stream)
        stream.close()
        assert open_ids(store) == ["2", "3"]


# --- what is asked ---


def test_the_same_samples_again_ask_only_what_is_missing(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        fill(store, made(1), made(2))
        store.replace_samples([made(0), made(1), made(2), made(3)])
        assert open_ids(store) == ["0", "3"]
        assert store.count_unanswered() == 2


def test_a_changed_question_is_asked_and_the_old_answer_is_not_its(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        fill(store, made(1, "How many?"))
        store.replace_samples([made(1, "How many now?")])
        assert [responses for _, _, responses in store.answered("made")] == [[None]]
        store.replace_samples([made(1, "How many?")])
        assert store.count_unanswered() == 0


def test_an_error_is_asked_again_and_replaced(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        row = made(1)
        [request] = row[2]
        store.replace_samples([row])
        drain(store, [answer(request, "", error="too long")])
        assert store.failures() == [("too long", 1)]
        assert open_ids(store) == ["1"]
        drain(store, [answer(request, "")])  # an empty answer is an answer
        assert store.failures() == []
        assert open_ids(store) == []
        assert store.response(request.key) == Response(request.key)


def test_equal_requests_of_two_samples_are_asked_once(tmp_path: Path) -> None:
    twins = [made(1, "same"), made(2, "same"), made(3, "other"), made(4, "same", language="fr")]
    with Store(tmp_path / "run") as store:
        store.replace_samples(twins)
        assert open_ids(store) == ["1", "3"]
        assert store.count_unanswered() == 2
        drain(store, [answer(request, request.sample_id) for request in store.unanswered()])
        texts = [[r.text for r in responses if r] for _, _, responses in store.answered("made")]
        assert texts == [["1"], ["1"], ["3"], ["1"]]


def test_requests_with_one_picture_are_neighbours_across_tasks_and_languages(
    tmp_path: Path,
) -> None:
    rows = [
        made(f"{task}{language}{picture}", picture=picture, language=language, task=task)
        for task in ("one", "two")
        for language in ("de", "fr")
        for picture in ("b", "a", "c")
    ]
    with Store(tmp_path / "run") as store:
        store.replace_samples(rows)
        shown = [request.media[0].sha256 for request in store.unanswered()]
    assert shown == ["b"] * 4 + ["a"] * 4 + ["c"] * 4


def test_more_requests_than_a_page_come_once_each_while_they_are_answered(tmp_path: Path) -> None:
    count = 2 * PAGE + 3
    with Store(tmp_path / "run") as store:
        store.replace_samples(made(i, picture=f"{i % 7}") for i in range(count))
        seen, waiting = [], []
        for request in store.unanswered():
            seen.append(request.sample_id)
            waiting.append(answer(request))
            if len(waiting) == 97:
                drain(store, waiting)
                waiting = []
        assert sorted(map(int, seen)) == list(range(count))


def test_answers_come_in_the_order_of_asking(tmp_path: Path) -> None:
    rows = [made(i, picture="", count=3) for i in range(PAGE + 2)]
    with Store(tmp_path / "run") as store:
        store.replace_samples(rows)
        requests = list(store.unanswered())
        drain(store, [answer(each, each.continuation or "") for each in reversed(requests)])
        found = list(store.answered("made"))
    assert [sample.id for _, sample, _ in found] == [f"{i}" for i in range(PAGE + 2)]
    assert all([r.text for r in replies if r] == ["0", "1", "2"] for *_, replies in found)


def test_two_samples_with_one_id_are_refused_and_the_old_ones_stay(tmp_path: Path) -> None:
    with Store(tmp_path / "run") as store:
        fill(store, made(1))
        with pytest.raises(StoreError, match="made: two samples have the id '7' in de"):
            store.replace_samples([made(7), made(8), made(7, "again")])
        assert [sample.id for _, sample, _ in store.answered("made")] == ["1"]
        store.replace_samples([made(7), made(7, language="fr"), made(7, task="other")])
        assert store.tasks() == ["made", "other"]


# --- one process at a time ---


def test_a_second_process_is_told_who_has_the_run(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            PREAMBLE.format(root=str(ROOT), folder=str(tmp_path / "run"))
            + "with Store(folder): print('open', flush=True); sys.stdin.read()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout
        assert holder.stdout.readline() == "open\n"
        who = f"run: in use by {socket.gethostname()} pid {holder.pid}$"
        with pytest.raises(StoreError, match=who):
            Store(tmp_path / "run")
        holder.communicate()
    with Store(tmp_path / "run") as store:
        assert store.tasks() == []


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    killed(tmp_path / "run", "store = Store(folder)\ndie()\n")
    Store(tmp_path / "run").close()


def test_a_store_that_could_not_be_opened_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "run.sqlite").write_text("this is no database, " * 100)
    with pytest.raises(StoreError, match="cannot open the run"):
        Store(tmp_path)
    (tmp_path / "run.sqlite").unlink()
    Store(tmp_path).close()


# --- what cannot be opened or read ---


def broken_folders() -> dict[str, tuple[str, str]]:
    """What stands in the way, and what the error says."""
    return {
        "the folder is a file": ("run", "cannot open the run"),
        "the folder is below a file": ("run/model", "cannot open the run"),
        "the database is a folder": ("run", "cannot open the run"),
        "the database is none": ("run", "not a database"),
        "the lock is a folder": ("run", "cannot open the run"),
    }


@pytest.mark.parametrize("fault", broken_folders())
def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path, fault: str) -> None:
    name, message = broken_folders()[fault]
    if fault.startswith("the folder"):
        (tmp_path / "run").write_text("")
    else:
        (tmp_path / "run").mkdir()
        what = tmp_path / "run" / (".lock" if "lock" in fault else "run.sqlite")
        if fault.endswith("none"):
            what.write_bytes(b"\x00junk" * 1000)
        else:
            what.mkdir()
    with pytest.raises(StoreError, match=message) as error:
        Store(tmp_path / name)
    assert str(tmp_path / name) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs Linux's /proc")
def test_a_place_where_nothing_can_be_written_is_a_store_error() -> None:
    with pytest.raises(StoreError, match="cannot open the run"):
        Store(Path("/proc/towereval/run"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_store_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(StoreError, match="Permission denied"):
            Store(tmp_path / "run")
        with pytest.raises(StoreError, match="Permission denied"):
            Store(tmp_path)
        tmp_path.chmod(0o755)
        Store(tmp_path).close()
        tmp_path.chmod(0o555)
        with Store(tmp_path) as store:
            with pytest.raises(StoreError, match=r"results\.json: cannot be written"):
                store.write_results({})
            with pytest.raises(StoreError, match=r"run\.sqlite: attempt to write"):
                store.replace_samples([made(1)])
    finally:
        tmp_path.chmod(0o755)


def test_a_database_that_another_program_holds_is_a_store_error(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        store._db.execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(tmp_path / "run.sqlite", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        try:
            with pytest.raises(StoreError, match="database is locked"):
                store.replace_samples([made(1)])
        finally:
            other.close()
        fill(store, made(1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is not a run: it has no manifest.json"),
        ("", "manifest.json cannot be read"),
        ('{"schema": 1', "manifest.json cannot be read"),
        (b"\xff\xfe", "manifest.json cannot be read"),
        ("[]", "manifest.json holds a list, no manifest"),
        ("3", "manifest.json holds a int, no manifest"),
        ("{}", "schema None, this towereval reads 1"),
        ('{"schema": 2}', "schema 2, this towereval reads 1"),
        ('{"schema": "1"}', "schema '1', this towereval reads 1"),
    ],
)
def test_a_folder_that_is_no_run_of_ours_is_named(
    tmp_path: Path, content: str | bytes | None, message: str
) -> None:
    if content is not None:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / "manifest.json").write_bytes(data)
    with pytest.raises(StoreError, match=message) as error:
        read_manifest(tmp_path)
    assert str(tmp_path) in str(error.value)


def test_an_export_that_cannot_be_written_is_a_store_error(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "samples").write_text("")
    (tmp_path / "results.json").mkdir()
    with Store(tmp_path) as store:
        with pytest.raises(StoreError, match=r"made\.parquet: cannot be written"):
            write_samples(store, "made", [])
        with pytest.raises(StoreError, match=r"results\.json: cannot be written"):
            store.write_results({})


# --- texts ---


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("Grüße\u2028\u2029\x85\r\n\t", "Grüße\u2028\u2029\x85\r\n\t"),
        ("before\x00after", "before\x00after"),
        ("lone \ud83d surrogate \udc80", "lone ? surrogate ?"),
        ("👩‍👩‍👧 e\u0301 \u202e", "👩‍👩‍👧 e\u0301 \u202e"),
        ("long " * 200_000, "long " * 200_000),
        ("' OR 1=1; --", "' OR 1=1; --"),
    ],
    ids=["empty", "separators", "nul", "surrogate", "marks", "megabyte", "quote"],
)
def test_any_text_survives_as_an_answer_and_as_an_error(
    tmp_path: Path, text: str, kept: str
) -> None:
    row = made(1)
    [request] = row[2]
    given = answer(request, text, error=text, logprob=-1e300, token_count=7, seconds=0.5)
    with Store(tmp_path) as store:
        store.replace_samples([row])
        drain(store, [given])
    with Store(tmp_path) as store:
        assert store.response(request.key) == replace(given, text=kept, error=kept)
        assert store.failures() == ([(kept, 1)] if kept else [])


def test_any_text_survives_in_a_sample_its_export_and_its_score(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    odd = "\ud800 \x00 \u2028"
    task, sample, requests = made(1, odd)
    sample = replace(sample, id=odd, group=odd, cluster=odd, references=(odd,), meta={odd: odd})
    with Store(tmp_path) as store:
        store.replace_samples([(task, sample, requests)])
        [(position, found, _)] = store.answered(task)
        assert found == sample
        score = Score(odd, "de", odd, odd, "m", unscored=odd)
        store.replace_scores([(position, score)])
        assert [one.unscored for one in store.scores(task, "m")] == ["? \x00 \u2028"]
        store.write_results({"results": [odd]})
        write_samples(store, task, ["m"])
    [row] = parquet.read_table(tmp_path / "samples" / "made.parquet").to_pylist()
    assert row["references"] == ["? \x00 \u2028"]
    assert row["unscored"] == "? \x00 \u2028"


def test_the_export_holds_what_was_asked_answered_and_scored(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [made(i, count=2, picture=f"p{i}") for i in range(PAGE + 1)]
    with Store(tmp_path) as store:
        store.replace_samples(rows)
        first, second, third, *_ = store.unanswered()
        drain(store, [answer(first, "", logprob=-1.5), answer(second, "", error="too long")])
        score = Score("0", "de", "", "p0", "f1", values=(1.0, 2.0, 3.0))
        reason = Score("1", "de", "", "p1", "f1", unscored="not asked yet", failed=True)
        store.replace_scores([(1, score), (2, reason)])
        write_samples(store, "made", ["f1"])
    table = parquet.read_table(tmp_path / "samples" / "made.parquet").to_pylist()
    assert len(table) == PAGE + 1
    assert table[0] == {
        "id": "0",
        "language": "de",
        "group": "",
        "cluster": "p0",
        "prompt": "0",
        "media": ["p0"],
        "references": ["yes"],
        "responses": ["", ""],
        "errors": ["", "too long"],
        "logprobs": [-1.5, None],
        "f1": [1.0, 2.0, 3.0],
        "unscored": "",
    }
    assert third.sample_id == "1"
    assert table[1]["responses"] == [None, None]
    assert table[1]["errors"] == ["not asked yet", "not asked yet"]
    assert (table[1]["f1"], table[1]["unscored"]) == (None, "not asked yet")


# --- scores ---


def test_scores_of_one_metric_are_replaced_and_the_others_stay(tmp_path: Path) -> None:
    def score(metric: str, value: float) -> tuple[int, Score]:
        return 1, Score("1", "de", "", "p", metric, values=(value,))

    with Store(tmp_path) as store:
        fill(store, made(1))
        store.replace_scores([score("bleu", 1.0), score("chrf", 2.0)])
        store.replace_scores([score("bleu", 9.0)], ["bleu"])
        ((_, _, scores),) = store.scored("made")
        assert scores == {"bleu": ((9.0,), ""), "chrf": ((2.0,), "")}
        store.replace_scores([score("bleu", 8.0)])
        ((_, _, scores),) = store.scored("made")
        assert scores == {"bleu": ((8.0,), "")}


def test_new_samples_have_no_scores_of_old_ones(tmp_path: Path) -> None:
    with Store(tmp_path) as store:
        fill(store, made(1))
        store.replace_scores([(1, Score("1", "de", "", "p", "bleu", values=(1.0,)))])
        store.replace_samples([made(2)])
        assert list(store.scores("made", "bleu")) == []


# --- records ---


def test_samples_and_requests_are_read_as_they_were_written() -> None:
    prompt = (
        Message("system", (Text("Be brief.\ud83d"),)),
        Message("user", (Image("a.png", "11"), Video("b.mp4", "22"), Text("What?"), Text("Image"))),
        Message("assistant", (Text(""),)),
    )
    sample = Sample("1", "zh-Hans", prompt, ("a", "b"), ("c",), "group", "cluster", {"k": "v"})
    decoding = Decoding(5, temperature=0.7, seed=3, stop=("\n", "END"), choices=("A", "B"))
    request = Request("1", prompt, decoding, continuation="tail", respondent="r")
    assert load_sample(dump(sample)) == sample
    assert load_request(dump(request)) == request
    assert load_request(dump(request)).key == request.key
    bare = Request("2", (Message("user", (Text("x"),)),), Decoding(1))
    assert load_request(dump(bare)) == bare


# --- keys ---

IMAGE, VIDEO = Image("a.png", "11"), Video("b.mp4", "22")
RESPONDENT = Respondent(
    model="org/model",
    checkpoint="c" * 64,
    adapter="family 1",
    engine="vllm 0.32.0",
    dtype="bfloat16",
    engine_args={"frames": 8, "nested": {"a": [1]}},
    media="rgb-1",
)
REQUEST = Request(
    "1",
    (
        Message("system", (Text("Be brief."),)),
        Message("user", (IMAGE, Image("c.png", "33"), Text("What"), Text("is it?"))),
    ),
    Decoding(max_tokens=16, temperature=0.5, seed=1, stop=("\n",), choices=("A", "B")),
    continuation=" yes",
    respondent=RESPONDENT.digest,
)


def asking(*parts: Any, role: Any = "user") -> Request:
    return replace(REQUEST, prompt=(REQUEST.prompt[0], Message(role, parts)))


def decoded(**changes: Any) -> Request:
    return replace(REQUEST, decoding=replace(REQUEST.decoding, **changes))


def by(**changes: Any) -> Request:
    return replace(REQUEST, respondent=replace(RESPONDENT, **changes).digest)


SECOND = Image("c.png", "33")
WORDS = (Text("What"), Text("is it?"))
MUTANTS = {
    "text": asking(IMAGE, SECOND, Text("What"), Text("is it? ")),
    "case of the text": asking(IMAGE, SECOND, Text("what"), Text("is it?")),
    "border between texts": asking(IMAGE, SECOND, Text("Whatis"), Text(" it?")),
    "one text for two": asking(IMAGE, SECOND, Text("Whatis it?")),
    "unicode form": asking(IMAGE, SECOND, Text("What"), Text("is it\u037e")),
    "role": asking(IMAGE, SECOND, *WORDS, role="assistant"),
    "picture": asking(replace(IMAGE, sha256="12"), SECOND, *WORDS),
    "one picture less": asking(IMAGE, *WORDS),
    "picture twice": asking(IMAGE, IMAGE, SECOND, *WORDS),
    "order of pictures": asking(SECOND, IMAGE, *WORDS),
    "text before the pictures": asking(*WORDS, IMAGE, SECOND),
    "clip for a picture": asking(Video("a.png", "11"), SECOND, *WORDS),
    "picture's hash as text": asking(Text("11"), SECOND, *WORDS),
    "no system message": replace(REQUEST, prompt=REQUEST.prompt[1:]),
    "order of messages": replace(REQUEST, prompt=REQUEST.prompt[::-1]),
    "one message more": replace(
        REQUEST, prompt=(*REQUEST.prompt, Message("assistant", (Text(""),)))
    ),
    "max_tokens": decoded(max_tokens=17),
    "temperature": decoded(temperature=0.6),
    "seed": decoded(seed=2),
    "stop": decoded(stop=()),
    "order of stops": decoded(stop=("\n", "\r")),
    "choices": decoded(choices=("A", "B", "C")),
    "order of choices": decoded(choices=("B", "A")),
    "stops as choices": decoded(stop=("A", "B"), choices=("\n",)),
    "continuation": replace(REQUEST, continuation=" no"),
    "blank of the continuation": replace(REQUEST, continuation="yes"),
    "empty continuation": replace(REQUEST, continuation=""),
    "no continuation": replace(REQUEST, continuation=None),
    "model": by(model="org/other"),
    "checkpoint": by(checkpoint="d" * 64),
    "adapter": by(adapter="family 2"),
    "engine": by(engine="vllm 0.33.0"),
    "dtype": by(dtype="float32"),
    "engine_args": by(engine_args={"frames": 16, "nested": {"a": [1]}}),
    "inner engine_args": by(engine_args={"frames": 8, "nested": {"a": [2]}}),
    "fewer engine_args": by(engine_args={"frames": 8}),
    "media": by(media="rgb-2"),
}


@pytest.mark.parametrize("what", MUTANTS)
def test_what_can_change_an_answer_changes_the_key(what: str) -> None:
    assert MUTANTS[what].key != REQUEST.key


def test_no_two_mutants_share_a_key() -> None:
    assert len({mutant.key for mutant in MUTANTS.values()}) == len(MUTANTS)


@pytest.mark.parametrize("kind", [Decoding, Respondent])
def test_every_field_has_a_mutant(kind: type[Any]) -> None:
    assert {field.name for field in fields(kind)} <= set(MUTANTS)


@pytest.mark.parametrize(
    "same",
    [
        replace(REQUEST, sample_id="2"),
        asking(replace(IMAGE, source="/elsewhere/a.jpg"), replace(SECOND, source=""), *WORDS),
        by(engine_args={"nested": {"a": [1]}, "frames": 8}),
    ],
    ids=["sample id", "file path", "order of engine_args"],
)
def test_what_cannot_change_an_answer_keeps_the_key(same: Request) -> None:
    assert same.key == REQUEST.key


def test_the_key_is_the_same_in_every_process(tmp_path: Path) -> None:
    script = "from tests.test_store import REQUEST; print(REQUEST.key)"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        )
        assert done.stdout.strip() == REQUEST.key
