"""How much real runs disagree, sample by sample: what the power of a comparison depends on.

    python benchmarks/agreement.py LOGS

LOGS holds a folder of lmms-eval's logs for each model. For every pair of models, task and metric:
  differ   the share of samples with another score (BLEU, chrF: with other counts)
  square   the mean square of a sample's difference on a scale of 1: of 0/1 scores the share above
  rows     samples a cluster, as the average sample sees it
  ICC      the correlation of differences within a cluster of one language, from the variance with
           clusters over that without; the method takes 0.3 where it knows nothing
  between  the same between the languages of an item, from the variance of their mean
Without the logs it says so and is done.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np

from towereval.bridges.lmms_eval import import_logs
from towereval.compare import contrasts
from towereval.flips import Cell
from towereval.influence import Spread, joined
from towereval.measured import Measured, read
from towereval.paired import influences_on_differences
from towereval.pairing import Pairs, pair


def spread(cells: list[Cell]) -> Spread:
    return joined([each for each in influences_on_differences(cells) if each is not None])


def row(pairs: Pairs, cells: list[Cell]) -> list[str]:
    scale = pairs.metric.scale
    change = [(cell.candidate_RK - cell.base_RK) / scale for cell in cells]
    differ = np.concatenate([each.any(1) for each in change]).mean()
    square = np.square(np.concatenate([each[:, 0] for each in change])).mean()
    clustered, ends = spread(cells), np.cumsum([0, *(len(each) for each in change)])
    alone = [
        replace(cell, cluster_R=np.arange(first, first + len(cell.base_RK)))
        for cell, first in zip(cells, ends[:-1], strict=True)
    ]
    simple_L = spread(alone).variance_L
    crowd = float(np.average(clustered.crowd_L, weights=simple_L))
    within = between = "-"
    if crowd > 1.01:
        excess = (clustered.variance_L - simple_L).sum() / (
            simple_L * (clustered.crowd_L - 1)
        ).sum()
        within = f"{excess:.2f}"
    shared = sum(np.unique(cell.cluster_R).size for cell in cells)
    if shared > np.unique(np.concatenate([cell.cluster_R for cell in cells])).size:
        ratio = clustered.joint * len(cells) ** 2 / clustered.variance_L.sum()
        between = f"{(ratio - 1) / (len(cells) - 1):.2f}"
    known = f"{square:.3f}" if pairs.metric.mean else "-"
    return [f"{len(cells)}", f"{ends[-1]}", f"{differ:.3f}", known, f"{crowd:.1f}", within, between]


def rows(base: Measured, candidate: Measured) -> Iterator[str]:
    paired = pair(base, candidate).pairs
    for pairs, contrast in zip(paired, contrasts(paired, [True] * len(paired)), strict=True):
        names = [f"{base.model} / {candidate.model}", pairs.task, pairs.metric.name]
        yield f"| {' | '.join([*names, *row(pairs, list(contrast.cells.values()))])} |"


def main() -> None:
    logs = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("logs")
    folders = sorted(each for each in logs.glob("*") if each.is_dir())
    if len(folders) < 2:
        print(f"{logs}: no logs of two models, nothing to measure")
        return
    with tempfile.TemporaryDirectory() as place:
        runs = [
            read(import_logs(each, model=each.name, output=Path(place)).outcome.folder)
            for each in folders
        ]
    print("| pair | task | metric | languages | samples | differ | square | rows | ICC | between |")
    print("|---|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for base, candidate in combinations(runs, 2):
        print("\n".join(rows(base, candidate)), flush=True)


if __name__ == "__main__":
    main()
