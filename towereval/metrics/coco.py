"""CIDEr-D, ROUGE-L and chrF of captions in many languages, as Centurio prepares them.

A caption is composed (NFC), loses boxes such as [0.1, 0.2], is cut into words in zh, ja and th, and
then tokenised for CIDEr and ROUGE-L as COCO's are. Centurio's references of zh, ja and th are not
public: here they are cut as the captions are.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from towereval.errors import DataError, MissingExtra, ScoringFailed, Unscorable
from towereval.metrics.caption import cider, clean_caption, rouge_l
from towereval.metrics.segmentation import segment
from towereval.metrics.translation import Chrf, chrf_of, multi_reference_statistics
from towereval.metrics.treebank import treebank_tokens
from towereval.types import Better, Response, Sample, SampleScorer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# (language, sample id) -> the value, or why there is none.
Values: TypeAlias = dict[tuple[str, str], float | Unscorable]


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption and its references, ready to be tokenised."""

    sample_id: str
    text: str
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cider:
    """Words weigh by the references of the run's samples of the language, ten at best.

    One is what papers print as 100, and what margins of `compare` are a part of.

    The weights are held fixed when an interval is drawn: it is of the pictures' mean.
    """

    name: ClassVar[str] = "cider"
    scale: ClassVar[float] = 10.0
    hundred: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return f"cider|rule:pycocoevalcap-1.2|{_preparation()}|weights:run|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return self.over([(sample, responses)])(sample, responses)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count

    def over(self, answered: Iterable[tuple[Sample, Sequence[Response]]]) -> SampleScorer:
        return _scorer(answered, _ciders)


@dataclass(frozen=True, slots=True)
class RougeL:
    name: ClassVar[str] = "rouge_l"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return f"rouge_l|rule:pycocoevalcap-1.2|beta:1.2|{_preparation()}|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return self.over([(sample, responses)])(sample, responses)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count

    def over(self, answered: Iterable[tuple[Sample, Sequence[Response]]]) -> SampleScorer:
        return _scorer(answered, _rouges)


@dataclass(frozen=True, slots=True)
class CaptionChrf:
    """sacrebleu's chrF against the nearest of the references; no words are cut."""

    name: ClassVar[str] = "chrf"
    scale: ClassVar[float] = 100.0
    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return Chrf().signature.replace("nrefs:1", "nrefs:var")

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        caption = _prepared(sample, responses, cut=False)
        return multi_reference_statistics(caption.text, caption.references)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return Chrf().corpus(total, count)

    def corpora(self, total_GK: NDArray[np.float64]) -> NDArray[np.float64]:
        return chrf_of(total_GK)


def _scorer(
    answered: Iterable[tuple[Sample, Sequence[Response]]],
    score: Callable[[Sequence[Caption]], Sequence[float]],
) -> SampleScorer:
    """Scores all captions of a language at once: Java starts once, and words have weights."""
    values: Values = {}
    captions: dict[str, list[Caption]] = {}
    for sample, responses in answered:
        try:
            caption = _prepared(sample, responses)
            captions.setdefault(sample.language, []).append(caption)
        except (Unscorable, MissingExtra) as error:
            values[sample.language, sample.id] = Unscorable(str(error))
    try:
        tokenised = _tokenised({language: tuple(each) for language, each in captions.items()})
    except MissingExtra as error:
        fault: Unscorable = Unscorable(str(error))
        tokenised = {}
    except DataError as error:
        fault = ScoringFailed(str(error))
        tokenised = {}
    for language, each in captions.items():
        try:
            found: Sequence[float | Unscorable] = (
                score(tokenised[language]) if tokenised else [fault] * len(each)
            )
        except Unscorable as error:
            found = [error] * len(each)
        values |= {(language, one.sample_id): value for one, value in zip(each, found, strict=True)}

    def scored(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        value = values[sample.language, sample.id]
        if isinstance(value, Unscorable):
            raise value
        return (value,)

    return scored


def _ciders(captions: Sequence[Caption]) -> Sequence[float]:
    if len(captions) < 2:
        raise Unscorable("CIDEr weighs words by how many pictures they tell apart: two are needed")
    return cider([one.text for one in captions], [one.references for one in captions])[1]


def _rouges(captions: Sequence[Caption]) -> Sequence[float]:
    return [rouge_l(one.text, one.references) for one in captions]


def _prepared(sample: Sample, responses: Sequence[Response], *, cut: bool = True) -> Caption:
    """Raises `Unscorable` without a reference or where a caption cannot be cut."""
    if not sample.references:
        raise Unscorable("the sample has no reference caption")
    texts = [clean_caption(text) for text in (responses[0].text, *sample.references)]
    if cut:
        texts = [segment(text, sample.language) for text in texts]
    return Caption(sample.id, texts[0], tuple(texts[1:]))


def _tokenised(captions: Mapping[str, tuple[Caption, ...]]) -> dict[str, list[Caption]]:
    """Of each language the captions, then the references: the order COCO gives them in.

    A line of its own parts the languages: the tokeniser looks past the end of a caption, and a
    language's tokens must not depend on which other is asked.
    """
    lines: list[str] = []
    for each in captions.values():
        lines += [one.text for one in each]
        lines += [reference for one in each for reference in one.references]
        lines.append("end")
    tokens = iter(_tokens(tuple(lines)))
    tokenised = {}
    for language, each in captions.items():
        texts = [next(tokens) for _ in each]
        tokenised[language] = [
            Caption(one.sample_id, text, tuple(next(tokens) for _ in one.references))
            for one, text in zip(each, texts, strict=True)
        ]
        next(tokens)
    return tokenised


@lru_cache(maxsize=1)  # CIDEr and ROUGE-L ask for the same tokens, one after the other
def _tokens(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(treebank_tokens(lines))


def _preparation() -> str:
    return (
        "tokens:ptb|words:zh-characters"
        f",ja-sudachi-{_version('sudachipy')}-{_version('sudachidict_core')}"
        f",th-pythainlp-{_version('pythainlp')}"
    )


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "none"
