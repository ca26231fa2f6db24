"""Time and memory of 1,000, 10,000 and 100,000 replayed samples, and of a rerun that asks nothing.

    python benchmarks/replay.py [COUNT ...]

Each is a process of its own, `towereval run --engine replay` over the data of `memory.py`. The
rerun is the same command again, with every answer there. `engine` says whether torch, vllm or
transformers were imported. A sample's own seconds are those that more samples cost: a start costs
the same for few as for many.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from measure import publish, table
from memory import write_data, write_recording

# Seconds, after which files that were just written are known to be as they were.
SETTLE = 3.0
PROGRAM = """
import sys
from towereval.cli.app import main
try:
    main()
finally:
    print("engine", sorted({"torch", "vllm", "transformers"} & set(sys.modules)), file=sys.stderr)
"""


@dataclass(frozen=True, slots=True)
class Timed:
    """`peak_mb`: the largest resident set. `heavy`: torch, vllm or transformers was imported."""

    count: int
    wall: float
    cpu: float
    peak_mb: float
    heavy: bool

    def row(self, name: str) -> list[str]:
        numbers = [f"{self.wall:.2f}", f"{self.cpu:.2f}", f"{1e3 * self.cpu / self.count:.3f}"]
        engine = "imported" if self.heavy else "no"
        return [f"{self.count:,} {name}", *numbers, f"{self.peak_mb:.0f}", engine]


def timed(command: list[str], count: int) -> Timed:
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    told = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command}: failed\n{told[-500:]}")
    cpu, heavy = usage.ru_utime + usage.ru_stime, "engine []" not in told
    return Timed(count, time.monotonic() - began, cpu, usage.ru_maxrss / 1e3, heavy)


def measure(count: int) -> dict[str, Timed]:
    """The first run and the rerun."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_data(folder / "data", count)
        write_recording(folder / "recording", folder / "data")
        command = [
            *(sys.executable, "-c", PROGRAM, "run", "--model", "recorded", "--tasks", "ocrbench"),
            *("--engine", "replay", "--engine-args", f"run={folder / 'recording'}"),
            *("--data", f"ocrbench={folder / 'data'}", "--output", str(folder / "results")),
        ]
        time.sleep(SETTLE)
        first = timed(command, count)
        return {"first": first, "rerun": timed(command, count)}


def main() -> None:
    counts = sorted({int(count) for count in sys.argv[1:]} or {1_000, 10_000, 100_000})
    found = [measure(count) for count in counts]
    header = ["samples", "wall s", "CPU s", "CPU ms a sample", "peak MB", "engine"]
    rows = [each.row(name) for runs in found for name, each in runs.items()]
    firsts = [runs["first"] for runs in found]
    own = [
        f"{1e3 * (more.cpu - few.cpu) / (more.count - few.count):.3f} ms from {few.count:,} to"
        f" {more.count:,}"
        for few, more in pairwise(firsts)
    ]
    peaks = [each.peak_mb for each in firsts]
    told = [
        table(header, rows),
        f"Peaks of the first runs are {max(peaks) - min(peaks):.0f} MB apart."
        + (f" A sample's own CPU time: {', '.join(own)}." if own else ""),
    ]
    publish("replay", "\n\n".join(told))


if __name__ == "__main__":
    main()
