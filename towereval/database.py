"""A run's database file: its tables, who may open it, and whole transactions."""

from __future__ import annotations

import fcntl
import os
import socket
import sqlite3
from pathlib import Path
from types import TracebackType

from towereval.errors import StoreError

# Moves with the tables below.
TABLES = 1

_TABLES = """
CREATE TABLE IF NOT EXISTS samples (
    position INTEGER PRIMARY KEY, task TEXT NOT NULL, id TEXT NOT NULL, language TEXT NOT NULL,
    grp TEXT NOT NULL, cluster TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (task, language, id));
CREATE TABLE IF NOT EXISTS media (ordinal INTEGER PRIMARY KEY, sha256 TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    position INTEGER PRIMARY KEY, sample INTEGER NOT NULL REFERENCES samples, key TEXT NOT NULL,
    media INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS requests_by_media ON requests (media, position);
CREATE INDEX IF NOT EXISTS requests_by_key ON requests (key);
CREATE INDEX IF NOT EXISTS requests_by_sample ON requests (sample);
CREATE TABLE IF NOT EXISTS responses (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, logprob REAL, token_count INTEGER NOT NULL,
    error TEXT NOT NULL, seconds REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
    signature TEXT NOT NULL, key TEXT NOT NULL, score REAL NOT NULL,
    PRIMARY KEY (signature, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS scores (
    sample INTEGER NOT NULL REFERENCES samples, metric TEXT NOT NULL, stats TEXT NOT NULL,
    unscored TEXT NOT NULL, failed INTEGER NOT NULL, remark TEXT NOT NULL,
    PRIMARY KEY (sample, metric)) WITHOUT ROWID;
"""


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
    """With its tables. Raises `StoreError` for another version's and `sqlite3.Error`."""
    db = sqlite3.connect(file, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = FULL")
        (made_by,) = db.execute("PRAGMA user_version").fetchone()
        (tables,) = db.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        if tables and made_by != TABLES:
            raise StoreError(f"{file}: made by another towereval; start anew with --fresh")
        if not tables:
            # As one: tables without their version would be taken for another towereval's.
            db.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {TABLES}; COMMIT;")
    except (sqlite3.Error, StoreError):
        db.close()
        raise
    return db


def connect_reading(file: Path) -> sqlite3.Connection:
    """Without changing a byte. Raises `StoreError` and `sqlite3.Error`."""
    # Never "immutable": a journal that a killed process has left would not be seen.
    db = sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None)
    try:
        (made_by,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.Error as error:
        db.close()
        if file.with_name(f"{file.name}-journal").exists():
            raise StoreError(f"{file}: cut short while it was written: resume the run") from error
        raise
    if made_by != TABLES:
        db.close()
        raise StoreError(f"{file}: made by another towereval; start anew with --fresh")
    return db


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
