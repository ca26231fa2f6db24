"""How the weights of several models become one, tensor by tensor, in float32.

`deltas` are the models' differences from the base. Sources: task arithmetic, Ilharco et al. 2023
(arXiv 2212.04089); TIES, Yadav et al. 2023 (2306.01708); DARE, Yu et al. 2024 (2311.03099).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def linear(models: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The weighted sum; the weights should sum to one."""
    total = torch.zeros_like(models[0])
    for model, weight in zip(models, weights, strict=True):
        total += weight * model
    return total


def task_arithmetic(base: Tensor, deltas: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """The base and so much of each difference."""
    return base + linear(deltas, weights)


def ties(
    base: Tensor, deltas: Sequence[Tensor], weights: Sequence[float], density: float
) -> Tensor:
    """The largest differences, of the sign that most of them have, averaged.

    The share `density` of each difference is kept, by size within the tensor (the paper trims over
    the whole model, which would want all of it at once). Where the kept ones of both signs meet,
    the sign of their weighted sum wins, and the mean is over those that have it.
    """
    kept = [trimmed(delta, density) for delta in deltas]
    sign = torch.sign(linear(kept, weights))
    total, share = torch.zeros_like(base), torch.zeros_like(base)
    for delta, weight in zip(kept, weights, strict=True):
        agrees = (torch.sign(delta) == sign) & (delta != 0)
        total += torch.where(agrees, weight * delta, 0.0)
        share += torch.where(agrees, weight, 0.0)
    return base + torch.where(share > 0, total / share.clamp(min=1e-12), 0.0)


def trimmed(delta: Tensor, density: float) -> Tensor:
    """The share of the largest by size, the others zero; at least one is kept."""
    count = max(1, round(density * delta.numel()))
    if count == delta.numel():
        return delta
    smallest = delta.abs().flatten().kthvalue(delta.numel() - count + 1).values
    return torch.where(delta.abs() >= smallest, delta, 0.0)


def dare(
    base: Tensor,
    deltas: Sequence[Tensor],
    weights: Sequence[float],
    density: float,
    seed: int,
) -> Tensor:
    """Each difference at random points only, and larger in turn, so that its mean stays."""
    generator = torch.Generator().manual_seed(seed)
    kept = [
        torch.where(torch.rand(delta.shape, generator=generator) < density, delta / density, 0.0)
        for delta in deltas
    ]
    return task_arithmetic(base, kept, weights)
