"""TextVQA's accuracy: agreement with ten people's answers, after EvalAI's clean-up of both sides.

Rules: https://github.com/facebookresearch/mmf, mmf/utils/m4c_evaluators.py (the VQA v2 processor).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from towereval.errors import Unscorable
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class VqaAccuracy:
    name: ClassVar[str] = "vqa_accuracy"
    signature: ClassVar[str] = "vqa_accuracy|rule:evalai|answers:10|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return (vqa_accuracy(responses[0].text, sample.references),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def vqa_accuracy(prediction: str, answers: Sequence[str]) -> float:
    """The mean over ten people of min(1, agreement with the other nine / 3): 0, .3, .6, .9, 1."""
    if len(answers) != 10:
        raise Unscorable(f"the rule is for 10 answers, the sample has {len(answers)}")
    # People mostly agree: each distinct answer is cleaned once.
    cleaned = {answer: process_answer(answer) for answer in set(answers)}
    predicted = process_answer(prediction)
    agreeing = sum(cleaned[answer] == predicted for answer in answers)
    # Whoever agrees counts one colleague fewer.
    by_agreeing, by_others = min(1.0, (agreeing - 1) / 3), min(1.0, agreeing / 3)
    return (agreeing * by_agreeing + (10 - agreeing) * by_others) / 10


_PUNCTUATION = ';/[]"{}()=+\\_-><@`!'
_ANY_PUNCTUATION = re.compile(f"[{re.escape(_PUNCTUATION)}]")
_PERIOD = re.compile(r"\.(?!\d)")
# The official code passes a regex flag where the number of replacements goes: 32 periods may fall.
_MOST_PERIODS = 32
_NUMBER_WORDS = (
    *("zero", "one", "two", "three", "four", "five"),
    *("six", "seven", "eight", "nine", "ten"),
)
_NUMBERS = {word: str(number) for number, word in enumerate(_NUMBER_WORDS)} | {"none": "0"}
_ARTICLES = frozenset({"a", "an", "the"})


def process_answer(text: str) -> str:
    """EvalAI's clean-up, oddities kept: "John's" -> "john 's", "x/y" -> "x y", "x / y" -> "x y"."""
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's")
    text = text.strip().replace("\n", " ").replace("\t", " ").strip()
    if _ANY_PUNCTUATION.search(text):
        # A mark goes where it touches a blank anywhere in the text, else every one becomes a blank.
        text = text.translate(
            {
                ord(mark): "" if f"{mark} " in text or f" {mark}" in text else " "
                for mark in _PUNCTUATION
                if mark in text
            }
        )
    text = _PERIOD.sub("", text, count=_MOST_PERIODS)
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


_ONE_APOSTROPHE = """
    ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's
    how'd how'll how's isn't it'd it'll ma'am mightn't might've mustn't must've needn't not've
    o'clock oughtn't shan't should've shouldn't somebody'll somebody's someone'd someone'll
    someone's something'd something'll that's there'd there're there's they'd they'll they're
    they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's
    where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd
    you'll you're you've
"""
_TWO_APOSTROPHES = """
    couldn't've hadn't've he'd've it'd've mightn't've 'ow's'at she'd've shouldn't've somebody'd've
    someone'd've something'd've there'd've they'd've we'd've who'd've wouldn't've y'all'll
    y'all'd've you'd've
"""


def _contractions() -> dict[str, str]:
    """Each contraction under its misspelling: without its apostrophe, or without one of several."""
    table = {word.replace("'", ""): word for word in _ONE_APOSTROPHE.split()}
    for word in _TWO_APOSTROPHES.split():
        for place in (index for index, letter in enumerate(word) if letter == "'"):
            table[word[:place] + word[place + 1 :]] = word
    # The source's slip of the pen. Its keys with capitals (Im, Ive) meet no lower-cased word.
    return table | {"somebody'd": "somebodyd"}


_CONTRACTIONS = _contractions()
