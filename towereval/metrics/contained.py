"""MTVQA's own rule: the answer is part of the reply. As lmms-eval has it (75571cfe, mtvqa)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class ContainedAnswer:
    """Case and periods do not count: "3.5" is part of "350", and "no" of "know"."""

    name: ClassVar[str] = "accuracy"
    signature: ClassVar[str] = "accuracy|rule:contained|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if not sample.references:
            raise Unscorable("the sample has no answer")
        return (float(_bared(sample.references[0]) in _bared(responses[0].text)),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def _bared(text: str) -> str:
    return text.strip().lower().replace(".", "")
