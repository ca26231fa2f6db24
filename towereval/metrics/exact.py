"""Answers that are right or wrong: the whole text, or the option letter found in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class ExactMatch:
    """lmms-eval's default `exact_match`: no strip, no case fold, only the first reference.

    A sample without a reference is wrong, not unscored: lmms-eval compares with None and counts it,
    as it did for three French rows in the TowerVision authors' logs.
    """

    name: ClassVar[str] = "exact_match"
    signature: ClassVar[str] = "exact_match|rule:lmms_eval|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return (exact_match(responses[0].text, sample.references),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


@dataclass(frozen=True, slots=True)
class ChoiceLetter:
    """TowerVision's ALM-Bench: a letter is looked for in four ways; no letter is a wrong answer."""

    name: ClassVar[str] = "accuracy"
    signature: ClassVar[str] = "accuracy|rule:choice_letter|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        letter = choice_letter(responses[0].text)
        return (float(letter == _gold(sample).lower()),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


@dataclass(frozen=True, slots=True)
class OptionLetter:
    """Video-MME's letter as lmms-eval reads it. ViMUL-Bench's own scorer is unpublished.

    For samples with choices.
    """

    name: ClassVar[str] = "accuracy"
    signature: ClassVar[str] = "accuracy|rule:videomme|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if not sample.choices:
            return ()
        gold = _gold(sample)
        if gold not in ("A", "B", "C", "D"):
            raise Unscorable(f"the gold answer is no letter from A to D: {gold[:40]!r}")
        return (float(option_letter(responses[0].text) == gold),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def exact_match(prediction: str, references: Sequence[str]) -> float:
    return float(bool(references) and prediction == references[0])


# The only letter of the answer; the one after "Answer:"; one that opens the answer as "A) ...";
# one that opens any line so. The last skips the blanks of its own line only: `\s*` would find the
# same letter, but takes quadratic time in an answer of newlines.
_ALONE = re.compile(r"\(?([a-z])\)?", re.IGNORECASE)
_ANNOUNCED = re.compile(r"answer:\s*\(?([a-z])", re.IGNORECASE)
_OPENING = re.compile(r"\(?([a-z])\)?\)\s", re.IGNORECASE)
_LINE = re.compile(r"^[^\S\n]*\(?([a-zA-Z])\)?\s*\)", re.MULTILINE)


def choice_letter(text: str) -> str | None:
    """The chosen letter, lower-cased. "Answer: Dirndl" chooses d: no word boundary is asked."""
    text = text.strip()
    found = (
        _ALONE.fullmatch(text)
        or _ANNOUNCED.search(text)
        or _OPENING.match(text)
        or _LINE.search(text)
    )
    return found[1].lower() if found else None


# The last two are what two missing commas in lmms-eval's list make of four phrases.
_PREAMBLES = (
    "The best answer is",
    "The correct answer is",
    "The answer is",
    "The answer",
    "The best option isThe correct option is",
    "Best answer:Best option:",
)


def option_letter(text: str) -> str:
    """The first A, B, C or D anywhere ("Because" chooses B), "" where there is none."""
    text = text.strip()
    for preamble in _PREAMBLES:
        text = text.replace(preamble, "")
    found = re.search("[ABCD]", text)
    return found[0] if found else ""


def _gold(sample: Sample) -> str:
    if not sample.references:
        raise Unscorable("the sample has no gold letter")
    return sample.references[0]
