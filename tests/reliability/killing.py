"""A command killed at a moment of its work, and what must hold of its folder afterwards."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.test_cli import surroundings
from towereval.store import PAGE

MODULE = ("-m", "tests.reliability.scripted")
COMMIT_SECONDS = 0.5  # what `Store.add_responses` promises
TIMES = {"created", "generated", "started", "seconds", "speed"}


@dataclass(frozen=True, slots=True)
class Bench:
    """A folder to work in, how long the scripted engine takes for an answer, and what else a
    command finds in its environment.
    """

    folder: Path
    seconds: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        return self.folder / "answered.txt"

    def start(self, words: Sequence[object]) -> subprocess.Popen[str]:
        """The running command, at the moment at which its own work begins."""
        self.log.write_text("")
        process = subprocess.Popen(
            [sys.executable, *MODULE, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=surroundings(ANSWERED=str(self.log), SECONDS=str(self.seconds), **self.environment),
            start_new_session=True,
        )
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        return process

    def finish(self, words: Sequence[object], statuses: Sequence[int] = (0,)) -> float:
        """Let the command run to its end; its seconds."""
        process = self.start(words)
        began = time.monotonic()
        _, errors = process.communicate(timeout=300)
        assert process.returncode in statuses, errors
        assert "Traceback" not in errors
        return time.monotonic() - began

    def kill(self, words: Sequence[object], after: float, *, alone: bool = False) -> bool:
        """SIGKILL after so many seconds of work; whether it came in time.

        `alone`: its own processes are left to end by themselves, which is waited for.
        """
        process = self.start(words)
        time.sleep(after)
        in_time = process.poll() is None
        if in_time:
            (os.kill if alone else os.killpg)(process.pid, signal.SIGKILL)
        process.communicate(timeout=180)
        return in_time


def answers(run: Path) -> dict[str, tuple[Any, ...]]:
    """All that is committed, read as any program would: by key, without times."""
    if not (run / "run.sqlite").exists():
        return {}
    with sqlite3.connect(run / "run.sqlite") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        try:
            rows = database.execute(
                "SELECT key, text, logprob, token_count, error"
                " FROM responses JOIN questions ON ordinal = question"
            )
        except sqlite3.OperationalError as error:
            assert "no such table" in str(error)  # killed before there were any
            return {}
        return {key: rest for key, *rest in rows.fetchall()}


def check_whole(folder: Path) -> None:
    """No file under a final name is torn."""
    from pyarrow import parquet

    for file in folder.rglob("*.json"):
        json.loads(file.read_text(encoding="utf-8"))
    for file in folder.rglob("*.parquet"):
        parquet.read_table(file)
    for file in folder.rglob("*.html"):
        assert file.read_text(encoding="utf-8").rstrip().endswith("</html>"), file


def check_answers(bench: Bench, run: Path, before: Mapping[str, object]) -> None:
    """What was committed is there, and of what was answered since at most one transaction lacks."""
    kept = answers(run)
    assert {key: kept.get(key) for key in before} == before
    given = bench.log.read_text(encoding="utf-8").split()
    lost = [key for key in given if key not in kept]
    assert lost == given[len(given) - len(lost) :], "not the latest ones"
    slowness = COMMIT_SECONDS / bench.seconds if bench.seconds else PAGE
    # One answer more may be on its way between the engine and the store.
    assert len(lost) <= min(PAGE, slowness + 1) + 1


def content(folder: Path) -> dict[str, Any]:
    """All that a finished command wrote, apart from times: JSON, tables, answers."""
    found: dict[str, Any] = {}
    for file in sorted(folder.rglob("*")):
        name = str(file.relative_to(folder))
        if file.suffix == ".json":
            whole = json.loads(file.read_text(encoding="utf-8"))
            found[name] = {key: value for key, value in whole.items() if key not in TIMES}
        elif file.suffix == ".parquet":
            found[name] = file.read_bytes()
        elif file.suffix == ".sqlite":
            found[name] = answers(file.parent)
    return found


def moments(seed: int, count: int, length: float) -> list[float]:
    """One at random within each of `count` equal parts, so that none of the work is left out."""
    draw = random.Random(seed)
    return [(at + draw.random()) * length / count for at in draw.sample(range(count), count)]
