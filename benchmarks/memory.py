"""Peak memory of `towereval run` with 1,000 and with 100,000 replayed samples: it must not grow.

    python benchmarks/memory.py [COUNT ...]

Each count is a run of its own process through the replay engine over a JSONL data set in OCRBench's
columns, every row with a picture; the peak is the process's largest resident set.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PIL import Image

from towereval.data.folder import FolderSource
from towereval.plugins import load_task
from towereval.store import Store
from towereval.types import Response

RESPONDENT = "0" * 64


def write_data(folder: Path, count: int) -> None:
    folder.mkdir()
    Image.new("RGB", (64, 48), "white").save(folder / "picture.png")
    with (folder / "test.jsonl").open("w", encoding="utf-8") as lines:
        for index in range(count):
            row = {
                "image": "picture.png",
                "dataset": "IIIT5K",
                "question": f"what is written in picture number {index}? " * 3,
                "question_type": "Regular Text Recognition",
                "answer": [f"word {index % 97}"],
            }
            lines.write(json.dumps(row) + "\n")


def write_recording(folder: Path, data: Path) -> None:
    """A run whose answers are right for every second sample."""

    def responses() -> Iterator[Response]:
        task = load_task("ocrbench")
        for sample in task.samples(FolderSource(data), task.languages):
            for request in task.requests(sample):
                key = replace(request, respondent=RESPONDENT).key
                right = int(sample.id) % 2 == 0
                yield Response(
                    key, f"It says {sample.references[0]}." if right else "I see nothing."
                )

    with Store(folder) as store:
        store.write_manifest({"respondent": {}, "respondent_digest": RESPONDENT})
        for _ in store.add_responses(responses()):
            pass


def measure(count: int) -> tuple[float, float]:
    """Peak resident set in MB and wall seconds."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_data(folder / "data", count)
        write_recording(folder / "recording", folder / "data")
        command = [
            *(sys.executable, "-c", "from towereval.cli.app import main; main()"),
            *("run", "--model", "recorded", "--tasks", "ocrbench", "--engine", "replay"),
            *("--engine-args", f"run={folder / 'recording'}"),
            *("--data", f"ocrbench={folder / 'data'}", "--output", str(folder / "results")),
        ]
        began = time.monotonic()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        assert process.stderr is not None
        error = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            sys.exit(f"the run of {count} samples failed: {error[-500:]}")
        return usage.ru_maxrss / 1e3, time.monotonic() - began


def main() -> None:
    counts = [int(count) for count in sys.argv[1:]] or [1_000, 100_000]
    peaks = []
    for count in counts:
        peak, seconds = measure(count)
        peaks.append(peak)
        print(f"{count:>8} samples: peak {peak:.0f} MB, {seconds:.1f} s", flush=True)
    print(f"apart: {max(peaks) - min(peaks):.0f} MB")


if __name__ == "__main__":
    main()
