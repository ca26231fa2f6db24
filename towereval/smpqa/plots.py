"""What is on a plot and what is asked about it, without any word: the same in all languages.

Plots and questions after SMPQA (Centurio, https://arxiv.org/abs/2501.05122). Other than there, the
biggest and the smallest part stand out clearly, so that every question has one answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["bar", "pie"]

COLOURS = {
    "blue": "#1f5fbf",
    "green": "#2e9e3e",
    "red": "#d62728",
    "yellow": "#f5d90a",
    "black": "#111111",
    "orange": "#ff8c1a",
    "purple": "#8e3fbf",
    "brown": "#7a4a21",
    "pink": "#ff8fc7",
    "gray": "#9a9a9a",
}
MOST = 8  # parts of a plot
UNITS = {"bar": "bar", "pie": "slice"}
# How far the biggest and the smallest are from the next: units of a bar's value, shares of a pie.
BAR_GAP, PIE_GAP = 3, 0.04
_NAMED = ("biggest", "smallest")


@dataclass(frozen=True, slots=True)
class Part:
    """A bar, whose value is its height from 30 to 100, or a slice, whose value is a weight."""

    value: int
    colour: str


@dataclass(frozen=True, slots=True)
class Plot:
    """`parts` from left to right, from top to bottom or clockwise."""

    name: str
    kind: Kind
    vertical: bool
    parts: tuple[Part, ...]

    def extreme(self, which: str) -> int:
        pick = max if which == "biggest" else min
        return pick(range(len(self.parts)), key=lambda place: self.parts[place].value)


@dataclass(frozen=True, slots=True)
class Question:
    """`answer` is "yes", "no" or a label."""

    group: Literal["grounding", "reading"]
    text: str
    answer: str


def draw_plots(seed: int, bars: int, pies: int) -> Iterator[Plot]:
    """Plot number n is the same however many are drawn."""
    for number in range(bars):
        yield _plot("bar", number, seed)
    for number in range(pies):
        yield _plot("pie", number, seed)


def _plot(kind: Kind, number: int, seed: int) -> Plot:
    chance = random.Random(f"smpqa/{seed}/{kind}/{number}")
    count = chance.randint(4, MOST)
    clear = _clear_bars if kind == "bar" else _clear_slices
    values = _values(chance, count, clear)
    colours = chance.sample(list(COLOURS), count)
    parts = tuple(Part(*each) for each in zip(values, colours, strict=True))
    return Plot(f"{kind}-{number:03}", kind, chance.random() < 0.5, parts)


def _values(
    chance: random.Random, count: int, clear: Callable[[Sequence[int]], bool]
) -> tuple[int, ...]:
    while True:
        values = tuple(chance.randint(30, 100) for _ in range(count))
        if clear(values):
            return values


def _clear_bars(values: Sequence[int]) -> bool:
    return min(_gaps(values)) >= BAR_GAP


def _clear_slices(values: Sequence[int]) -> bool:
    return min(_gaps(values)) >= PIE_GAP * sum(values)


def _gaps(values: Sequence[int]) -> tuple[int, int]:
    ordered = sorted(values)
    return ordered[1] - ordered[0], ordered[-1] - ordered[-2]


def questions(plot: Plot, labels: Sequence[str], seed: int) -> tuple[Question, ...]:
    """Eight grounding questions, "yes" and "no" in turn, then five reading ones.

    The parts they ask about are the same whatever the labels are.
    """
    chance = random.Random(f"smpqa/{seed}/{plot.name}/questions")
    unit = UNITS[plot.kind]
    places = range(len(plot.parts))
    asked: list[tuple[str, str]] = []
    for which in _NAMED:
        right = plot.extreme(which)
        wrong = chance.choice([place for place in places if place != right])
        ending = f"the {which}?"
        asked += [(labels[right], ending), (labels[wrong], ending)]
    for place in chance.sample(places, 2):
        other = chance.choice([each for each in places if each != place])
        for shown in (place, other):
            asked.append((labels[place], f"colored in {plot.parts[shown].colour}?"))
    grounding = [
        Question("grounding", f"Is the {unit} with label '{label}' {ending}", answer)
        for (label, ending), answer in zip(asked, ["yes", "no"] * 4, strict=True)
    ]
    named = [(which, plot.extreme(which)) for which in _NAMED]
    named += [(plot.parts[place].colour, place) for place in chance.sample(places, 3)]
    reading = [
        Question("reading", f"What is the label of the {which} {unit}?", labels[place])
        for which, place in named
    ]
    return (*grounding, *reading)
