"""A run that asks a server and is stopped keeps what was answered, and goes on from there."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.chat_server import Asked, ChatServer, Reply
from tests.engines.asking import KEY
from tests.test_cli import MAIN, surroundings, towereval
from towereval.store import Store

# A test may run below a shell that ignores the signal.
SCRIPT = f"import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n{MAIN}"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def test_ctrl_c_keeps_what_a_server_answered(tmp_path: Path) -> None:
    """Four of them wait for their answers, which no longer come; the rest were never asked."""
    hanging = threading.Semaphore(0)
    numbers = itertools.count(1)

    def script(asked: Asked) -> str | Reply:
        if (number := next(numbers)) <= 10:  # asked by four threads: one step, not two
            return f"answer {number}"
        hanging.release()
        return Reply(seconds=60.0)

    with ChatServer(script) as server:
        words = [
            *("run", "--model", "org/served", "--engine", "openai", "--tasks", "multi30k"),
            *("--split", "sample", "--engine-args", f"base_url={server.url},concurrency=4"),
        ]
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", SCRIPT, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=surroundings(OPENAI_API_KEY=KEY),
        )
        with process:
            for _ in range(4):
                assert hanging.acquire(timeout=180)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=180)
        assert time.monotonic() - began < 30  # a reply would take 60
        assert process.returncode == 130
        assert errors.splitlines()[-1] == "stopped; the same command goes on from here"
        [folder] = [path.parent for path in tmp_path.rglob("manifest.json")]
        with Store(folder) as store:
            kept = [
                response.text
                for _, _, responses in store.answered("multi30k")
                for response in responses
                if response
            ]
        assert sorted(kept) == sorted(f"answer {number}" for number in range(1, 11))
        first = len(server.asked)
        server.script = lambda _: "later"
        again = towereval(*words, cwd=tmp_path, OPENAI_API_KEY=KEY)
    assert again.returncode == 0, again.stderr
    assert first == 14
    assert len(server.asked) - first == 24 - 10
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in output + errors + again.stdout + again.stderr
