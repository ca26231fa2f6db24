"""Language fidelity: is the answer in the language that was asked for?

After "image-induced fidelity loss" (https://arxiv.org/abs/2503.22577) and Centurio
(https://arxiv.org/abs/2501.05122), whose definitions leave the short answers and the close pairs
open: see docs/language_fidelity.md for what is done with them here.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from towereval.errors import ScoringFailed, TowerevalError, Unscorable, UsageError
from towereval.languages import LANGUAGES
from towereval.metrics import identification
from towereval.types import Better, Response, Sample, SampleScorer

# Fewer letters do not tell: Latin and Cyrillic ones, those of scripts that few languages share, and
# characters that stand for syllables or words.
LEAST_SHARED, LEAST_OWN, LEAST_DENSE = 16, 10, 5
# How much likelier the one must be than the other; the identifier's sum to 1.
MARGIN = 0.1
# An answer's language shows in its beginning.
LONGEST = 1000

# ISO 15924 -> the first words of the Unicode names of its letters.
_SCRIPTS = {
    "Arab": ("ARABIC",),
    "Beng": ("BENGALI",),
    "Cyrl": ("CYRILLIC",),
    "Deva": ("DEVANAGARI",),
    "Ethi": ("ETHIOPIC",),
    "Geor": ("GEORGIAN",),
    "Grek": ("GREEK",),
    "Hani": ("CJK",),
    "Hans": ("CJK",),
    "Hant": ("CJK",),
    "Hebr": ("HEBREW",),
    "Jpan": ("HIRAGANA", "KATAKANA", "CJK"),
    "Khmr": ("KHMER",),
    "Kore": ("HANGUL", "CJK"),
    "Laoo": ("LAO",),
    "Latn": ("LATIN",),
    "Mymr": ("MYANMAR",),
    "Sinh": ("SINHALA",),
    "Taml": ("TAMIL",),
    "Telu": ("TELUGU",),
    "Thai": ("THAI",),
}
_DENSE = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_LEAST = dict.fromkeys(("LATIN", "CYRILLIC"), LEAST_SHARED) | dict.fromkeys(_DENSE, LEAST_DENSE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """`language`: what the answer was taken for. `right` None: undecided, for this `reason`."""

    language: str
    right: bool | None
    reason: str = ""


# What a score's remark and reason begin with: the language that a wrong answer was taken for comes
# after, or why it is open.
TAKEN_FOR, UNDECIDED = "taken for ", "undecided: "


@dataclass(frozen=True, slots=True)
class LanguageFidelity:
    """1 for an answer in the language and script asked for, 0 for another; undecided: unscored.

    Of the answer to a sample's request number `answer`. Not for samples with choices, nor for a
    language that the identifier does not know: only answers in another script would be decided.
    """

    name: str = "language_fidelity"
    answer: int = 0

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"
    aside: ClassVar[bool] = True

    @property
    def signature(self) -> str:
        return f"{self.name}|{identification_rule()}|answer:{self.answer}"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return self.over([(sample, responses)])(sample, responses)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count

    def over(self, answered: Iterable[tuple[Sample, Sequence[Response]]]) -> Identified:
        return identified(answered, self.answer)


@dataclass(frozen=True, slots=True)
class ImageFidelityLoss:
    """IFL: language fidelity without the picture less that with it, by the same prompt.

    Of samples with two requests, the second without pictures. One of whose answers the language is
    undecided is unscored. Above 0 the picture costs fidelity.
    """

    name: ClassVar[str] = "image_fidelity_loss"
    minuend: ClassVar[str] = "without the picture"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "smaller"
    aside: ClassVar[bool] = True

    @property
    def signature(self) -> str:
        return f"{self.name}|{identification_rule()}"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return self.over([(sample, responses)])(sample, responses)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count

    def over(self, answered: Iterable[tuple[Sample, Sequence[Response]]]) -> SampleScorer:
        both = list(answered)
        shown, unshown = identified(both, 0), identified(both, 1)

        def score(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
            right = [each.right(sample) for each in (unshown, shown)]
            return () if None in right else (float(right[0] or 0) - float(right[1] or 0),)

        return score


@dataclass(frozen=True, slots=True)
class Identified:
    """Scores samples by the verdicts on their answers; `fault` is why there is none of any."""

    found: Mapping[tuple[str, str], Verdict]
    fault: Unscorable | None = None

    def __call__(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        right = self.right(sample)
        return () if right is None else (float(right),)

    def right(self, sample: Sample) -> bool | None:
        """None where the metric is not meant for the sample. Raises `Unscorable`."""
        if sample.choices:
            return None
        if self.fault is not None:
            raise self.fault
        if not identification.find().knows(sample.language):
            return None
        verdict = self.found[sample.language, sample.id]
        if verdict.right is None:
            raise Unscorable(f"{UNDECIDED}{verdict.reason}")
        return verdict.right

    def remark(self, sample: Sample) -> str:
        verdict = self.found[sample.language, sample.id]
        return f"{TAKEN_FOR}{verdict.language}" if verdict.right is False else ""


def identified(
    answered: Iterable[tuple[Sample, Sequence[Response]]], answer: int = 0
) -> Identified:
    """All answers are identified at once: lingua then uses all cores."""
    asked = {
        (sample.language, sample.id): (sample.language, responses[answer].text)
        for sample, responses in answered
        if not sample.choices
    }
    try:
        return Identified(dict(zip(asked, verdicts(list(asked.values())), strict=True)))
    except UsageError as error:
        return Identified({}, Unscorable(str(error)))
    except TowerevalError as error:
        return Identified({}, ScoringFailed(str(error)))


def identification_rule() -> str:
    """What decides a verdict, for signatures."""
    return (
        f"identifier:{identification.identifier_name()}|script:checked"
        f"|least:{LEAST_SHARED},{LEAST_OWN},{LEAST_DENSE}|margin:{MARGIN}|pairs:2|version:2"
    )


def verdicts(asked: Sequence[tuple[str, str]]) -> list[Verdict]:
    """Of each requested language and answer. Raises `MissingExtra`, `ModelError`."""
    return list(_verdicts(identification.identifier_name(), tuple(asked)))


@lru_cache(maxsize=2)
def _verdicts(name: str, asked: tuple[tuple[str, str], ...]) -> list[Verdict]:
    """Kept for the metrics that ask for the same again, by the identifier's name."""
    identifier = identification.find()
    cut = [_WIDE.sub(_plain, " ".join(text.split())[:LONGEST]) for _, text in asked]
    early = [
        _without_identifier(language, text, identifier.knows(language))
        for (language, _), text in zip(asked, cut, strict=True)
    ]
    # Texts with lone surrogates cannot leave Python.
    sent = [
        (language, text.encode(errors="replace").decode())
        for (language, _), text, verdict in zip(asked, cut, early, strict=True)
        if verdict is None
    ]
    found = iter(identifier.identify(sent) if sent else [])
    return [
        verdict or decide(language, next(found))
        for (language, _), verdict in zip(asked, early, strict=True)
    ]


