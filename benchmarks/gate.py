"""How often the gate accuses an equally good run, and how often it finds a planted drop.

    python benchmarks/gate.py [REPETITIONS] [FLIPS]

The whole of `compare`, with its own tasks and pairing, on made-up runs: 3 tasks x 12 languages (200
items in all languages; 300 items of its own each; 100 pictures with 3 questions), 36 cells and 3
means. Of 1,000 pairs of equally good runs at most 73 may be called a regression: more would happen
in one of 1,000 simulations of a gate whose false alarms are exactly 5%. Exits with 1 beyond that.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from made_up import Scores, Suite, as_run, broken, pair_of_runs
from scipy import stats

from towereval.compare import MEAN, Report, Settings, compare

SEED = 20261121
SUITES = (
    Suite("textvqa", 12, 200, parallel=True),
    Suite("ocrbench", 12, 300),
    Suite("commute", 12, 300, questions=3),
)
Plant = Callable[[dict[str, Scores], np.random.Generator], dict[str, Scores]]


def nothing(candidate: dict[str, Scores], rng: np.random.Generator) -> dict[str, Scores]:
    return candidate


def everywhere(candidate: dict[str, Scores], rng: np.random.Generator) -> dict[str, Scores]:
    return {task: broken(right, 0.03, rng) for task, right in candidate.items()}


def one_task(candidate: dict[str, Scores], rng: np.random.Generator) -> dict[str, Scores]:
    return {**candidate, "ocrbench": broken(candidate["ocrbench"], 0.03, rng)}


def one_cell(candidate: dict[str, Scores], rng: np.random.Generator) -> dict[str, Scores]:
    worse = candidate["ocrbench"].copy()
    worse[:1] = broken(worse[:1], 0.10, rng)
    return {**candidate, "ocrbench": worse}


def gate(discordance: float, plant: Plant, flips: int, rng: np.random.Generator) -> Report:
    pairs = pair_of_runs(SUITES, discordance, rng)
    base = {task: pair[0] for task, pair in pairs.items()}
    candidate = plant({task: pair[1] for task, pair in pairs.items()}, rng)
    runs = (as_run(SUITES, scores, name) for scores, name in ((base, "a"), (candidate, "b")))
    return compare(*runs, Settings(flips=flips))


def innocent(report: Report, plant: Plant) -> bool:
    """Whether a cell is accused in which nothing was planted."""
    guilty = {nothing: (), everywhere: ("textvqa", "ocrbench", "commute")}.get(plant, ("ocrbench",))
    worse = [one for one in report.comparisons if one.verdict == "regression"]
    other = [one for one in worse if one.task not in guilty]
    if plant is one_cell:
        other += [one for one in worse if one.task in guilty and one.language not in ("l00", MEAN)]
    return bool(other)


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    flips = int(sys.argv[2]) if len(sys.argv) > 2 else 2_000
    scenarios: list[tuple[str, float, Plant, int]] = [
        ("equally good, 10% of items differ", 0.10, nothing, repetitions),
        ("equally good, 2%", 0.02, nothing, repetitions // 2),
        ("equally good, 21%", 0.21, nothing, repetitions // 2),
        ("10%, all cells 3 points worse", 0.10, everywhere, repetitions // 4),
        ("10%, one task 3 points worse", 0.10, one_task, repetitions // 4),
        ("10%, one cell 10 points worse", 0.10, one_cell, repetitions // 4),
    ]
    print(f"{flips} flips a gate, seed {SEED}\n")
    print("| runs | pairs | regression | allowed | pass | innocent accused | seconds a gate |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    failed = False
    for index, (name, discordance, plant, count) in enumerate(scenarios):
        start, alarms, passes, wrong = time.perf_counter(), 0, 0, 0
        for repetition in range(count):
            rng = np.random.default_rng([SEED, index, repetition])
            report = gate(discordance, plant, flips, rng)
            alarms += report.verdict == "regression"
            passes += report.verdict == "pass"
            wrong += innocent(report, plant)
        allowed = int(stats.binom.ppf(0.999, count, 0.05))
        failed |= (alarms if plant is nothing else wrong) > allowed
        bound = str(allowed) if plant is nothing else "-"
        seconds = (time.perf_counter() - start) / max(count, 1)
        shares = [f"{each} ({each / max(count, 1):.3f})" for each in (passes, wrong)]
        print(
            f"| {name} | {count} | {alarms} ({alarms / max(count, 1):.3f}) | {bound} |"
            f" {' | '.join(shares)} | {seconds:.2f} |",
            flush=True,
        )
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
