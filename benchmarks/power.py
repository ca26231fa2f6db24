"""How surely a planted drop of 3 points is found, against what the method promises.

    python benchmarks/power.py [REPETITIONS]

One cell: 1,000 items on which two runs disagree so often that 3 points are lost; the promise is the
exact power of McNemar's one-sided test at 5%. A family: 9 languages of 1,000 items and their mean,
30 right answers of one language broken on top of disagreements without a side; the promise is the
study's that chose the method (400 repetitions). Exits with 1 where what is found is further from
the promise than three standard errors of both.
"""

from __future__ import annotations

import math
import sys

import numpy as np
from made_up import Scores, Suite, as_run, broken
from scipy import stats

from towereval.compare import MEAN, Report, Settings, compare

SEED = 20261121
LOST, ITEMS, FLIPS = 30, 1_000, 2_000
# Disagreements without a side -> found at 5% alone, found by the gate, another language accused.
STUDY = {
    0.0: (1.00, 1.00, 0.0),
    0.01: (1.00, 1.00, 0.035),
    0.02: (1.00, 0.992, 0.038),
    0.04: (0.992, 0.912, 0.052),
    0.06: (0.968, 0.798, 0.040),
    0.10: (0.858, 0.538, 0.038),
}
STUDIED = 400


def exact_power(discordance: float, drop: float = LOST / ITEMS, alpha: float = 0.05) -> float:
    """Of McNemar's exact test: candidate loses (discordance + drop) / 2 of the items."""
    share = (discordance + drop) / 2 / discordance
    count = np.arange(ITEMS + 1)
    least = stats.binom.isf(alpha, count, 0.5) + 1  # as many losses make p <= alpha
    found = stats.binom.sf(least - 1, count, share)
    return float(stats.binom.pmf(count, ITEMS, discordance) @ found)


def one_cell(discordance: float, rng: np.random.Generator) -> Report:
    """Some items the candidate alone fails, some base alone fails, both are right on the rest."""
    lost, side = (discordance + LOST / ITEMS) / 2, rng.random((1, ITEMS))
    base_alone, candidate_alone = side < lost, (side >= lost) & (side < discordance)
    return judged(~candidate_alone, ~base_alone)


def family(noise: float, rng: np.random.Generator) -> Report:
    shape = (9, ITEMS)
    right = rng.random(shape) < 1 / (1 + np.exp(-1 - rng.normal(size=shape)))
    differ, ours = rng.random(shape) < noise, rng.random(shape) < 0.5
    base, candidate = np.where(differ, ours, right), np.where(differ, ~ours, right)
    candidate[:1] = broken(candidate[:1], LOST / ITEMS, rng)
    return judged(base, candidate)


def judged(base: Scores, candidate: Scores) -> Report:
    suites = [Suite("ocrbench", len(base), ITEMS)]
    runs = (
        as_run(suites, {"ocrbench": scores}, name)
        for scores, name in ((base, "a"), (candidate, "b"))
    )
    return compare(*runs, Settings(flips=FLIPS))


def seen(report: Report) -> tuple[bool, bool, bool]:
    """Found at 5% alone, found by the gate, another language accused."""
    planted, *rest = report.comparisons
    assert planted.p_adjusted is not None
    others = [one for one in rest if one.language != MEAN and one.verdict == "regression"]
    alone = planted.delta < 0 and planted.p / 2 <= 0.05
    return alone, planted.p_adjusted <= 0.05, bool(others)


def far(found: float, promised: float, repetitions: int, studied: float) -> bool:
    """Beyond three standard errors, each at least that of one event."""
    variance = max(promised * (1 - promised), 1 / repetitions)
    return abs(found - promised) > 3 * math.sqrt(variance * (1 / repetitions + 1 / studied))


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    print(f"{repetitions} repetitions, {FLIPS} flips, seed {SEED}; found (promised)\n")
    print("| one cell: items that differ | 3 points found |")
    print("|--:|--:|")
    wrong = []
    for discordance in (0.03, 0.05, 0.08, 0.10, 0.15, 0.25):
        reports = [
            one_cell(discordance, np.random.default_rng([SEED, int(1000 * discordance), index]))
            for index in range(repetitions)
        ]
        found = sum(seen(each)[1] for each in reports) / repetitions
        promised = exact_power(discordance)
        wrong += [discordance] if far(found, promised, repetitions, math.inf) else []
        print(f"| {discordance:.0%} | {found:.3f} ({promised:.3f}) |", flush=True)
    print("\n| nine languages: noise | its own test | the gate | another language accused |")
    print("|--:|--:|--:|--:|")
    for noise, promises in STUDY.items():
        outcomes = [
            seen(family(noise, np.random.default_rng([SEED, int(1000 * noise), index])))
            for index in range(repetitions)
        ]
        shares = np.mean(outcomes, axis=0).tolist()
        pairs = list(zip(shares, promises, strict=True))
        wrong += [noise for one in pairs if far(*one, repetitions, STUDIED)]
        print(f"| {noise:.0%} | {' | '.join(f'{a:.3f} ({b:.3f})' for a, b in pairs)} |", flush=True)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
