"""Time and memory of 1,000, 10,000 and 100,000 replayed samples, and of a rerun that asks nothing.

    python benchmarks/replay.py [COUNT ...]

Each is a process of its own, `towereval run --engine replay` over the data of `memory.py`. The
rerun is the same command again: it reads the data, finds every answer and scores. `engine` says
whether the rerun imported torch, vllm or transformers.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import publish, table
from memory import write_data, write_recording

PROGRAM = """
import sys
from towereval.cli.app import main
try:
    main()
finally:
    print("engine", sorted({"torch", "vllm", "transformers"} & set(sys.modules)), file=sys.stderr)
"""


def timed(command: list[str]) -> tuple[float, float, float, bool]:
    """Wall and CPU seconds, peak MB, whether a heavy library was imported."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    told = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: failed\n{told[-500:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return time.monotonic() - began, cpu, usage.ru_maxrss / 1e3, "engine []" not in told


def rows(count: int) -> list[list[str]]:
    found = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_data(folder / "data", count)
        write_recording(folder / "recording", folder / "data")
        command = [
            *(sys.executable, "-c", PROGRAM, "run", "--model", "recorded", "--tasks", "ocrbench"),
            *("--engine", "replay", "--engine-args", f"run={folder / 'recording'}"),
            *("--data", f"ocrbench={folder / 'data'}", "--output", str(folder / "results")),
        ]
        for name in ("first", "rerun"):
            wall, cpu, peak, engine = timed(command)
            numbers = [f"{wall:.2f}", f"{cpu:.2f}", f"{1e3 * cpu / count:.3f}", f"{peak:.0f}"]
            found.append([f"{count:,} {name}", *numbers, "imported" if engine else "no"])
    return found


def main() -> None:
    counts = [int(count) for count in sys.argv[1:]] or [1_000, 10_000, 100_000]
    header = ["samples", "wall s", "CPU s", "CPU ms a sample", "peak MB", "engine"]
    publish("replay", table(header, [row for count in counts for row in rows(count)]))


if __name__ == "__main__":
    main()
