"""Reading text in pictures: OCRBench's hits and CC-OCR's word or character F1.

Rules: https://github.com/Yuliang-Liu/MultimodalOCR (OCRBench v1, example.py) and
https://github.com/AlibabaResearch/AdvancedLiterateMachinery (Benchmarks/CC-OCR, text tracks).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Literal

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class OcrBenchAccuracy:
    """Whether an answer is part of the prediction; `meta["dataset"]` names the source data set.

    `towervision` is the authors' harness: it lower-cases the prediction before formulas are
    compared, but not their answers, so a formula with a capital is always wrong.
    """

    rule: Literal["official", "towervision"] = "official"

    name: ClassVar[str] = "accuracy"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return f"accuracy|rule:ocrbench_{self.rule}|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        text = responses[0].text
        if self.rule == "towervision":
            text = text.lower()
        return (ocrbench_hit(text, sample.references, sample.meta.get("dataset", "")),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


@dataclass(frozen=True, slots=True)
class ReadingF1:
    """CC-OCR's F1 over the multiset of tokens; order and place do not count.

    `meta["level"]` "char" compares characters (ar, ja, ko, zh), else words; `meta["alphanum"]` "1"
    keeps ASCII letters and digits only (the scene track's words).
    """

    average: Literal["macro", "micro"] = "macro"

    scale: ClassVar[float] = 1.0
    better: ClassVar[Better] = "larger"

    @property
    def name(self) -> str:
        return f"{self.average}_f1"

    @property
    def signature(self) -> str:
        return f"{self.name}|rule:cc_ocr|eps:1e-9|version:1"

    @property
    def mean(self) -> bool:
        return self.average == "macro"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if not sample.references:
            raise Unscorable("the picture has no reference text")
        chars = sample.meta.get("level") == "char"
        alphanum = sample.meta.get("alphanum") == "1"
        counts = token_counts(
            responses[0].text, sample.references[0], chars=chars, alphanum=alphanum
        )
        return (recall_precision_f1(*counts)[2],) if self.average == "macro" else counts

    def corpus(self, total: Sequence[float], count: int) -> float:
        if self.average == "macro":
            return total[0] / (count + _EPSILON)
        matched, reference, predicted = total
        return recall_precision_f1(matched, reference, predicted)[2]


def ocrbench_hit(prediction: str, answers: Sequence[str], dataset: str) -> float:
    """1.0 where any answer is part of the prediction; an empty answer is part of everything.

    The official code branches on the data set's name, not on the question type; formulas (HME100k)
    keep their case and lose their blanks, but no other white space.
    """
    if dataset == "HME100k":
        prediction = _without_blanks(prediction)
        return float(any(_without_blanks(answer) in prediction for answer in answers))
    prediction = _lowered(prediction)
    return float(any(_lowered(answer) in prediction for answer in answers))


def tokens(text: str, *, chars: bool = False, alphanum: bool = False) -> list[str]:
    """CC-OCR's tokens. Case is folded token by token, so "İ" is one token of two code points."""
    text = text.strip().replace("\t", " ").replace("\n", " ").replace("###", "").replace("***", "")
    text = re.sub(r"\s+", " ", text)
    found = text.replace(" ", "") if chars else text.split(" ")
    lowered = [token.lower() for token in found]
    if alphanum:
        lowered = [re.sub("[^A-Za-z0-9]+", "", token) for token in lowered]
    return [token for token in lowered if token]


@lru_cache(maxsize=1)  # macro and micro F1 ask for the same counts, one after the other
def token_counts(
    prediction: str, reference: str, *, chars: bool = False, alphanum: bool = False
) -> tuple[float, float, float]:
    """How many tokens match, how many the reference has, how many the prediction has."""
    predicted = Counter(tokens(prediction, chars=chars, alphanum=alphanum))
    wanted = Counter(tokens(reference, chars=chars, alphanum=alphanum))
    matched = sum(min(count, predicted[token]) for token, count in wanted.items())
    return float(matched), float(wanted.total()), float(predicted.total())


_EPSILON = 1e-9


def recall_precision_f1(
    matched: float, reference: float, predicted: float
) -> tuple[float, float, float]:
    recall = matched / (reference + _EPSILON)
    precision = matched / (predicted + _EPSILON)
    return recall, precision, 2 * recall * precision / (recall + precision + _EPSILON)


def _without_blanks(text: str) -> str:
    return text.strip().replace("\n", " ").replace(" ", "")


def _lowered(text: str) -> str:
    return text.lower().strip().replace("\n", " ")
