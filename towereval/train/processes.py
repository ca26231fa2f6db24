"""The processes that train together: one alone, or as many as torchrun started."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import distributed

from towereval.errors import StoreError


@dataclass(frozen=True, slots=True)
class Processes:
    """This process is `rank` of `world`; `device` is its own."""

    rank: int = 0
    world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether it is the one that writes and speaks."""
        return self.rank == 0

    def sums(self, values: Sequence[float]) -> list[float]:
        """The sums of all processes' values."""
        if self.world == 1:
            return list(values)
        told = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(told)
        summed: list[float] = told.tolist()
        return summed

    def gathered(self, value: Any) -> list[Any]:
        """Every process's value, by rank."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        distributed.all_gather_object(found, value)
        return found

    def agree(self, error: str) -> None:
        """Wait for all. Raises `StoreError` in every process where one has an error."""
        if errors := [told for told in self.gathered(error) if told]:
            raise StoreError("; ".join(errors))


@contextmanager
def started(device: str = "auto") -> Iterator[Processes]:
    """By torchrun's variables; "auto" takes a GPU where there is one."""
    gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    local = int(os.environ.get("LOCAL_RANK", "0"))
    own = torch.device("cuda", local) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(own)
    if "WORLD_SIZE" not in os.environ:
        yield Processes(device=own)
        return
    distributed.init_process_group("nccl" if gpu else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size(), own)
    finally:
        distributed.destroy_process_group()
