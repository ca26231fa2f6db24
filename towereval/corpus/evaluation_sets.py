"""The evaluation sets that a corpus is held against, by the names that `towereval run` takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from towereval.corpus.contamination import Held
from towereval.errors import DataError
from towereval.plan import Plan, chosen_tasks, source_of
from towereval.run import samples_of


@dataclass(frozen=True, slots=True)
class Against:
    """A task that was read, how many samples it has, and pictures that cannot be decoded."""

    task: str
    samples: int
    undecoded: int


def hold(plan: Plan, advance: Callable[[str], None]) -> tuple[Held, list[Against]]:
    """Read the plan's tasks in the plan's languages, else in all; no model is needed.

    Raises `TowerevalError`.
    """
    held, read = Held(), []
    for task in chosen_tasks(plan):
        name = f"{task.name}@{task.variant}"
        advance(name)
        before = held.undecoded
        count = held.add(name, samples_of(task, source_of(plan, task), plan))
        if not count:
            raise DataError(f"{name}: the data have no sample to hold against")
        read.append(Against(name, count, held.undecoded - before))
    return held, read
