"""The harness against raw vLLM, "decode in threads, one LLM.generate": same engine, same requests.

    python benchmarks/raw_bound.py [--count 2000] [--repetitions 3] [--model tiny]

One question about each picture, on one engine in one process. The two sides take turns, each in a
process of its own; a ratio is of neighbours. Exits with 1 where an answer differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from asking import Asked, Setup, asked
from made_pictures import write_pictures
from measure import publish, table

SIDES = ("raw", "harness")


def row(side: str, runs: list[Asked]) -> list[str]:
    count = runs[0].requests
    walls = " ".join(f"{run.wall:.2f}" for run in runs)
    cpus = " ".join(f"{run.cpu:.2f}" for run in runs)
    cpu = median(run.cpu for run in runs)
    start = median(run.start for run in runs)
    return [
        side,
        f"{median(run.wall for run in runs):.2f} ({walls})",
        f"{cpu:.2f} ({cpus})",
        f"{1e3 * cpu / count:.1f}",
        f"{max(run.peak_gb for run in runs):.2f}",
        f"{start:.1f}",
        f"{median(run.closing for run in runs):.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--model", default="tiny")
    options = parser.parse_args()
    runs: dict[str, list[Asked]] = {side: [] for side in SIDES}
    with tempfile.TemporaryDirectory() as temporary:
        write_pictures(Path(temporary), options.count)
        for turn in range(options.repetitions):
            for side in SIDES if turn % 2 == 0 else SIDES[::-1]:
                runs[side].append(asked(Setup(side, temporary, options.model)))
    header = [
        "side",
        "wall s, median (all)",
        "CPU s",
        "CPU ms a picture",
        "peak GB",
        "start s",
        "end s",
    ]
    pairs = list(zip(runs["raw"], runs["harness"], strict=True))
    wall = median(raw.wall / ours.wall for raw, ours in pairs)
    cpu = median(raw.cpu / ours.cpu for raw, ours in pairs)
    equal = len({run.answers for each in runs.values() for run in each}) == 1
    ratios = " ".join(f"{raw.wall / ours.wall:.2f}" for raw, ours in pairs)
    told = [
        table(header, [row(side, runs[side]) for side in SIDES]),
        f"{options.count} pictures. Speed of the harness over raw, median of {len(pairs)} pairs:"
        f" {wall:.2f} by wall ({ratios}), {cpu:.2f} by CPU."
        f" Answers {'equal' if equal else 'DIFFER'}.",
    ]
    publish("raw-bound", "\n\n".join(told))
    sys.exit(not equal)


if __name__ == "__main__":
    main()
