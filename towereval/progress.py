"""Who is told how far a run is."""

from __future__ import annotations

from typing import Protocol


class Listener(Protocol):
    def stage(self, name: str, total: int | None) -> None:
        """A new stage of so many steps, None where that is not known."""

    def advance(self) -> None:
        """One step of the stage is done."""


class Silence:
    def stage(self, name: str, total: int | None) -> None:
        pass

    def advance(self) -> None:
        pass
