"""A run's database file: its tables, who may open it, and whole transactions.

Keys are hashes: a table in their order would take each answer at another place, and a commit of 500
would write 500 pages of a large file. So each question has a number, in the order in which it was
first asked, and answers are kept by that: they come in nearly the same order. A key is found by its
first ten digits, whose index of a million fits into the memory that SQLite is given.
"""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
from pathlib import Path
from types import TracebackType

from towereval.errors import StoreError

# Moves with the tables below.
TABLES = 2
_CACHE_KB = 32_768


def is_key(value: str) -> str:
    """The condition under which a row of `questions` has that key."""
    # Without the plus SQLite puts the value in place of both, and finds no index for that.
    return f"substr(questions.key, 1, 10) = substr({value}, 1, 10) AND +questions.key = {value}"


_TABLES = """
CREATE TABLE IF NOT EXISTS samples (
    position INTEGER PRIMARY KEY, task TEXT NOT NULL, id TEXT NOT NULL, language TEXT NOT NULL,
    grp TEXT NOT NULL, cluster TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (task, language, id));
CREATE TABLE IF NOT EXISTS media (ordinal INTEGER PRIMARY KEY, sha256 TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS questions (ordinal INTEGER PRIMARY KEY, key TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS questions_by_key ON questions (substr(key, 1, 10));
CREATE TABLE IF NOT EXISTS requests (
    position INTEGER PRIMARY KEY, sample INTEGER NOT NULL REFERENCES samples,
    question INTEGER NOT NULL REFERENCES questions, media INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS requests_by_media ON requests (media, position);
CREATE INDEX IF NOT EXISTS requests_by_question ON requests (question, position);
CREATE INDEX IF NOT EXISTS requests_by_sample ON requests (sample);
CREATE TABLE IF NOT EXISTS responses (
    question INTEGER PRIMARY KEY REFERENCES questions, text TEXT NOT NULL, logprob REAL,
    token_count INTEGER NOT NULL, error TEXT NOT NULL, seconds REAL NOT NULL);
CREATE TABLE IF NOT EXISTS segments (
    signature TEXT NOT NULL, key TEXT NOT NULL, score REAL NOT NULL,
    PRIMARY KEY (signature, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    sample INTEGER NOT NULL REFERENCES samples, metric TEXT NOT NULL, stats TEXT NOT NULL,
    unscored TEXT NOT NULL, failed INTEGER NOT NULL, remark TEXT NOT NULL,
    PRIMARY KEY (sample, metric)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS published (stamp TEXT NOT NULL, files TEXT NOT NULL);
"""
# Version 1 kept answers by their key.
_FROM_1 = f"""
BEGIN IMMEDIATE;
ALTER TABLE requests RENAME TO old_requests;
ALTER TABLE responses RENAME TO old_responses;
DROP INDEX requests_by_media; DROP INDEX requests_by_key; DROP INDEX requests_by_sample;
{_TABLES}
INSERT INTO questions (key) SELECT key FROM old_requests GROUP BY key ORDER BY MIN(position);
INSERT INTO questions (key)
    SELECT key FROM old_responses WHERE key NOT IN (SELECT key FROM old_requests);
INSERT INTO requests SELECT position, sample, ordinal, media, body
    FROM old_requests CROSS JOIN questions ON {is_key("old_requests.key")} ORDER BY position;
INSERT INTO responses SELECT ordinal, text, logprob, token_count, error, seconds
    FROM questions CROSS JOIN old_responses USING (key) ORDER BY ordinal;
DROP TABLE old_requests; DROP TABLE old_responses;
PRAGMA user_version = {TABLES};
COMMIT;
"""  # noqa: S608 these are its own words


class Transaction:
    """BEGIN ... COMMIT, or ROLLBACK on any error; SQLite's own errors become `StoreError`."""

    def __init__(self, db: sqlite3.Connection, folder: Path) -> None:
        self._db, self._folder = db, folder

    def __enter__(self) -> None:
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise StoreError(f"{self._folder}/run.sqlite: {error}") from error

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._db.execute("COMMIT" if error is None else "ROLLBACK")
        except sqlite3.Error as problem:
            raise StoreError(f"{self._folder}/run.sqlite: {problem}") from problem
        if isinstance(error, sqlite3.Error):
            raise StoreError(f"{self._folder}/run.sqlite: {error}") from error


def connect(file: Path) -> sqlite3.Connection:
    """With its tables; an older version's are brought up to date.

    Raises `StoreError` for those of a version that is not known, and `sqlite3.Error`.
    """
    db = sqlite3.connect(file, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        (version,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if not tables:
            # As one: tables without their version would be taken for another towereval's.
            db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {TABLES}; COMMIT;")
        elif version == 1:
            db.executescript(_FROM_1)
        elif version != TABLES:
            raise StoreError(other_version(file, version))
    except (sqlite3.Error, StoreError):
        db.close()
        raise
    return db


def connect_reading(file: Path) -> sqlite3.Connection:
    """Without changing a byte. Raises `StoreError` and `sqlite3.Error`."""
    # Never "immutable": a journal that a killed process has left would not be seen.
    db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        db.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
    except sqlite3.Error as error:
        db.close()
        if file.with_name(f"{file.name}-journal").exists():
            raise StoreError(f"{file}: cut short while it was written: resume the run") from error
        raise
    if version != TABLES:
        db.close()
        raise StoreError(other_version(file, version))
    return db


def other_version(file: Path, version: int) -> str:
    """What is wrong with a file of such tables, and what to do."""
    cure = "towereval score brings it up to date" if version == 1 else "start anew with --fresh"
    return f"{file}: made by another towereval (tables {version}, not {TABLES}); {cure}"


def take_lock(file: Path) -> int:
    """The lock's handle, for the one process that writes. Raises `StoreError` with its owner."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    _lock(handle, fcntl.LOCK_EX, file.parent)
    os.ftruncate(handle, 0)
    os.pwrite(handle, f"{socket.gethostname()} pid {os.getpid()}".encode(), 0)
    return handle


def share_lock(file: Path) -> int | None:
    """None where no process has ever written: whoever writes makes the lock first."""
    try:
        handle = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        return None
    _lock(handle, fcntl.LOCK_SH, file.parent)
    return handle


def _lock(handle: int, how: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(handle, 200).decode(errors="replace") or "another process"
        try:  # readers leave no name
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            owner = "a command that reads it"
        except OSError:
            pass
        os.close(handle)
        raise StoreError(f"{folder}: in use by {owner}") from error
