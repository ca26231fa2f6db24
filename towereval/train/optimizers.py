"""AdamW, its weights and moments held in float32 or in bfloat16.

In bfloat16 two neighbours are a 256th part apart, so that a step smaller than half of that is lost
when it is rounded to the nearest, each time again. Rounded up or down by chance, the nearer the
likelier (stochastic rounding), it is kept on average. What is called chance here is a hash of seed,
step, tensor and place in it: the same on every device, in every sharding and after every resume.
Source: Gupta et al., 2015, arXiv 1502.02551; for weights, Zamirai et al., 2020, arXiv 2010.06192.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from towereval.train.checkpoint import held_rows, local
from towereval.train.model import part_of
from towereval.train.recipe import Stage, Weights

PIECE = 1 << 24  # values that are updated at once: what is in float32 then is not all of a tensor


class Optimizer(Protocol):
    """What the loop asks of an optimizer; a group's `rate` is its full learning rate."""

    param_groups: list[dict[str, Any]]
    state: Mapping[Tensor, dict[str, Tensor]]

    def zero_grad(self) -> None: ...

    def clip(self, most: float) -> None:
        """Make the gradients' norm over all parameters at most this; none is a gradient of 0.

        A step without pictures leaves the projector no gradient, and Adam would leave it out: but
        for several processes, one of which has a picture, it would not.
        """

    def step(self) -> None: ...


def optimizer(model: Any, stage: Stage, weights: Weights = "float32", seed: int = 0) -> Optimizer:
    """One group for each learning rate, with and without decay, of what is not frozen.

    For bfloat16 the model's weights must be so already (`hold`); `seed` decides their rounding.
    """
    names: dict[Tensor, str] = {}
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = stage.learning_rate
        if part_of(name) == "vision" and stage.vision_learning_rate is not None:
            rate = stage.vision_learning_rate
        decay = stage.weight_decay if parameter.ndim >= 2 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
        names[parameter] = name
    options = [
        {"params": parameters, "rate": rate, "lr": rate, "weight_decay": decay}
        for (rate, decay), parameters in groups.items()
    ]
    beta1, beta2 = stage.betas
    if weights == "bfloat16":
        return RoundedAdamW(options, (beta1, beta2), names, seed)
    return AdamW(options, betas=(beta1, beta2), foreach=True)


def hold(model: Any, weights: Weights) -> None:
    """Hold a model's weights so. Not its buffers: positions' frequencies want all their digits."""
    for parameter in model.parameters():
        parameter.data = parameter.data.to(getattr(torch, weights))


class AdamW(torch.optim.AdamW):  # type: ignore[misc]
    """torch's own, in float32."""

    def clip(self, most: float) -> None:
        moving = [p for group in self.param_groups for p in group["params"]]
        for parameter in moving:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        nn.utils.clip_grad_norm_(moving, most)


class RoundedAdamW(torch.optim.Optimizer):  # type: ignore[misc]
    """AdamW in float32 arithmetic whose results are rounded by chance to bfloat16.

    The gradients of a step's batches are summed in float32. `names` is what parameters are called:
    how each is rounded goes by its name.
    """

    def __init__(
        self,
        groups: list[dict[str, Any]],
        betas: tuple[float, float],
        names: Mapping[Tensor, str],
        seed: int,
        eps: float = 1e-8,
    ) -> None:
        super().__init__(groups, {"betas": betas, "eps": eps})
        self.names, self.seed = names, seed
        self._sums: dict[Tensor, Tensor] = {}
        for parameter in names:
            parameter.register_post_accumulate_grad_hook(self._add)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self._sums.clear()
        super().zero_grad(set_to_none)

    def _add(self, parameter: Tensor) -> None:
        gradient = parameter.grad.detach()
        if parameter in self._sums:
            self._sums[parameter] += gradient
        else:
            self._sums[parameter] = gradient.float()
        parameter.grad = None

    def clip(self, most: float) -> None:
        for parameter in self.names:
            if parameter not in self._sums:
                self._sums[parameter] = torch.zeros_like(parameter, dtype=torch.float32)
        norm = nn.utils.get_total_norm(list(self._sums.values()))
        norm = norm.full_tensor() if isinstance(norm, DTensor) else norm
        for gradient in self._sums.values():
            local(gradient).mul_((most / (norm + 1e-6)).clamp(max=1.0))

    def step(self) -> None:
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter in self._sums:
                        self._update(parameter, self._sums[parameter], group)

    def _update(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.zeros(())
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        count = int(state["step"])
        beta1, beta2 = group["betas"]
        size = group["lr"] / (1 - beta1**count)
        first, _ = held_rows(parameter)
        begin = first * (parameter[:1].numel() if parameter.ndim else 1)
        key = _key(self.seed, count, self.names[parameter])
        held = (parameter, gradient, state["exp_avg"], state["exp_avg_sq"])
        for at, (weight, slope, mean, square) in _pieces(*map(local, held)):
            bits = noise(key, begin + at, len(weight), weight.device)
            mean32 = mean.float().lerp_(slope, 1 - beta1)
            square32 = square.float().mul_(beta2).addcmul_(slope, slope, value=1 - beta2)
            step = mean32 / (square32 / (1 - beta2**count)).sqrt_().add_(group["eps"])
            new = weight.float().mul_(1 - group["lr"] * group["weight_decay"]).sub_(step * size)
            weight.copy_(rounded(new, bits))
            mean.copy_(rounded(mean32, bits >> 16))
            square.copy_(rounded(square32, bits >> 32))


def _pieces(*tensors: Tensor) -> Iterator[tuple[int, list[Tensor]]]:
    """The same part of each, flat, and where it begins."""
    flat = [tensor.view(-1) for tensor in tensors]
    for at in range(0, len(flat[0]), PIECE):
        yield at, [tensor[at : at + PIECE] for tensor in flat]


def rounded(values: Tensor, bits: Tensor) -> Tensor:
    """float32 as one of the two bfloat16 around it, by the lowest 16 of these bits."""
    # The sixteen digits that bfloat16 lacks carry over as often as they are of a whole one.
    up = values.view(torch.int32) + (bits & 0xFFFF).to(torch.int32)
    chosen = (up & -0x10000).view(torch.float32)
    return torch.where(values.isfinite(), chosen, values).to(torch.bfloat16)


def noise(key: int, begin: int, count: int, device: torch.device) -> Tensor:
    """64 random bits for each place from `begin` on: splitmix64's of (key + place)."""
    bits = torch.arange(begin, begin + count, dtype=torch.int64, device=device)
    bits = (bits + key) * _signed(0x9E3779B97F4A7C15)
    bits = (bits ^ _shifted(bits, 30)) * _signed(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shifted(bits, 27)) * _signed(0x94D049BB133111EB)
    return bits ^ _shifted(bits, 31)


def _key(seed: int, step: int, name: str) -> int:
    value = hashlib.sha256(f"rounding {seed} {step} {name}".encode()).digest()
    return int.from_bytes(value[:7], "big")  # of 56 bits, so that no place added to it overflows


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Shifted right with zeros: torch's own shift fills up with the sign."""
    return (bits >> by) & ((1 << (64 - by)) - 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value
