"""Yes or no: what an answer says in ten languages, and the measures that POPE draws from it.

The rules of POPE (https://github.com/RUCAIBox/POPE, evaluate.py) and MME (its calculation.py, as
lmms-eval has it) read English only, and POPE's takes whatever is no "no" for a yes. `words` reads
the first word by the table below, in the language asked or in English; another one is neither: a
wrong answer, and no yes.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Language -> the first words that say yes, and those that say no. Chinese is not cut into words:
# an answer begins with one of them, and the longest counts.
WORDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "cs": (("ano", "jo"), ("ne", "nikoli")),
    "de": (("ja", "jawohl"), ("nein",)),
    "en": (("yes", "yeah", "yep"), ("no", "nope")),
    "es": (("sí", "si"), ("no",)),
    "fr": (("oui", "si"), ("non",)),
    "hr": (("da", "jest", "jeste"), ("ne", "nije")),
    "it": (("sì", "si", "sí"), ("no",)),
    "ro": (("da",), ("nu",)),
    "ru": (("да",), ("нет",)),
    "zh": (
        ("是", "有", "对", "對", "没错", "沒錯", "不错", "不錯"),
        ("否", "不", "没", "沒", "无", "無"),
    ),
}
# Sorry, perhaps, whether, I do not know, it cannot be told: begin with one of the above, and are
# neither.
_NEITHER = (
    *("对不起", "對不起", "不好意思", "有可能", "是否", "不知道", "不清楚", "不确定", "不確定"),
    *("无法", "無法"),
)
YesNoRule: TypeAlias = Literal["words", "pope", "mme"]


def verdict(answer: str, language: str) -> bool | None:
    """Whether the answer says yes; None where it says neither. "No" is a no in every language."""
    folded = unicodedata.normalize("NFC", answer).casefold()
    if language == "zh":
        begin = _LETTERS.sub("", folded[:20])
        kinds = zip((True, False, None), (*WORDS["zh"], _NEITHER), strict=True)
        found = {form: says for says, forms in kinds for form in forms if begin.startswith(form)}
        if found:
            return found[max(found, key=len)]
    word = _WORD.search(folded[:200])
    if word is None:
        return None
    for code in (language, "en"):
        yes, no = WORDS.get(code, ((), ()))
        if word[0] in (*yes, *no):
            return word[0] in yes
    return None


_WORD = re.compile(r"[^\W\d_]+")
_LETTERS = re.compile(r"^[\W_]+")


def pope_verdict(answer: str, language: str) -> bool | None:
    """No where the first sentence holds "No", "no" or "not" between blanks, else yes."""
    words = answer.split(".")[0].replace(",", "").split(" ")
    return not {"No", "no", "not"}.intersection(words)


def mme_verdict(answer: str, language: str) -> bool | None:
    """The word, its first letter alone, or a word that the first four characters hold."""
    text = answer.lower().strip().replace(".", "")
    if text in _WHOLE:
        return _WHOLE[text]
    if len(text) == 1:
        return None
    return True if "yes" in text[:4] else False if "no" in text[:4] else None


_WHOLE = {"yes": True, "y": True, "no": False, "n": False}
VERDICTS: Mapping[YesNoRule, Callable[[str, str], bool | None]] = {
    "words": verdict,
    "pope": pope_verdict,
    "mme": mme_verdict,
}


def wanted(reference: str) -> bool:
    """A reference as a truth value. Raises `Unscorable`."""
    if reference not in ("yes", "no"):
        raise Unscorable(f"the label is neither yes nor no: {reference[:40]!r}")
    return reference == "yes"


@dataclass(frozen=True, slots=True)
class YesNoAccuracy:
    rule: YesNoRule

    name: ClassVar[str] = "accuracy"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return f"accuracy|rule:yes_no_{self.rule}|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return (float(_said(self.rule, sample, responses) == wanted(sample.references[0])),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


@dataclass(frozen=True, slots=True)
class YesNoF1:
    """Of the answers that say yes. An answer that says neither misses a yes that was wanted."""

    rule: YesNoRule

    name: ClassVar[str] = "f1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = False
    better: ClassVar[Better] = "larger"

    @property
    def signature(self) -> str:
        return f"f1|rule:yes_no_{self.rule}|positive:yes|version:1"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        """Both a yes, yeses said, yeses wanted."""
        said = _said(self.rule, sample, responses) is True
        gold = wanted(sample.references[0])
        return float(said and gold), float(said), float(gold)

    def corpus(self, total: Sequence[float], count: int) -> float:
        both, said, gold = total
        return 2 * both / (said + gold) if said + gold else 0.0

    def corpora(self, total_GK: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np

        yeses_G = total_GK[:, 1] + total_GK[:, 2]
        return np.divide(2 * total_GK[:, 0], yeses_G, out=np.zeros(len(yeses_G)), where=yeses_G > 0)


@dataclass(frozen=True, slots=True)
class YesNoRate:
    """How often the answer says yes, of those that say yes or no; another one is unscored.

    A bias, not a quality: half of POPE's and SMPQA's questions want a yes. `group` is the only one
    of the task's that asks for one, "" for all.
    """

    rule: YesNoRule
    group: str = ""

    name: ClassVar[str] = "yes_rate"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "neither"

    @property
    def signature(self) -> str:
        return f"yes_rate|rule:yes_no_{self.rule}|of:yes,no|version:2"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if self.group and sample.group != self.group:
            return ()
        said = _said(self.rule, sample, responses)
        if said is None:
            raise Unscorable("the answer says neither yes nor no")
        return (float(said),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def _said(rule: YesNoRule, sample: Sample, responses: Sequence[Response]) -> bool | None:
    return VERDICTS[rule](responses[0].text, sample.language)
