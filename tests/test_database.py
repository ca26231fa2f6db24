"""A run's database: an older one is taken up, another refused, a key is found by its index."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.test_store import integrity, made
from towereval.database import connect, is_key
from towereval.errors import StoreError
from towereval.records import dump
from towereval.store import Store
from towereval.types import Request, Response

# What version 1 made.
VERSION_1 = """
CREATE TABLE samples (
    position INTEGER PRIMARY KEY, task TEXT NOT NULL, id TEXT NOT NULL, language TEXT NOT NULL,
    grp TEXT NOT NULL, cluster TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (task, language, id));
CREATE TABLE media (ordinal INTEGER PRIMARY KEY, sha256 TEXT UNIQUE NOT NULL);
CREATE TABLE requests (
    position INTEGER PRIMARY KEY, sample INTEGER NOT NULL REFERENCES samples, key TEXT NOT NULL,
    media INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX requests_by_media ON requests (media, position);
CREATE INDEX requests_by_key ON requests (key);
CREATE INDEX requests_by_sample ON requests (sample);
CREATE TABLE responses (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, logprob REAL, token_count INTEGER NOT NULL,
    error TEXT NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE segments (
    signature TEXT NOT NULL, key TEXT NOT NULL, score REAL NOT NULL,
    PRIMARY KEY (signature, key)) WITHOUT ROWID;
CREATE TABLE scores (
    sample INTEGER NOT NULL REFERENCES samples, metric TEXT NOT NULL, stats TEXT NOT NULL,
    unscored TEXT NOT NULL, failed INTEGER NOT NULL, remark TEXT NOT NULL,
    PRIMARY KEY (sample, metric)) WITHOUT ROWID;
PRAGMA user_version = 1;
"""


def of_version_1(folder: Path) -> list[Request]:
    """A run of four requests, two alike, one answered and one failed, and an answer of old."""
    rows = [made(1, "same"), made(2, "same"), made(3), made(4)]
    folder.mkdir()
    db = sqlite3.connect(folder / "run.sqlite", isolation_level=None)
    db.executescript(VERSION_1)
    db.execute("INSERT INTO media VALUES (1, 'p')")
    requests = [request for _, _, [request] in rows]
    for position, (task, sample, [request]) in enumerate(rows, start=1):
        named = (position, task, sample.id, "de", "", "p", dump(sample))
        db.execute("INSERT INTO samples VALUES (?, ?, ?, ?, ?, ?, ?)", named)
        asked = (position, position, request.key, 1, dump(request))
        db.execute("INSERT INTO requests VALUES (?, ?, ?, ?, ?)", asked)
    answers = [(requests[0].key, "yes", ""), (requests[2].key, "", "lost"), ("0" * 64, "old", "")]
    for key, text, error in answers:
        kept = (key, text, None, 3, error, 0.25)
        db.execute("INSERT INTO responses VALUES (?, ?, ?, ?, ?, ?)", kept)
    db.close()
    return requests


def test_an_older_versions_run_is_taken_up_as_it_was(tmp_path: Path) -> None:
    same, _, lost, fourth = of_version_1(tmp_path / "run")
    for _ in range(2):
        with Store(tmp_path / "run") as store:
            [(_, first, [one]), (_, _, [twin]), (_, _, [failed]), (_, _, [none])] = store.answered(
                "made"
            )
            assert (first.id, one, twin) == ("1", Response(same.key, "yes", None, 3, "", 0.25), one)
            assert (failed and failed.error, none) == ("lost", None)
            assert [request.key for request in store.unanswered()] == [lost.key, fourth.key]
            assert store.is_answered("0" * 64)
    assert integrity(tmp_path / "run") == "ok"


def test_a_reader_says_how_an_older_versions_run_is_brought_up_to_date(tmp_path: Path) -> None:
    of_version_1(tmp_path / "run")
    before = (tmp_path / "run" / "run.sqlite").read_bytes()
    with pytest.raises(StoreError, match=r"tables 1, not 2\); towereval score brings it up to"):
        Store(tmp_path / "run", reading=True)
    assert (tmp_path / "run" / "run.sqlite").read_bytes() == before


@pytest.mark.parametrize("reading", [False, True])
def test_another_versions_tables_are_refused_with_the_way_out(
    tmp_path: Path, reading: bool
) -> None:
    with Store(tmp_path / "run"):
        pass
    with sqlite3.connect(tmp_path / "run" / "run.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreError, match=r"tables 99, not 2\); start anew with --fresh"):
        Store(tmp_path / "run", reading=reading)


def test_a_key_is_found_by_its_index(tmp_path: Path) -> None:
    """Without it each answer would be looked for among all: nothing would fail, it would crawl."""
    db = connect(tmp_path / "run.sqlite")
    query = f"EXPLAIN QUERY PLAN SELECT ordinal FROM questions WHERE {is_key('?1')}"
    [(*_, plan)] = db.execute(query, ("0" * 64,)).fetchall()
    db.close()
    assert plan.startswith("SEARCH questions USING INDEX questions_by_key")


def test_keys_that_begin_alike_are_two_questions(tmp_path: Path) -> None:
    one, other = Response("0" * 10 + "1" * 54, "one"), Response("0" * 10 + "2" * 54, "other")
    with Store(tmp_path / "run") as store:
        assert len(list(store.add_responses([one, other, one]))) == 3
        assert (store.response(one.key), store.response(other.key)) == (one, other)
        assert store.response("0" * 64) is None
