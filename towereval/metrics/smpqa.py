"""SMPQA: labels of bars and slices read from plots. Rule: https://github.com/gregor-ge/Centurio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.errors import Unscorable
from towereval.types import Response, Sample


@dataclass(frozen=True, slots=True)
class SmpqaAccuracy:
    """The whole answer is the label; `relaxed`: it begins or ends with it ("none" answers "no")."""

    relaxed: bool = False

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True

    @property
    def name(self) -> str:
        return "relaxed_accuracy" if self.relaxed else "accuracy"

    @property
    def signature(self) -> str:
        return f"{self.name}|rule:smpqa|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if not sample.references:
            raise Unscorable("the sample has no label")
        score = relaxed_accuracy if self.relaxed else accuracy
        return (score(responses[0].text, sample.references[0]),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def accuracy(prediction: str, label: str) -> float:
    """No punctuation is removed: "yes." is wrong."""
    return float(_folded(prediction) == _folded(label))


def relaxed_accuracy(prediction: str, label: str) -> float:
    """An empty label is always right."""
    prediction, label = _folded(prediction), _folded(label)
    return float(prediction.startswith(label) or prediction.endswith(label))


def _folded(text: str) -> str:
    return text.strip().lower()
