"""The lines of sample logs of lm-evaluation-harness and lmms-eval."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.bridges.logged_runs import Answer, Document
from towereval.errors import DataError
from towereval.types import Message, Text

FAILED = "[LMMS_EVAL_REQUEST_FAILED"
# A line longer than this is no document's; one with pictures in it is still far shorter.
LONGEST = 64 * 2**20
OWN = "towereval"
LARGEST = 1e9  # what a row of results may hold


@dataclass(frozen=True, slots=True)
class Row:
    """One document under one filter."""

    content: Mapping[str, Any]

    @property
    def id(self) -> str:
        return str(self.content["doc_id"])

    @property
    def filter(self) -> str:
        return str(self.content.get("filter", "none"))

    @property
    def columns(self) -> Mapping[str, Any]:
        """Those of the data set, if the log has them, and the log's own."""
        doc = self.content.get("doc")
        return {**self.content, **(doc if isinstance(doc, dict) else {})}

    def score(self, metric: str) -> float | None:
        """None for what is no number. Raises ValueError for one that is not finite."""
        return _number(metric, self.content.get(metric))

    def own_score(self, metric: str) -> float | None:
        """What a document carries beside the things that are aggregated."""
        found = self.content.get(metric)
        return _number(metric, found.get("score")) if isinstance(found, dict) else None


def _number(metric: str, found: object) -> float | None:
    if not isinstance(found, bool | int | float):
        return None
    if not abs(found) <= LARGEST:
        raise ValueError(f"{metric:.80} is {found!s:.40}")
    return float(found)


def read_rows(file: Path) -> Iterator[Row]:
    """Lines end with "\\n" alone: answers hold other separators. Raises `DataError`."""
    try:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(LONGEST + 1):
                number += 1
                yield _row(f"{file}:{number}", line)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _row(where: str, line: bytes) -> Row:
    if len(line) > LONGEST:
        raise DataError(f"{where}: a line of more than {LONGEST >> 20} MiB is no sample: log again")
    try:
        content = json.loads(line)
        if not isinstance(content, dict):
            raise TypeError(f"a {type(content).__name__}")
        if type(content["doc_id"]) not in (int, str):
            raise TypeError(f"doc_id is {content['doc_id']!r:.60}")
        for name in ("filtered_resps", "target"):
            content[name]
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{where}: torn or no sample log: {reason}; copy the log again") from error
    return Row(content)


def document_of(row: Row, language: str, scores: Mapping[str, float | str]) -> Document:
    """A failed document has no score by any metric."""
    prompt, continuations = _asked(row.content)
    answers = _answers(row.content, continuations)
    failed = next((one.error for one in answers if one.error), "")
    doc = row.content.get("doc")
    return Document(
        id=row.id,
        language=language,
        prompt=(Message("user", (Text(prompt),)),),
        references=_references(row.content),
        answers=answers,
        scores=dict.fromkeys(scores, failed) if failed else scores,
        # A prompt follows from the document, and may have a model's own chat format about it.
        content=doc if isinstance(doc, dict) else prompt,
        choices=tuple(one.continuation.strip() for one in answers if one.continuation),
        **own_of(row.content),
    )


def own_of(columns: Mapping[str, Any]) -> dict[str, str]:
    """A sample's group and cluster, which our own exports keep under a name of ours."""
    found = columns.get(OWN)
    told = found if isinstance(found, Mapping) else {}
    return {name: str(told.get(name, "")) for name in ("group", "cluster")}


def _asked(content: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The prompt and, of a task that ranks texts by their probability, these texts."""
    arguments = content.get("arguments")
    asked = (
        [one for one in arguments.values() if isinstance(one, dict)]
        if isinstance(arguments, dict)
        else []
    )
    if not asked:
        return str(content.get("input", "")), []
    texts = [one.get("arg_1") for one in asked]
    continuations = [text for text in texts if isinstance(text, str)]
    prompt = str(asked[0].get("arg_0", ""))
    return prompt, continuations if len(continuations) == len(asked) else []


def _answers(content: Mapping[str, Any], continuations: list[str]) -> tuple[Answer, ...]:
    given = content.get("resps", content["filtered_resps"])
    if continuations and isinstance(given, list) and len(given) == len(continuations):
        logprobs = [_logprob(each) for each in given]
        if None not in logprobs:
            pairs = zip(continuations, logprobs, strict=True)
            return tuple(Answer(logprob=one, continuation=text) for text, one in pairs)
    texts = [*_texts(given)]
    return tuple(
        Answer(error=text) if text.startswith(FAILED) else Answer(text) for text in texts or [""]
    )


def _logprob(given: object) -> float | None:
    """Of `[["-0.1", "False"]]`."""
    while isinstance(given, list) and given:
        given = given[0]
    try:
        found = float(given) if isinstance(given, str | float | int) else math.nan
    except ValueError:
        return None
    return found if math.isfinite(found) else None


def _texts(given: object) -> Iterator[str]:
    if isinstance(given, list):
        for one in given:
            yield from _texts(one)
    else:
        yield given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)


def _references(content: Mapping[str, Any]) -> tuple[str, ...]:
    """`references` are of our own export, where `target` is the first of them."""
    found = content.get("references", [content["target"]])
    listed = found if isinstance(found, list) else [found]
    return tuple(one if isinstance(one, str) else json.dumps(one) for one in listed)
