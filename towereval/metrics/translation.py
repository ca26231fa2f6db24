"""BLEU, chrF and chrF++ with sacrebleu's own statistics, defaults and signatures.

sacrebleu's counts of a segment add up to the corpus's, so any subset or resample has a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    # G corpora, K statistics, O orders of n-grams.
    Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bleu:
    """Settings other than sacrebleu's defaults are for the numbers of older shared tasks."""

    lowercase: bool = False
    tokenizer: str = "13a"

    name: ClassVar[str] = "bleu"
    scale: ClassVar[float] = 100.0
    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return _signature(self.name, _bleu(self.lowercase, self.tokenizer))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        scorer = _bleu(self.lowercase, self.tokenizer)
        return segment_statistics(scorer, responses[0].text, sample.references)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return corpus_score(_bleu(self.lowercase, self.tokenizer), total)

    def corpora(self, total_GK: Floats) -> Floats:
        return bleu_of(total_GK)


@dataclass(frozen=True, slots=True)
class Chrf:
    name: ClassVar[str] = "chrf"
    scale: ClassVar[float] = 100.0
    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return _signature(self.name, _chrf(0))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return segment_statistics(_chrf(0), responses[0].text, sample.references)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return corpus_score(_chrf(0), total)

    def corpora(self, total_GK: Floats) -> Floats:
        return chrf_of(total_GK)


@dataclass(frozen=True, slots=True)
class ChrfPlusPlus:
    name: ClassVar[str] = "chrf_pp"
    scale: ClassVar[float] = 100.0
    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return _signature(self.name, _chrf(2))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return segment_statistics(_chrf(2), responses[0].text, sample.references)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return corpus_score(_chrf(2), total)

    def corpora(self, total_GK: Floats) -> Floats:
        return chrf_of(total_GK)


def segment_statistics(
    scorer: Any, hypothesis: str, references: Sequence[str]
) -> tuple[float, ...]:
    """One reference only, so that the published `nrefs:1` holds for every segment."""
    if len(references) != 1:
        raise Unscorable(f"one reference translation is needed, the sample has {len(references)}")
    (counts,) = scorer._extract_corpus_statistics([hypothesis], [[references[0]]])
    return tuple(map(float, counts))


def multi_reference_statistics(hypothesis: str, references: Sequence[str]) -> tuple[float, ...]:
    """chrF's counts against the reference that gives the best score."""
    (counts,) = _chrf(0)._extract_corpus_statistics([hypothesis], [[one] for one in references])
    return tuple(map(float, counts))


def corpus_score(scorer: Any, total: Sequence[float]) -> float:
    return float(scorer._compute_score_from_stats([round(count) for count in total]).score)


def bleu_of(total_GK: Floats) -> Floats:
    """`corpus` of every row, as sacrebleu gives it with its default "exp" smoothing.

    A row is its lengths, then the matches and then the n-grams of each order. An order without a
    match counts as half of a match, the next such as a quarter; one without n-grams ends the rest.
    """
    import numpy as np

    total_GK = np.rint(total_GK)
    length_G, reference_G = total_GK[:, 0], total_GK[:, 1]
    matches_GO, ngrams_GO = np.split(total_GK[:, 2:], 2, axis=1)
    missed_GO = (matches_GO == 0) & (ngrams_GO > 0)
    halved_GO = np.where(missed_GO, 0.5 ** np.cumsum(missed_GO, 1), matches_GO)
    precision_GO = halved_GO / np.maximum(ngrams_GO, 1)
    precision_GO[np.cumsum(ngrams_GO == 0, 1) > 0] = 0
    # sacrebleu's logarithm of 0.
    logarithm_GO = np.log(
        100 * precision_GO, out=np.full_like(precision_GO, -9999999999), where=precision_GO > 0
    )
    ratio_G = reference_G / np.maximum(length_G, 1)
    penalty_G = np.where(length_G < reference_G, np.exp(np.minimum(1 - ratio_G, 0)), 1)
    penalty_G[length_G == 0] = np.where(reference_G[length_G == 0] > 0, 0, 1)
    found_G = penalty_G * np.exp(logarithm_GO.mean(1))
    return np.where(matches_GO.any(1), found_G, 0)


def chrf_of(total_GK: Floats, beta: float = 2) -> Floats:
    """`corpus` of every row: n-grams of the hypothesis, the reference and matches, by order.

    Orders that either side lacks are left out of the averages.
    """
    import numpy as np

    ours_GO, theirs_GO, matches_GO = (np.rint(total_GK[:, each::3]) for each in range(3))
    counts_GO = (ours_GO > 0) & (theirs_GO > 0)
    orders_G = np.maximum(counts_GO.sum(1), 1)
    precision_G = (counts_GO * matches_GO / np.maximum(ours_GO, 1)).sum(1) / orders_G
    recall_G = (counts_GO * matches_GO / np.maximum(theirs_GO, 1)).sum(1) / orders_G
    weighed_G = beta**2 * precision_G + recall_G
    found_G = 100 * (1 + beta**2) * precision_G * recall_G / np.where(weighed_G > 0, weighed_G, 1)
    return np.where(weighed_G > 0, found_G, 0)


# One scorer a setting and process: building one takes as long as scoring a hundred segments.


@cache
def _bleu(lowercase: bool, tokenizer: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(lowercase=lowercase, tokenize=tokenizer)


@cache
def _chrf(word_order: int) -> Any:
    from sacrebleu.metrics.chrf import CHRF

    return CHRF(word_order=word_order)


def _signature(name: str, scorer: Any) -> str:
    # sacrebleu knows the number of references only once it has seen some.
    scorer._extract_corpus_statistics(["."], [["."]])
    return f"{name}|{scorer.get_signature()}"
