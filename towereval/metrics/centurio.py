"""Centurio's accuracies: the whole answer is a label, or begins or ends with one.

Rules: https://github.com/gregor-ge/Centurio (8f6ed69e), src/tasks/vllm/evaluation.py. Both sides
are stripped and lower-cased, nothing else: "Yes." is not "yes". The paper (arXiv 2501.05122,
table 10) gives tasks of free answers the exact one, tasks of letters the relaxed one, and all its
baselines the relaxed one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class LabelAccuracy:
    """Right where any of the references is met; `relaxed`: "banana" ends with the letter A."""

    relaxed: bool = False

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    @property
    def name(self) -> str:
        return "relaxed_accuracy" if self.relaxed else "accuracy"

    @property
    def signature(self) -> str:
        return f"{self.name}|rule:centurio|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if not sample.references:
            raise Unscorable(sample.meta.get("unlabelled", "the sample has no label"))
        score = relaxed_accuracy if self.relaxed else accuracy
        return (max(score(responses[0].text, label) for label in sample.references),)

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
