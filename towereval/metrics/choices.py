"""Questions with lettered options: which letter an answer chooses, and the circular evaluation.

A question that is asked under every rotation of its options is right only where every answer is:
who always says A, or guesses, is right by chance far less often. Response r is to the options
rotated left by r.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from towereval.errors import DataError, Unscorable
from towereval.types import Better, Response, Sample

LETTERS = "ABCDEFGHIJ"

# Whether an answer chooses a letter among the options by their letters.
_Rule = Callable[[str, str, Mapping[str, str]], bool]


@dataclass(frozen=True, slots=True)
class OptionAccuracy:
    """Of the options as they stand; with `circular` of all their rotations together.

    `centurio`: the answer begins with the letter, whatever its case ("As" begins with A).
    `mmbench`: MMBench's extraction without its judge: a letter that stands alone in the answer, or
    else the only option whose text is part of it; what chooses nothing is wrong.
    `seedbench`: the answer's first character is the letter, whatever its case.
    """

    rule: Literal["centurio", "mmbench", "seedbench"]
    circular: bool = False

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    @property
    def name(self) -> str:
        return "circular_accuracy" if self.circular else "accuracy"

    @property
    def signature(self) -> str:
        return f"{self.name}|rule:{self.rule}|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if not sample.references:
            raise Unscorable(sample.meta.get("unlabelled", "the sample has no gold letter"))
        gold, count = LETTERS.index(sample.references[0]), len(sample.choices)
        if self.circular and len(responses) != count:
            raise Unscorable(f"{count} options were asked in {len(responses)} rotations")
        asked = responses if self.circular else responses[:1]
        chooses = _RULES[self.rule]
        right = (
            chooses(
                response.text,
                LETTERS[(gold - turns) % count],
                dict(zip(LETTERS, rotated(sample.choices, turns), strict=False)),
            )
            for turns, response in enumerate(asked)
        )
        return (float(all(right)),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def rotated(options: Sequence[str], turns: int) -> tuple[str, ...]:
    return (*options[turns:], *options[:turns])


def lettered(options: Sequence[str], mark: str = ". ") -> str:
    """One option a line: "A. house". Raises `DataError` for fewer than two or too many."""
    if not 2 <= len(options) <= len(LETTERS):
        raise DataError(f"wanted 2 to {len(LETTERS)} options, found {len(options)}")
    pairs = zip(LETTERS, options, strict=False)
    return "\n".join(f"{letter}{mark}{option}" for letter, option in pairs)


def chosen_letter(answer: str, options: Mapping[str, str]) -> str:
    """MMBench's extraction (VLMEvalKit `can_infer`), "" where no one option is chosen.

    An A among four or more words may be an article and then chooses nothing.
    """
    words = answer.split()
    for before, after in _AROUND:
        # Five letters are looked for whatever options there are: so does the official code.
        found = [letter for letter in "ABCDE" if f"{before}{letter}{after}" in words]
        if len(found) != 1:
            continue
        if not (before or after) and "A" in words and len(words) > 3:
            continue
        return found[0]
    named = [letter for letter, text in options.items() if text.lower() in answer.lower()]
    return named[0] if len(named) == 1 else ""


_AROUND = (
    *(("", ""), ("", "."), ("", ","), ("", ":"), ("", ")"), ("", ").")),
    *(("(", ")"), ("(", ")."), (":", ""), (":", ","), (":", "."), (":", ")"), (":", ").")),
)


def _begins(answer: str, letter: str, options: Mapping[str, str]) -> bool:
    return answer.lower().startswith(letter.lower())


def _first_character(answer: str, letter: str, options: Mapping[str, str]) -> bool:
    return answer.strip()[:1].lower() == letter.lower()


def _extracted(answer: str, letter: str, options: Mapping[str, str]) -> bool:
    return chosen_letter(answer, options) == letter


_RULES: Mapping[str, _Rule] = {
    "centurio": _begins,
    "mmbench": _extracted,
    "seedbench": _first_character,
}
