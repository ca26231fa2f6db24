"""Does the picture make the reference likelier? From log-probabilities with it, another and none.

CXMI is conditional cross-mutual information (P. Fernandes et al., ACL 2021,
https://aclanthology.org/2021.acl-long.505) with the picture as the context: H(y|x) - H(y|x,
picture), estimated by the mean of log p(y|x, picture) - log p(y|x). All is in nats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from towereval.errors import Unscorable
from towereval.metrics.contrastive import contrastive_accuracy, mean_negative_log_likelihood
from towereval.types import Better, Response, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Keys of a sample's `meta`: why it is not asked, and the pictures it is asked about beside its own.
UNASKED, WRONG, SWAPPED = "unasked", "wrong", "swapped"
NO_WRONG = "no other picture of this language's data can stand for it"
NO_PAIR = "no row has the same source, the translations swapped and another picture"


def order(sample: Sample) -> list[str]:
    """What a sample's responses are of, in the order of asking.

    `swapped` is the first candidate with the pair's other picture, `other` and `other swapped` the
    second one with its own picture's and with that one.
    """
    names = ["right", "none"]
    names += ["wrong"] if WRONG in sample.meta else []
    return names + (["swapped", "other", "other swapped"] if SWAPPED in sample.meta else [])


def named(sample: Sample, responses: Sequence[Response]) -> dict[str, Response]:
    """The responses by what they are of. Raises `Unscorable` for a sample that is not asked."""
    if UNASKED in sample.meta:
        raise Unscorable(sample.meta[UNASKED])
    names = order(sample)
    if len(responses) != len(names):
        raise Unscorable(f"{len(names)} log-probabilities are wanted, {len(responses)} were given")
    return dict(zip(names, responses, strict=True))


@dataclass(frozen=True, slots=True)
class LikelihoodGain:
    """What the right picture adds to the reference's log-probability, beside none or a wrong one.

    Statistics are the gain in nats, the reference's tokens and 1. Per token it is the ratio of
    their sums, which depends on the tokenizer; per sentence it does not.
    """

    beside: Literal["none", "wrong"]
    per: Literal["sentence", "token"]

    # There is no best value: 1 nat is what margins of `compare` are a part of.
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"
    unbounded: ClassVar[bool] = True

    @property
    def name(self) -> str:
        name = "cxmi" if self.beside == "none" else "right_minus_wrong"
        return name if self.per == "sentence" else f"{name}_per_token"

    @property
    def signature(self) -> str:
        other = "none" if self.beside == "none" else "deranged-in-language"
        return f"{self.name}|unit:nats/{self.per}|reference:first|beside:{other}|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        found = named(sample, responses)
        if self.beside not in found:
            raise Unscorable(NO_WRONG)
        right, beside = found["right"], found[self.beside]
        if right.logprob is None or beside.logprob is None or right.token_count < 1:
            raise Unscorable("the response has no log-probability of at least one token")
        if right.token_count != beside.token_count:
            raise Unscorable(
                f"the reference has {right.token_count} tokens with the picture and"
                f" {beside.token_count} beside it"
            )
        gain = right.logprob - beside.logprob
        if not math.isfinite(gain):
            raise Unscorable("the reference has probability 0")
        return gain, float(right.token_count), 1.0

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / total[1 if self.per == "token" else 2]

    def corpora(self, total_GK: NDArray[np.float64]) -> NDArray[np.float64]:
        """`corpus` of every row: G sums of the K statistics."""
        found: NDArray[np.float64] = total_GK[:, 0] / total_GK[:, 1 if self.per == "token" else 2]
        return found


@dataclass(frozen=True, slots=True)
class ImageSwapAccuracy:
    """Share of rows whose preferred translation follows the picture when the pair's are swapped.

    Right where the row's translation is likelier with its own picture and the other translation
    with the other picture, both strictly and by the mean per token, as in contrastive accuracy. A
    model that does not look prefers the same one twice and scores 0, coin flips score 0.25.
    """

    name: ClassVar[str] = "image_swap_accuracy"
    signature: ClassVar[str] = "image_swap_accuracy|rule:both|nll:mean|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        found = named(sample, responses)
        if SWAPPED not in found:
            raise Unscorable(NO_PAIR)
        cost = {name: mean_negative_log_likelihood(found[name]) for name in found}
        own = contrastive_accuracy(cost["right"], cost["other"])
        swapped = contrastive_accuracy(cost["other swapped"], cost["swapped"])
        return (own * swapped,)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count
