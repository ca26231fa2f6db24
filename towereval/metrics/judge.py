"""Answers judged by another model: ALM-Bench's mark out of ten, Video-ChatGPT's yes or no.

Rules: https://github.com/mbzuai-oryx/ALM-Bench, GPTScoring.py, and
https://github.com/mbzuai-oryx/Video-ChatGPT, quantitative_evaluation. ViMUL-Bench is by the same
group, but its own scorer is unpublished: Video-ChatGPT's stands in for it. The judge itself is
named in every number's signature.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from towereval.errors import Unscorable
from towereval.metrics.alm_bench import official_judge_prompt
from towereval.types import Better, Decoding, Message, Request, Response, Sample, Text


@dataclass(frozen=True, slots=True)
class AlmBenchJudge:
    """ALM-Bench's four prompts; the mark out of ten as a share. The official code stores the reply
    and never reads it: that it must be one number from 0 to 10 is ours.
    """

    name: ClassVar[str] = "judge"
    signature: ClassVar[str] = "judge|rule:alm_bench|prompt:official|temperature:0|seed:0|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def question(self, sample: Sample, responses: Sequence[Response]) -> Request | None:
        text = official_judge_prompt(
            sample.meta["Question_Type"],
            sample.meta["Question"],
            sample.references[0],
            responses[0].text,
        )
        return Request(sample.id, (Message("user", (Text(text),)),), Decoding(max_tokens=16))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return (mark_out_of_ten(responses[0].text) / 10,)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def mark_out_of_ten(verdict: str) -> float:
    """ "8", "8.5" or "8/10": anything more or less is no mark."""
    found = re.fullmatch(r"(10(?:\.0+)?|\d(?:\.\d+)?)(?:\s*/\s*10)?\.?", verdict.strip())
    if found is None:
        raise Unscorable(f"the judge gave no mark out of ten: {verdict.strip()[:60]!r}")
    return float(found[1])


@dataclass(frozen=True, slots=True)
class VideoJudge:
    """Open questions about clips: does the answer mean what the reference means, yes or no?

    For samples without choices. The wording is ours, the form of the verdict Video-ChatGPT's.
    """

    name: ClassVar[str] = "judge"
    signature: ClassVar[str] = "judge|rule:video_chatgpt|prompt:1|temperature:0|seed:0|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def question(self, sample: Sample, responses: Sequence[Response]) -> Request | None:
        if sample.choices:
            return None
        text = (
            "You compare a predicted answer with the correct answer to a question about a video."
            " Accept other words for the same meaning, in any language; do not accept an answer"
            " that leaves out or contradicts what the correct one says.\n"
            f"Question: {sample.meta['Question']}\n"
            f"Correct answer: {sample.references[0]}\n"
            f"Predicted answer: {responses[0].text}\n"
            "Reply with a Python dictionary and nothing else: 'pred' is 'yes' or 'no', 'score' a"
            " whole number from 0 (no match) to 5 (same meaning), as in"
            " {'pred': 'yes', 'score': 4}."
        )
        return Request(sample.id, (Message("user", (Text(text),)),), Decoding(max_tokens=64))

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        if sample.choices:
            return ()
        verdict = responses[0].text.strip()
        try:
            return (judged_accuracy([verdict])[0],)
        except Unscorable as error:
            raise Unscorable(f"{error}: {verdict[:60]!r}") from error

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def judged_accuracy(verdicts: Sequence[str]) -> tuple[float, float, int]:
    """The share of "yes", the mean score and the number of verdicts that could be read.

    A verdict is the Python dict {'pred': ..., 'score': ...}; what cannot be read is left out. "yes"
    and "no" are looked for within `pred`, so "not yes" is a yes and "unknown" a no.
    """
    read = [verdict for text in verdicts if (verdict := _literal(text)) is not None]
    try:
        predictions = [str(verdict["pred"]).lower() for verdict in read]
        scores = [int(verdict["score"]) for verdict in read]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise Unscorable(f"a verdict has no pred or no whole score: {error}") from error
    yes = sum("yes" in prediction for prediction in predictions)
    no = sum("no" in prediction and "yes" not in prediction for prediction in predictions)
    if not yes + no:
        raise Unscorable("no verdict says yes or no")
    return yes / (yes + no), sum(scores) / len(scores), len(read)


def _literal(text: str) -> dict[str, Any] | None:
    try:
        verdict: dict[str, Any] = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return verdict
