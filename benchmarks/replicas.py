"""One replica against two on Ray, the same requests: what a second one gives.

    python benchmarks/replicas.py [--count 1000] [--repetitions 3] [--core-each]

Each replica is a vLLM engine in a process of its own with one core's share; the driver reads,
hands out, stores and scores. Both take turns. `driver CPU s` is what all replicas share, so it
bounds how many one driver can feed. One replica alone decodes, processes and steps at once and thus
keeps more than one core busy; with `--core-each` everything, the driver too, has as many cores as
there are replicas, as where each has a GPU of its own. Exits with 1 where an answer differs.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from statistics import median

from asking import Asked, Setup, asked
from made_pictures import write_pictures
from measure import publish, table


def row(replicas: int, runs: list[Asked]) -> list[str]:
    walls = " ".join(f"{run.wall:.2f}" for run in runs)
    wall, cpu = median(run.wall for run in runs), median(run.cpu for run in runs)
    return [
        f"{replicas}",
        f"{wall:.2f} ({walls})",
        f"{runs[0].requests / wall:.0f}",
        f"{cpu:.2f}",
        f"{1e3 * cpu / runs[0].requests:.2f}",
        f"{median(run.start for run in runs):.1f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--core-each", action="store_true")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    runs: dict[int, list[Asked]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as temporary:
        write_pictures(Path(temporary), options.count)
        for turn in range(options.repetitions):
            for replicas in (1, 2) if turn % 2 == 0 else (2, 1):
                if options.core_each:  # what is started from here inherits it
                    os.sched_setaffinity(0, cores[:replicas])
                settings = {"replicas": replicas}
                setup = Setup("harness", temporary, engine="ray", engine_args=settings)
                runs[replicas].append(asked(setup))
    header = ["replicas", "wall s, median (all)", "answers/s", "driver CPU s", "ms an answer"]
    pairs = list(zip(runs[1], runs[2], strict=True))
    gain = median(one.wall / two.wall for one, two in pairs)
    equal = len({run.answers for each in runs.values() for run in each}) == 1
    told = [
        table([*header, "start s"], [row(count, each) for count, each in runs.items()]),
        f"{options.count} pictures{', a core for each replica' if options.core_each else ''}."
        f" Two replicas over one, median of {len(pairs)} pairs:"
        f" {gain:.2f} by wall ({' '.join(f'{one.wall / two.wall:.2f}' for one, two in pairs)})."
        f" Answers {'equal' if equal else 'DIFFER'}.",
    ]
    publish("replicas-core-each" if options.core_each else "replicas", "\n\n".join(told))
    sys.exit(not equal)


if __name__ == "__main__":
    main()
