"""Differences between two answers of one model to the same samples, with paired intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping

from towereval.paired import MEAN, Contrast, differences
from towereval.statistics import Estimate, Observations
from towereval.types import DifferenceMetric


def estimate_differences(
    metric: DifferenceMetric, by_language: Mapping[str, Observations]
) -> tuple[dict[str, Estimate], Estimate | None]:
    """As `statistics.estimate`, but with the interval of paired answers (`paired.py`).

    A jackknife has none where no answer differs, and too narrow a one where a handful does.
    """
    import numpy as np

    from towereval.flips import Cell

    codes: dict[str, int] = {}
    cells = {}
    for language, observed in by_language.items():
        code_R = np.array([codes.setdefault(name, len(codes)) for name in observed.clusters])
        nothing_RK = np.zeros_like(observed.values)
        cells[language] = Cell(metric, nothing_RK, observed.values, code_R.astype(np.int64))
    [found] = differences([Contrast(cells, gated=False)], flips=1)
    estimates = {
        language: Estimate(
            one.delta,
            one.low,
            one.high,
            one.n,
            one.clusters,
            math.nan,
            f"none: {one.clusters} clusters" if one.low is None else "paired-t",
        )
        for language, one in found.items()
    }
    joint = estimates.pop(MEAN, None)
    return estimates, joint
