"""Cross entropy in chunks over the tokens that are learned from.

N learned tokens, D hidden size, V vocabulary. transformers' own LLaVA-NeXT loss leaves out Gemma2's
final softcap and holds N x V logits; with 256,000 words those are most of a step's memory. Here a
chunk's logits are made, used, and made again in the backward pass.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

CHUNK = 1024


def weighted_nll(
    hidden_ND: Tensor,
    head_VD: Tensor,
    targets_N: Tensor,
    weights_N: Tensor,
    softcap: float | None,
    chunk: int | None = CHUNK,
) -> tuple[Tensor, Tensor]:
    """The weighted sum of the tokens' negative log-likelihoods, and each, in float32.

    Without a `chunk` all logits are made at once and kept.
    """
    if chunk is None:
        each_N = _nll(hidden_ND, head_VD, targets_N, softcap)
        return (each_N * weights_N).sum(), each_N.detach()
    # Of no tokens too the loss has a gradient, zero: processes that step together all have one.
    total = 0 * (hidden_ND.sum() + head_VD[:1].sum()).float()
    parts = []
    for at in range(0, len(targets_N), chunk):
        some = slice(at, at + chunk)
        nll: Tensor = checkpoint(
            _nll, hidden_ND[some], head_VD, targets_N[some], softcap, use_reentrant=False
        )
        total = total + (nll * weights_N[some]).sum()
        parts.append(nll.detach())
    return total, torch.cat(parts) if parts else hidden_ND.new_zeros(0)


def _nll(hidden_ND: Tensor, head_VD: Tensor, targets_N: Tensor, softcap: float | None) -> Tensor:
    logits = functional.linear(hidden_ND, head_VD).float()
    if softcap is not None:
        logits = torch.tanh(logits / softcap) * softcap
    return functional.cross_entropy(logits, targets_N, reduction="none")
