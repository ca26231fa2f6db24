"""The chunked loss is the plain one, its gradients too."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from towereval.train.loss import weighted_nll


@pytest.mark.parametrize("softcap", [30.0, None])
@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_chunks_make_no_difference(softcap: float | None, chunk: int) -> None:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(20, 8, generator=generator).mul(5).requires_grad_()
    head = torch.randn(50, 8, generator=generator).mul(5).requires_grad_()
    targets = torch.randint(50, (20,), generator=generator)
    weights = torch.rand(20, generator=generator)

    logits = hidden @ head.T
    capped = logits if softcap is None else torch.tanh(logits / softcap) * softcap
    each = functional.cross_entropy(capped, targets, reduction="none")
    wanted = (each * weights).sum()
    gradients = torch.autograd.grad(wanted, (hidden, head))

    total, found = weighted_nll(hidden, head, targets, weights, softcap, chunk)
    assert float(total.detach()) == pytest.approx(float(wanted.detach()), rel=1e-6)
    assert torch.allclose(found, each, rtol=1e-6, atol=1e-6)
    for got, want in zip(torch.autograd.grad(total, (hidden, head)), gradients, strict=True):
        assert float((got - want).norm() / want.norm()) < 1e-6


def test_the_softcap_moves_the_loss() -> None:
    hidden, head = torch.full((1, 4), 10.0), torch.eye(4) * torch.tensor([9.0, 1, 1, 1])
    losses = [
        float(weighted_nll(hidden, head, torch.tensor([1]), torch.ones(1), softcap)[0])
        for softcap in (30.0, None)
    ]
    assert losses == pytest.approx([20.2, 80.0], abs=0.2)


def test_nothing_to_learn_is_no_loss() -> None:
    total, each = weighted_nll(
        torch.ones(0, 4), torch.ones(5, 4), torch.ones(0, dtype=torch.long), torch.ones(0), 30.0
    )
    assert (float(total), len(each)) == (0.0, 0)
