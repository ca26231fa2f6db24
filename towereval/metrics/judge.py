"""Reading a language model's verdicts as Video-ChatGPT does.

Rule: https://github.com/mbzuai-oryx/Video-ChatGPT, quantitative_evaluation. ViMUL-Bench is by the
same group, but its own scorer is unpublished: this is not it.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from towereval.errors import Unscorable


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
