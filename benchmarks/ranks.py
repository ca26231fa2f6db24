"""How often the ranks that a board leaves open hold every model's true rank, by simulation.

    python benchmarks/ranks.py [REPETITIONS]

12 models and the mean over 6 parallel languages of 200 items. Models that tie may have any of the
ranks that they share, all of which must be left open. Wanted: 95% (600 repetitions: +- 1.8%). Exits
with 1 three standard errors below that.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from towereval.influence import Influence, Observations, influences
from towereval.metrics.exact import ExactMatch
from towereval.ranks import rank_sets

SEED = 20261121
LANGUAGES, ITEMS = 6, 200
# Differences of the models in logits.
BOARDS = {
    "all equal": np.zeros(12),
    "3 tiers of 4": np.repeat([0.6, 0.0, -0.6], 4),
    "6 pairs": np.repeat(np.linspace(1.5, -1.5, 6), 2),
    "evenly spaced": np.linspace(0.8, -0.8, 12),
}


def models(level: np.ndarray, rng: np.random.Generator) -> list[Influence]:
    ability = rng.normal(size=ITEMS)
    names = [f"{item:03}" for item in range(ITEMS)]
    found = []
    for each in level:
        chance = 1 / (1 + np.exp(-0.5 - each - ability))
        right = rng.random((LANGUAGES, ITEMS)) < chance
        rows = {
            f"l{i}": Observations(row[:, None].astype(float), names) for i, row in enumerate(right)
        }
        found.append(influences(ExactMatch(), rows)["*"])
    return found


def main() -> None:
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 600
    print(f"{repetitions} repetitions, seed {SEED}\n")
    print("| board | all covered | ranks a set |\n|---|--:|--:|")
    failed = False
    for index, (name, level) in enumerate(BOARDS.items()):
        # The best and worst rank that are true of a model: above it are all better ones.
        low = 1 + (level[:, None] < level[None, :]).sum(1)
        high = len(level) - (level[:, None] > level[None, :]).sum(1)
        covered, width = 0, 0.0
        for repetition in range(repetitions):
            found = np.array(
                rank_sets(models(level, np.random.default_rng([SEED, index, repetition])))
            )
            covered += bool((found[:, 0] <= low).all() and (found[:, 1] >= high).all())
            width += float((found[:, 1] - found[:, 0] + 1).mean()) / repetitions
        room = 3 * math.sqrt(0.05 * 0.95 / repetitions)
        failed |= covered / repetitions < 0.95 - room
        print(f"| {name} | {covered / repetitions:.3f} | {width:.1f} |", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
