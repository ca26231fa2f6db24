"""Who is told how far a run is."""

from __future__ import annotations

from typing import Protocol

from towereval.types import Response


class Listener(Protocol):
    def found(self, count: int) -> None:
        """Of what the next stage asks, an earlier start has left so many answers."""

    def stage(self, name: str, total: int | None) -> None:
        """A new stage of so many steps, None where that is not known."""

    def advance(self) -> None:
        """One step of the stage is done."""

    def answered(self, response: Response) -> None:
        """One step of the stage is done: a request has its answer, or failed."""


class Silence:
    def found(self, count: int) -> None:
        pass

    def stage(self, name: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        pass

    def answered(self, response: Response) -> None:
        pass
