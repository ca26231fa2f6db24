"""Whether the statistics are fast enough to be part of every build.

    python benchmarks/statistics_speed.py

10,000 flips of 100 cells with 1,000 samples each, the same items in all cells and items of their
own, and the step-down over all of them: under 2 s wanted. `towereval compare` of two runs of 50,000
samples, from the folders to the verdict: under 10 s wanted. Exits with 1 where a limit is missed.
Ranks of 300 models are shown beside them.
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from towereval import plugins
from towereval.flips import Cell, distances, exact_spread, flipped, stepdown
from towereval.influence import Observations, influences
from towereval.metrics.exact import ExactMatch
from towereval.plan import described
from towereval.ranks import rank_sets
from towereval.run import rescore
from towereval.store import Store
from towereval.types import Decoding, Message, Request, Response, Sample, Text

SEED = 20261121
WORDS = ("house", "houses", "river", "rivers", "glass", "glasses", "light", "lights")


def flips(*, shared: bool, differ: float) -> float:
    rng = np.random.default_rng(SEED)
    cells = []
    for index in range(100):
        base = rng.random((1_000, 1)) < 0.6
        candidate = base ^ (rng.random((1_000, 1)) < differ)
        codes = np.arange(1_000) + (0 if shared else 1_000 * index)
        cells.append(Cell(ExactMatch(), base.astype(float), candidate.astype(float), codes))
    start = time.perf_counter()
    drawn = flipped(cells)
    observed = np.array([(each.candidate_RK - each.base_RK).mean() for each in cells])
    exact = np.array([exact_spread([each]) for each in cells])
    stepdown(*distances(observed, drawn, exact))
    return time.perf_counter() - start


def ranks() -> float:
    rng = np.random.default_rng(SEED)
    ability = rng.normal(size=(1, 5, 1_000))
    level = np.linspace(-1, 2, 300)[:, None, None] + ability
    right = rng.random(level.shape) < 1 / (1 + np.exp(-level))
    names = [f"{item:04}" for item in range(1_000)]
    start = time.perf_counter()
    models = [
        influences(
            ExactMatch(),
            {
                f"l{i}": Observations(row[:, None].astype(float), names)
                for i, row in enumerate(each)
            },
        )["*"]
        for each in right
    ]
    rank_sets(models)
    return time.perf_counter() - start


def write_run(folder: Path, count: int, seed: int) -> None:
    """Translations, as BLEU and chrF have the largest statistics: 10 and 18 numbers a sample."""
    task = plugins.load_task("multi30k")
    questions, answers = random.Random(SEED), random.Random(seed)

    def rows() -> Iterator[tuple[str, Sample, list[Request]]]:
        questions.seed(SEED)
        for index in range(count):
            item, place = divmod(index, 3)
            text = " ".join(questions.choices(WORDS, k=12))
            prompt = (Message("user", (Text(f"{index}: {text}"),)),)
            sample = Sample(f"{item}", task.languages[place], prompt, (text,), cluster=f"{item}")
            yield task.name, sample, [Request(sample.id, prompt, Decoding(128))]

    def responses() -> Iterator[Response]:
        for _, sample, requests in rows():
            words = sample.references[0].split()
            kept = words[: answers.randint(8, 12)]
            yield Response(requests[0].key, " ".join(kept))

    with Store(folder) as store:
        names = {"run_id": folder.name, "model": f"made up {seed}", "split": "full"}
        store.write_manifest({**names, "tasks": [described(task)], "respondent": {}})
        store.replace_samples(rows())
        for _ in store.add_responses(responses()):
            pass
    rescore(folder)


def comparison(count: int) -> float:
    with tempfile.TemporaryDirectory() as place:
        runs = [Path(place) / name for name in ("base", "candidate")]
        for seed, run in enumerate(runs):
            write_run(run, count, seed)
        start = time.perf_counter()
        main = "from towereval.cli.app import main; main()"
        words = [sys.executable, "-c", main, "compare", *map(str, runs), "--format", "json"]
        done = subprocess.run(words, capture_output=True, check=False)
        if done.returncode not in (0, 1, 3):
            sys.exit(done.stderr.decode())
        return time.perf_counter() - start


def main() -> None:
    jobs: list[tuple[str, float, Callable[[], float], int]] = [
        ("flips, 10% of samples differ, same items", 2, lambda: flips(shared=True, differ=0.1), 3),
        ("flips, all differ, same items", 2, lambda: flips(shared=True, differ=1.0), 3),
        ("flips, 10% differ, own items", 2, lambda: flips(shared=False, differ=0.1), 3),
        ("flips, all differ, own items", 2, lambda: flips(shared=False, differ=1.0), 3),
        ("ranks of 300 models, 5 languages x 1,000", 20, ranks, 1),
        ("compare, 2 x 50,000 translations", 10, lambda: comparison(50_000), 1),
    ]
    print("| job | seconds, median | limit |\n|---|--:|--:|")
    missed = False
    for name, limit, job, times in jobs:
        seconds = statistics.median(job() for _ in range(times))
        missed |= seconds > limit
        print(f"| {name} | {seconds:.2f} | {limit} |", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
