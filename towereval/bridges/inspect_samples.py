"""Samples of inspect_ai's logs: what was asked, what was said, and what each scorer made of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from towereval.as_logged import plain_name
from towereval.bridges.logged_runs import Answer
from towereval.types import Image, Message, Part, Prompt, Text, Video, digest

# What inspect's own conversion makes of a scorer's letters.
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_WORDS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
UNSCORED = "its scorer could not judge it"
_ROLES: Mapping[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "assistant": "assistant",
}


def prompt_of(sample: Mapping[str, Any]) -> Prompt:
    """What the sample's data set asks; what solvers made of it is not in there."""
    asked = sample["input"]
    if isinstance(asked, str):
        return (Message("user", (Text(_attached(sample, asked)),)),)
    return tuple(
        Message(_ROLES.get(str(each.get("role")), "user"), (*_parts(sample, each.get("content")),))
        for each in asked
        if isinstance(each, Mapping)
    )


def content_of(sample: Mapping[str, Any]) -> object:
    """What tells this sample's question from another's, media by their content."""
    return [
        [message.role, [_known_by(part) for part in message.parts]] for message in prompt_of(sample)
    ]


def _known_by(part: Part) -> str:
    return part.text if isinstance(part, Text) else part.sha256


def _parts(sample: Mapping[str, Any], content: object) -> Iterator[Part]:
    """Media are not kept: a picture is known by what it was, not shown."""
    if isinstance(content, str):
        yield Text(_attached(sample, content))
    for part in content if isinstance(content, list) else []:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind in ("image", "video"):
            told = _attached(sample, str(part.get(kind)))
            yield Image("", digest(told)) if kind == "image" else Video("", digest(told))
        elif kind == "text":
            yield Text(_attached(sample, str(part.get("text", ""))))


def _attached(sample: Mapping[str, Any], text: str) -> str:
    """Long contents are kept apart and named by their hash."""
    _, scheme, name = text.partition("attachment://")
    attachments = sample.get("attachments")
    if scheme and text.startswith(scheme) and isinstance(attachments, Mapping):
        return str(attachments.get(name, text))
    return text


def answer_of(sample: Mapping[str, Any]) -> Answer:
    """A sample with an error has failed, whether it was scored all the same or not."""
    if error := sample.get("error"):
        message = error.get("message") if isinstance(error, Mapping) else error
        return Answer(error=f"inspect: {' '.join(str(message).split())[:300] or 'no reason given'}")
    if sample.get("invalidation"):
        return Answer(error="inspect: the sample was invalidated")
    return Answer(_completion(sample.get("output")))


def _completion(output: object) -> str:
    if not isinstance(output, Mapping):
        return ""
    if isinstance(output.get("completion"), str):
        return str(output["completion"])
    choices = output.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else {}
    content = first.get("message", {}).get("content", "") if isinstance(first, Mapping) else ""
    if isinstance(content, list):
        texts = [part.get("text", "") for part in content if isinstance(part, Mapping)]
        return "".join(map(str, texts))
    return str(content)


def references_of(sample: Mapping[str, Any]) -> tuple[str, ...]:
    target = sample["target"]
    return tuple(map(str, target)) if isinstance(target, list) else (str(target),)


def scores_of(sample: Mapping[str, Any]) -> Iterator[tuple[str, float | str]]:
    """By metric; a score of several values is a metric each.

    Raises ValueError for an infinite one. NaN is how a scorer says that it could not judge.
    """
    scores = sample.get("scores")
    for scorer, score in scores.items() if isinstance(scores, Mapping) else ():
        if not isinstance(score, Mapping):
            raise TypeError(f"score {scorer!r:.60} is a {type(score).__name__}")
        value = score.get("value")
        if isinstance(value, Mapping):
            for key, one in value.items():
                yield plain_name(f"{scorer}.{key}"), _number(one, score)
        elif isinstance(value, list):
            for number, one in enumerate(value):
                yield plain_name(f"{scorer}.{number}"), _number(one, score)
        else:
            yield plain_name(str(scorer)), _number(value, score)


def _number(value: object, score: Mapping[str, Any]) -> float | str:
    if isinstance(value, str):
        if value in _LETTERS:
            return _LETTERS[value]
        if value.lower() in _WORDS:
            return _WORDS[value.lower()]
        try:
            value = float(value)
        except ValueError:
            return f"its score {value!r:.40} is no number"
    if not isinstance(value, bool | int | float):
        return NO_NUMBER.format(type(value).__name__)
    if isinstance(value, float) and math.isnan(value):
        metadata = score.get("metadata")
        told = metadata.get("unscored_reason") if isinstance(metadata, Mapping) else None
        return str(score.get("reason") or told or UNSCORED)[:300]
    if not abs(value) <= 1e9:
        raise ValueError(f"a score is {value!s:.40}")
    return float(value)


NO_NUMBER = "its score is a {}, no number"


def mean_of(epochs: Sequence[float | str]) -> float | str:
    """Over those epochs that could be judged, as inspect's default reducer does."""
    numbers = [one for one in epochs if not isinstance(one, str)]
    return math.fsum(numbers) / len(numbers) if numbers else epochs[0]
