"""Ranks that say what they cannot tell apart: "rank 2 (1 to 4)".

All pairs of models are compared by step-down max-T on the joint covariance of their clusters'
influences (Romano & Wolf 2005): with 95% confidence no pair is told apart that is equal. A model's
set is [1 + models significantly better, models - models significantly worse], as in Mogstad,
Romano, Shaikh & Wilhelm 2024, https://doi.org/10.1093/restud/rdad006. Ranks of bootstrap resamples
would be too narrow where models tie: they add the resample's noise to the estimate's own.

K models, C clusters, P pairs of models, B draws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from towereval.errors import UsageError
from towereval.influence import Floats, Influence

LEVEL = 0.95
DRAWS = 10_000
# Where there are many models, as many draws as keep pairs x draws at this; never below a tenth.
MOST_NUMBERS = 20_000_000


def rank_sets(
    models: Sequence[Influence], *, level: float = LEVEL, seed: int = 0
) -> list[tuple[int, int]]:
    """Each model's best and worst rank that the samples leave open; higher values are better.

    Raises `UsageError` where models were not measured on the same clusters.
    """
    if len(models) < 2:
        return [(1, 1)] * len(models)
    check_same_items(models)
    value_K = np.array([model.value / model.scale for model in models])
    parts_CK = np.stack([model.parts / model.scale for model in models], 1)
    better_KK = significantly_better(
        value_K, parts_CK, models[0].n, min(model.freedom for model in models), level, seed
    )
    low_K, high_K = 1 + better_KK.sum(0), len(models) - better_KK.sum(1)
    return list(zip(low_K.tolist(), high_K.tolist(), strict=True))


def check_same_items(models: Sequence[Influence]) -> None:
    first = models[0]
    for other in models[1:]:
        if other.clusters != first.clusters or other.n != first.n:
            common = len(set(first.clusters) & set(other.clusters))
            raise UsageError(
                f"models were measured on different items and have no common ranking: {first.n}"
                f" samples in {len(first.clusters)} clusters, {other.n} in {len(other.clusters)},"
                f" {common} clusters in common"
            )


def significantly_better(
    value_K: Floats, parts_CK: Floats, n: int, freedom: float, level: float, seed: int
) -> NDArray[np.bool_]:
    """[i, j] is whether model i is better than model j beyond what other samples could turn."""
    one_P, other_P = np.triu_indices(len(value_K), 1)
    covariance_KK = parts_CK.T @ parts_CK
    variance_K = np.diag(covariance_KK)
    # Two made-up samples on which the models disagree both ways (Bonett & Price 2012): a difference
    # in which no cluster deviates from the others is not beyond doubt.
    variance_P = variance_K[one_P] + variance_K[other_P] - 2 * covariance_KK[one_P, other_P]
    error_P = np.sqrt(np.maximum(variance_P, 0) + 2 / n**2)
    distance_P = (value_K[one_P] - value_K[other_P]) / error_P
    noise_BP = _draws(covariance_KK, error_P, one_P, other_P, freedom, seed)
    open_P, told_P = np.ones(len(one_P), bool), np.zeros(len(one_P), bool)
    while open_P.any():
        critical = np.quantile(noise_BP[:, open_P].max(1), level)
        fresh_P = open_P & (np.abs(distance_P) > critical)
        if not fresh_P.any():
            break
        told_P, open_P = told_P | fresh_P, open_P & ~fresh_P
    better_KK = np.zeros((len(value_K), len(value_K)), bool)
    better_KK[one_P, other_P] = told_P & (distance_P > 0)
    better_KK[other_P, one_P] = told_P & (distance_P < 0)
    return better_KK


def _draws(
    covariance_KK: Floats,
    error_P: Floats,
    one_P: NDArray[np.int64],
    other_P: NDArray[np.int64],
    freedom: float,
    seed: int,
) -> NDArray[np.float32]:
    """Distances of all pairs, without their signs, as they would fall if all models were equal."""
    rng = np.random.default_rng(seed)
    size = min(DRAWS, max(DRAWS // 10, MOST_NUMBERS // len(error_P)))
    strength_K, axes_KK = np.linalg.eigh(covariance_KK)
    root_KK = axes_KK * np.sqrt(np.maximum(strength_K, 0))
    normal_BK = rng.standard_normal((size, len(strength_K))) @ root_KK.T
    normal_BK /= np.sqrt(rng.chisquare(freedom, (size, 1)) / freedom)
    value_BK: NDArray[np.float32] = normal_BK.astype(np.float32)
    found_BP: NDArray[np.float32] = value_BK[:, one_P]
    found_BP -= value_BK[:, other_P]
    found_BP /= error_P.astype(np.float32)
    np.abs(found_BP, out=found_BP)
    return found_BP
