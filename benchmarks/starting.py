"""From nothing to a ready engine: `towereval run` up to its first request, and vLLM by itself.

    python benchmarks/starting.py [--repetitions 5] [--count 512]

Each in a process of its own, in turns. "vLLM" imports vLLM and makes an `LLM` with the settings
that the harness gives it; the harness besides checks the model, reads the samples, hashes their
pictures and writes the requests down.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from made_pictures import PLUGINS, write_pictures
from measure import publish, table

HARNESS = """
import os, sys
from pathlib import Path
from towereval.plan import Plan
from towereval.run import run

class Stages:
    def found(self, count):
        pass

    def stage(self, name, total, look=None):
        if name == "asking":
            used = os.times()
            print(used.user + used.system, flush=True)
            os._exit(0)

    def advance(self):
        pass

data, output = map(Path, sys.argv[1:])
plan = Plan("tiny", ("pictures",), languages=("en",), data={"pictures": data}, output=output)
run(plan, Stages())
"""
RAW = """
import os, sys
os.environ |= {
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}
from vllm import LLM

LLM(
    model=sys.argv[1],
    dtype="float32",
    seed=0,
    max_model_len=2048,
    use_tqdm_on_load=False,
    limit_mm_per_prompt={"image": 4, "video": 0},
    distributed_executor_backend="uni",
    enforce_eager=True,
    enable_chunked_prefill=False,
)
used = os.times()
print(used.user + used.system, flush=True)
os._exit(0)
"""


def started(program: str, *words: str) -> tuple[float, float]:
    """Wall seconds of the process and its CPU seconds, to the ready engine."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOWEREVAL_PATH": str(PLUGINS),
    }
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.monotonic() - began
    if done.returncode:
        sys.exit(f"it did not start\n{done.stderr[-2000:]}")
    return wall, float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--count", type=int, default=512)
    options = parser.parse_args()
    from towereval.checkpoints import find

    model = str(find("tiny").folder)
    runs: dict[str, list[tuple[float, float]]] = {"vLLM": [], "harness": []}
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary, "data")
        write_pictures(data, options.count)
        started(RAW, model)  # into the disk's cache
        for turn in range(options.repetitions):
            sides = {
                "vLLM": (RAW, model),
                "harness": (HARNESS, str(data), str(Path(temporary, f"output{turn}"))),
            }
            for side in list(sides) if turn % 2 == 0 else list(sides)[::-1]:
                runs[side].append(started(*sides[side]))
    rows = [
        [
            side,
            f"{median(wall for wall, _ in found):.2f} ({' '.join(f'{w:.2f}' for w, _ in found)})",
            f"{median(cpu for _, cpu in found):.2f}",
        ]
        for side, found in runs.items()
    ]
    pairs = list(zip(runs["harness"], runs["vLLM"], strict=True))
    wall = median(ours[0] - raw[0] for ours, raw in pairs)
    cpu = median(ours[1] - raw[1] for ours, raw in pairs)
    told = [
        table(["side", "wall s, median (all)", "CPU s"], rows),
        f"{options.count} pictures. The harness needs {wall:+.2f} s by wall and {cpu:+.2f} s by"
        f" CPU, medians of {len(pairs)} pairs.",
    ]
    publish("starting", "\n\n".join(told))


if __name__ == "__main__":
    main()
