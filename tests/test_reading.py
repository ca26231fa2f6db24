"""A finished run is read by many at once and stays as it was; one in progress is read by none."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.test_cli import error_line, towereval
from tests.test_measured import finished
from tests.test_store import killed, made
from towereval.errors import StoreError
from towereval.measured import read
from towereval.store import Store


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("read"))


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file's and folder's time of change, and what is in it."""
    return {
        str(each): (each.stat().st_mtime_ns, each.read_bytes() if each.is_file() else b"")
        for each in (folder, *folder.rglob("*"))
    }


def test_a_run_is_compared_beside_another_reader_and_stays_as_it_was(
    run: Path, tmp_path: Path
) -> None:
    before = state(run)
    with Store(run, reading=True):
        done = towereval("compare", run, run, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        assert towereval("baseline", run, "made.json", cwd=tmp_path).returncode == 0
    assert state(run) == before


def test_a_recorded_run_is_replayed_beside_another_reader(run: Path, tmp_path: Path) -> None:
    words = ("--engine", "replay", "--engine-args", f"run={run}", "--split", "sample")
    before = state(run)
    with Store(run, reading=True):
        done = towereval("run", "--model", "made", "--tasks", "ocrbench", *words, cwd=tmp_path)
    assert "30 asked" in done.stdout, done.stderr
    assert state(run) == before


def test_a_run_without_its_lock_is_read_and_gets_none(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    (copy / ".lock").unlink()
    assert read(copy) == read(run)
    assert not (copy / ".lock").exists()


def test_a_run_in_progress_is_not_read(run: Path) -> None:
    with Store(run), pytest.raises(StoreError, match=f"in use by .* pid {os.getpid()}$"):
        read(run)


def test_a_run_that_is_read_is_not_written(run: Path, tmp_path: Path) -> None:
    with Store(run, reading=True):
        done = towereval("score", run, cwd=tmp_path)
    assert error_line(done, 4).endswith("in use by a command that reads it")
    assert towereval("score", run, cwd=tmp_path).returncode == 0


def test_a_reader_cannot_write(run: Path) -> None:
    with (
        Store(run, reading=True) as store,
        pytest.raises(StoreError, match="attempt to write a readonly"),
    ):
        store.replace_samples([made(1)])


def test_what_is_no_run_stays_none(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing: cannot open the run"):
        Store(tmp_path / "nothing", reading=True)
    (tmp_path / "run.sqlite").touch()
    with pytest.raises(StoreError, match="made by another towereval"):
        Store(tmp_path, reading=True)
    assert [each.name for each in tmp_path.iterdir()] == ["run.sqlite"]


def test_a_run_that_was_killed_in_a_commit_is_not_read(tmp_path: Path) -> None:
    """Its journal holds what must be undone, which a reader cannot and must not pass over."""
    script = """
import sqlite3
with Store(folder) as store:
    store.replace_samples([made(i) for i in range(2_000)])
db = sqlite3.connect(folder / "run.sqlite", isolation_level=None)
db.execute("PRAGMA cache_size = 1")
db.execute("BEGIN")
db.execute("UPDATE samples SET body = body || 'half'")
die()
"""
    folder = tmp_path / "run"
    killed(folder, script)
    assert (folder / "run.sqlite-journal").stat().st_size
    with pytest.raises(StoreError, match="cut short while it was written: resume the run"):
        Store(folder, reading=True)
    with Store(folder) as store:
        assert store.tasks() == ["made"]
    with Store(folder, reading=True) as store:
        bodies = store._db.execute("SELECT body FROM samples WHERE body LIKE '%half'").fetchall()
        assert bodies == []


def test_a_log_that_has_lost_a_table_is_one_line(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    db = sqlite3.connect(copy / "run.sqlite")
    db.execute("DROP TABLE scores")
    db.close()
    done = towereval("compare", run, copy, cwd=tmp_path)
    assert "run.sqlite: no such table: scores" in error_line(done, 4)
