"""In which languages a run's answers are, as results.json tells it: `Spoken` under "spoken"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from towereval.errors import StoreError


@dataclass(frozen=True, slots=True)
class Kept:
    """A metric's value of all scored answers, and of the `n` left without wrong-language ones.

    `right`, `low` and `high` are None where none is left, or too few for an interval.
    """

    all: float
    right: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """One language of one task.

    `fidelity` is the share of `n` decided answers in that language with its 95% interval; None
    where none could be decided, for this `reason`. `wrong` counts what the others were taken for,
    the commonest first. `kept`: each other metric with and without the wrong-language answers.
    """

    task: str
    variant: str
    language: str
    fidelity: float | None
    low: float | None
    high: float | None
    n: int
    undecided: int
    wrong: tuple[tuple[str, int], ...]
    kept: Mapping[str, Kept]
    reason: str = ""

    def record(self) -> dict[str, Any]:
        return asdict(self)


def read(where: str, raw: object) -> Spoken:
    """Raises `StoreError` for what `Spoken.record` has not given."""
    try:
        if not isinstance(raw, dict):
            raise TypeError(f"wanted an object, found {type(raw).__name__}")
        return Spoken(
            task=_text(raw["task"]),
            variant=_text(raw["variant"]),
            language=_text(raw["language"]),
            fidelity=_number(raw["fidelity"]),
            low=_number(raw["low"]),
            high=_number(raw["high"]),
            n=_count(raw["n"]),
            undecided=_count(raw["undecided"]),
            wrong=tuple((_text(code), _count(count)) for code, count in raw["wrong"]),
            kept={_text(name): _kept(each) for name, each in raw["kept"].items()},
            reason=_text(raw["reason"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(f"{where}: {type(error).__name__}: {error!s:.100}") from error


def _kept(raw: Any) -> Kept:
    everything = _number(raw["all"])
    if everything is None:
        raise TypeError("a metric without a value")
    right, low, high = (_number(raw[key]) for key in ("right", "low", "high"))
    return Kept(everything, right, low, high, _count(raw["n"]))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value


def _number(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        raise ValueError(f"{value!r:.60} is no number")
    return float(value)


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 2**53:
        raise ValueError(f"{value!r:.60} is no count")
    return value
