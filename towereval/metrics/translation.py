"""BLEU, chrF and chrF++ with sacrebleu's own statistics, defaults and signatures.

sacrebleu's counts of a segment add up to the corpus's, so any subset or resample has a value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar

from towereval.errors import Unscorable
from towereval.types import Response, Sample


@dataclass(frozen=True, slots=True)
class Bleu:
    """Settings other than sacrebleu's defaults are for the numbers of older shared tasks."""

    lowercase: bool = False
    tokenizer: str = "13a"

    name: ClassVar[str] = "bleu"
    scale: ClassVar[float] = 100.0
    mean: ClassVar[bool] = False

    @property
    def signature(self) -> str:
        return _signature(self.name, _bleu(self.lowercase, self.tokenizer))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        scorer = _bleu(self.lowercase, self.tokenizer)
        return segment_statistics(scorer, responses[0].text, sample.references)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return corpus_score(_bleu(self.lowercase, self.tokenizer), total)


@dataclass(frozen=True, slots=True)
class Chrf:
    name: ClassVar[str] = "chrf"
    scale: ClassVar[float] = 100.0
    mean: ClassVar[bool] = False

    @property
    def signature(self) -> str:
        return _signature(self.name, _chrf(0))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return segment_statistics(_chrf(0), responses[0].text, sample.references)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return corpus_score(_chrf(0), total)


@dataclass(frozen=True, slots=True)
class ChrfPlusPlus:
    name: ClassVar[str] = "chrf_pp"
    scale: ClassVar[float] = 100.0
    mean: ClassVar[bool] = False

    @property
    def signature(self) -> str:
        return _signature(self.name, _chrf(2))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return segment_statistics(_chrf(2), responses[0].text, sample.references)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return corpus_score(_chrf(2), total)


def segment_statistics(
    scorer: Any, hypothesis: str, references: Sequence[str]
) -> tuple[float, ...]:
    """One reference only, so that the published `nrefs:1` holds for every segment."""
    if len(references) != 1:
        raise Unscorable(f"one reference translation is needed, the sample has {len(references)}")
    (counts,) = scorer._extract_corpus_statistics([hypothesis], [[references[0]]])
    return tuple(map(float, counts))


def corpus_score(scorer: Any, total: Sequence[float]) -> float:
    return float(scorer._compute_score_from_stats([round(count) for count in total]).score)


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