# Full-width Latin letters and half-width kana are no scripts of their own.
_WIDE = re.compile("[\uff21-\uff3a\uff41-\uff5a\uff66-\uffdc]+")


def _plain(wide: re.Match[str]) -> str:
    return unicodedata.normalize("NFKC", wide[0])


def decide(language: str, found: Mapping[str, float]) -> Verdict:
    """By the probabilities of the languages that count as the requested one, and of the best other.

    Where neither is clearly likelier it is undecided: a short sentence without any telltale word.
    """
    counted = identification.accepted(language)
    ours = sum(found.get(code, 0.0) for code in counted)
    others = {code: value for code, value in found.items() if code not in counted}
    other = max(others, key=lambda code: others[code], default="")
    theirs = others.get(other, 0.0)
    if ours >= theirs + MARGIN:
        return Verdict(language, True)
    if theirs >= ours + MARGIN:
        return Verdict(other, False)
    return Verdict("", None, "two languages are about as likely")


def _without_identifier(language: str, text: str, known: bool) -> Verdict | None:
    """What length and script alone decide."""
    letters = _letters(text)
    if sum(count / _LEAST.get(script, LEAST_OWN) for script, count in letters.items()) < 1:
        return Verdict("", None, "the answer is too short to tell" if text else "no answer")
    wanted = LANGUAGES[language].script
    ours = sum(letters[script] for script in _SCRIPTS.get(wanted, ()))
    if 2 * ours < letters.total():
        script = letters.most_common(1)[0][0].title()
        return Verdict(f"{script} script", False)
    if wanted in ("Hans", "Hant") and (other := _other_han(wanted, text)):
        return Verdict(other, False)
    if not known:
        return Verdict("", None, f"the identifier does not know {LANGUAGES[language].english}")
    return None


def _letters(text: str) -> Counter[str]:
    """How many letters of each script, by the first word of their Unicode names."""
    counts: Counter[str] = Counter()
    for character, count in Counter(text).items():
        script = _script(character)
        if script:
            counts[script] += count
    return counts


@lru_cache(maxsize=20_000)
def _script(character: str) -> str:
    if not character.isalpha():
        return ""
    return unicodedata.name(character, "?").replace("-", " ").split()[0]


def _other_han(wanted: str, text: str) -> str:
    """The other Chinese, where more of the telling characters are written its way."""
    counts = Counter(map(_han_kind, text))
    other = "Hant" if wanted == "Hans" else "Hans"
    return f"zh-{other}" if counts[other] > counts[wanted] else ""


@lru_cache(maxsize=20_000)
def _han_kind(character: str) -> str:
    """Characters that only one of the national standards has: GB 2312 or Big5."""
    simplified, traditional = (_encodes(character, name) for name in ("gb2312", "big5"))
    if simplified == traditional or _script(character) != "CJK":
        return ""
    return "Hans" if simplified else "Hant"


def _encodes(character: str, encoding: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
