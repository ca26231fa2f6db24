"""What a terminal's display costs a run, running scores included, at its fastest: replayed answers.

    python benchmarks/terminal.py [COUNT]

`towereval run --engine replay` over the data of `memory.py`, in a terminal of its own. Processor
seconds of the threads that look and draw, beside the whole process's: other programs do not move
them as they move wall seconds.
"""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import publish, table
from memory import write_data, write_recording

PROGRAM = """
import atexit, json, sys, time
from rich.live import Live
from towereval.cli.app import main
from towereval.cli.progress import Progress

spent = {"looking": 0.0, "drawing": 0.0}

def timed(owner, name, part):
    call = getattr(owner, name)
    def measured(*words, **named):
        began = time.thread_time()
        try:
            return call(*words, **named)
        finally:
            spent[part] += time.thread_time() - began
    setattr(owner, name, measured)

file = sys.argv[1]
atexit.register(lambda: json.dump({**spent, "all": time.process_time()}, open(file, "w")))
del sys.argv[1]
timed(Progress, "_tell", "looking")
timed(Live, "refresh", "drawing")
main()
"""


def measure(count: int) -> dict[str, float]:
    """Processor seconds by part."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_data(folder / "data", count)
        write_recording(folder / "recording", folder / "data")
        told = folder / "told.json"
        words = [
            *("run", "--model", "recorded", "--tasks", "ocrbench", "--engine", "replay"),
            *("--engine-args", f"run={folder / 'recording'}"),
            *("--data", f"ocrbench={folder / 'data'}", "--output", str(folder / "results")),
        ]
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(told), *words],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**os.environ, "TERM": "xterm", "CI": "", "COLUMNS": "120", "LINES": "40"},
        )
        os.close(slave)
        try:
            while os.read(master, 65536):
                pass
        except OSError:  # the other end is closed
            pass
        if process.wait():
            sys.exit("the run failed")
        found: dict[str, float] = json.loads(told.read_text())
        return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    found = measure(count)
    shown = found["looking"] + found["drawing"]
    row = [f"{count:,}", *(f"{found[k]:.3f}" for k in ("all", "looking", "drawing"))]
    header = ["answers", "CPU s", "counting and scoring", "drawing", "share"]
    publish("terminal", table(header, [[*row, f"{shown / found['all']:.1%}"]]))


if __name__ == "__main__":
    main()
