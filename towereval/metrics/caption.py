"""Captions as COCO scores them: CIDEr-D, BLEU-1 to 4 and ROUGE-L over Penn Treebank tokens.

Rules: pycocoevalcap 1.2. CIDEr: R. Vedantam et al., CVPR 2015; ROUGE-L: C.-Y. Lin, 2004. XM3600 has
no official scorer; Centurio and Pangea score it with these.
"""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from towereval.errors import Unscorable
from towereval.metrics.spans import replace_spans

Gram: TypeAlias = tuple[str, ...]

_ORDERS = (1, 2, 3, 4)


def clean_caption(text: str) -> str:
    """A prediction before it is tokenised: composed (NFC) and without boxes such as [0.1, 0.2]."""
    return replace_spans(unicodedata.normalize("NFC", text), "[", "]")


def cider(
    hypotheses: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[float, tuple[float, ...]]:
    """CIDEr-D of tokenised captions and its value of each picture, ten at best.

    The weights of words come from the references of all pictures: the value of one alone is 0.
    """
    if not hypotheses:
        raise Unscorable("there are no captions")
    weights = _inverse_frequencies(references)
    values = []
    for hypothesis, wanted in zip(hypotheses, references, strict=True):
        vector = _vector(hypothesis, weights)
        similar = [_similarity(vector, _vector(reference, weights)) for reference in wanted]
        values.append(10 * sum(similar) / len(similar))
    return sum(values) / len(values), tuple(values)


def bleu(hypotheses: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[float, ...]:
    """BLEU-1 to 4 of the corpus, against the reference nearest in length, the shorter of equals."""
    correct, guessed = [0] * len(_ORDERS), [0] * len(_ORDERS)
    length = wanted_length = 0
    for hypothesis, wanted in zip(hypotheses, references, strict=True):
        words = len(hypothesis.split())
        length += words
        wanted_length += min(
            (abs(len(reference.split()) - words), len(reference.split())) for reference in wanted
        )[1]
        allowed = Counter[Gram]()
        for reference in wanted:
            allowed |= _grams(reference)
        for gram, count in _grams(hypothesis).items():
            correct[len(gram) - 1] += min(count, allowed[gram])
            guessed[len(gram) - 1] += count
    # The two smallest numbers keep an empty corpus from dividing by zero; the rule has both.
    values, product = [], 1.0
    ratio = (length + 1e-15) / (wanted_length + 1e-9)
    brevity = math.exp(1 - 1 / ratio) if ratio < 1 else 1.0
    for order, right, guesses in zip(_ORDERS, correct, guessed, strict=True):
        product *= (right + 1e-15) / (guesses + 1e-9)
        values.append(product ** (1 / order) * brevity)
    return tuple(values)


def rouge_l(hypothesis: str, references: Sequence[str]) -> float:
    """F of the longest common subsequence; precision and recall may be of two references."""
    words = hypothesis.split(" ")
    common = [
        (_common(words, reference.split(" ")), reference.split(" ")) for reference in references
    ]
    precision = max(length / len(words) for length, _ in common)
    recall = max(length / len(reference) for length, reference in common)
    if not precision or not recall:
        return 0.0
    return (1 + 1.2**2) * precision * recall / (recall + 1.2**2 * precision)


@dataclass(frozen=True, slots=True)
class _Vector:
    """The n-grams' weights and, by order, their norms; `length`, oddly, counts bigrams."""

    weights: dict[Gram, float]
    norms: tuple[float, ...]
    length: int


@dataclass(frozen=True, slots=True)
class _Frequencies:
    pictures: int
    by_gram: Counter[Gram]

    def weight(self, gram: Gram) -> float:
        return math.log(self.pictures) - math.log(max(1, self.by_gram[gram]))


def _inverse_frequencies(references: Sequence[Sequence[str]]) -> _Frequencies:
    by_gram = Counter[Gram]()
    for wanted in references:
        by_gram.update({gram for reference in wanted for gram in _grams(reference)})
    return _Frequencies(len(references), by_gram)


def _vector(caption: str, frequencies: _Frequencies) -> _Vector:
    counts = _grams(caption)
    weights = {gram: count * frequencies.weight(gram) for gram, count in counts.items()}
    squares = [0.0] * len(_ORDERS)
    for gram, weight in weights.items():
        squares[len(gram) - 1] += weight * weight
    length = sum(count for gram, count in counts.items() if len(gram) == 2)
    return _Vector(weights, tuple(map(math.sqrt, squares)), length)


def _similarity(hypothesis: _Vector, reference: _Vector) -> float:
    """The mean over the orders; what the hypothesis repeats beyond the reference gains nothing."""
    products = [0.0] * len(_ORDERS)
    for gram, weight in hypothesis.weights.items():
        wanted = reference.weights.get(gram, 0.0)
        products[len(gram) - 1] += min(weight, wanted) * wanted
    norms = zip(hypothesis.norms, reference.norms, strict=True)
    cosines = [
        product / (one * two or 1.0) for product, (one, two) in zip(products, norms, strict=True)
    ]
    difference = hypothesis.length - reference.length
    return sum(cosines) / len(_ORDERS) * math.exp(-(difference**2) / (2 * 6.0**2))


def _grams(caption: str) -> Counter[Gram]:
    words = caption.split()
    return Counter(
        tuple(words[start : start + order])
        for order in _ORDERS
        for start in range(len(words) - order + 1)
    )


def _common(first: Sequence[str], second: Sequence[str]) -> int:
    """The length of the longest common subsequence."""
    row = [0] * (len(second) + 1)
    for word in first:
        diagonal = 0
        for place, other in enumerate(second, start=1):
            above = row[place]
            row[place] = diagonal + 1 if word == other else max(above, row[place - 1])
            diagonal = above
    return row[-1]
