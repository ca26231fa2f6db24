"""CoMMuTE: does the model find the right translation likelier than the wrong one?

The rule is https://github.com/MatthieuFP/CoMMuTE's: perplexity, strictly lower for the right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class ContrastiveAccuracy:
    """Two responses: the right translation's, then the wrong one's. A tie or a NaN is wrong."""

    name: ClassVar[str] = "contrastive_accuracy"
    signature: ClassVar[str] = "contrastive_accuracy|rule:commute|nll:mean|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if len(responses) != 2:
            raise Unscorable(f"two log-probabilities are compared, {len(responses)} were given")
        correct, incorrect = (mean_negative_log_likelihood(response) for response in responses)
        return (contrastive_accuracy(correct, incorrect),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def contrastive_accuracy(correct: float, incorrect: float) -> float:
    """1.0 where the right translation costs strictly less; comparisons with NaN are false."""
    return float(correct < incorrect)


def mean_negative_log_likelihood(response: Response) -> float:
    """Per token, which orders as perplexity does but cannot overflow."""
    if response.logprob is None or response.token_count < 1:
        raise Unscorable("the response has no log-probability of at least one token")
    return -response.logprob / response.token_count
