"""Who is told how far a run is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from towereval.types import Response, Usage

if TYPE_CHECKING:
    from towereval.statistics import Estimate


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a task is, in requests. `metric`: the one whose score runs along, "" where none can.

    The score is provisional: of the samples that were scored so far, and over several `languages`
    the unweighted mean of those that have one by now.
    """

    task: str
    total: int
    done: int
    failed: int = 0
    metric: str = ""
    score: Estimate | None = None
    languages: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """What a stage knows beyond its steps."""

    standings: tuple[Standing, ...] = ()
    usage: Usage = field(default_factory=Usage)


Look: TypeAlias = Callable[[], State]  # in the thread that runs the stage


class Listener(Protocol):
    def found(self, count: int) -> None:
        """Of what the next stage asks, an earlier start has left so many answers."""

    def stage(self, name: str, total: int | None, look: Look | None = None) -> None:
        """A new stage of so many steps, None where that is not known.

        `look` tells more, at a cost that only those pay who call it. It ends with the stage.
        """

    def advance(self) -> None:
        """One step of the stage is done."""

    def answered(self, response: Response) -> None:
        """One step of the stage is done: a request has its answer, or failed."""

    def ended(self) -> None:
        """The stage's last step is done, and what it gave is kept."""


class Silence:
    def found(self, count: int) -> None:
        pass

    def stage(self, name: str, total: int | None, look: Look | None = None) -> None:
        pass

    def advance(self) -> None:
        pass

    def answered(self, response: Response) -> None:
        pass

    def ended(self) -> None:
        pass
