"""Tasks of other harnesses whose samples come with their scores: nothing is scored here.

A log's importer puts each sample's scores into its `meta`, and the metrics below read them there. A
task is what its metrics' signatures say, so that published rows of it can be compared, drawn and
ranked where the log never was.

    acc_norm|lm-eval|task:1.0|mean|range:0-1
    length|inspect|task:2|mean|range:open|better:smaller
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from towereval import plugins
from towereval.errors import StoreError, Unscorable
from towereval.types import Better, Metric, Request, Response, Result, Sample, Source, Task

HARNESSES = ("lm-eval", "lmms-eval", "inspect")
SCORES = "logged_scores"
NO_SCORE = "its harness logged no score"
_OPEN, _BETTER = "|range:open", "|better:"


@dataclass(frozen=True, slots=True)
class Logged:
    """The mean of scores as they were logged, all of which lie in 0 to 1."""

    name: str
    signature: str
    better: Better = "larger"

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        found = json.loads(sample.meta[SCORES]).get(self.name, NO_SCORE)
        if isinstance(found, str):
            raise Unscorable(found)
        return (float(found),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


@dataclass(frozen=True, slots=True)
class LoggedOpen(Logged):
    """The same of scores that may be any number: an interval has no bounds to keep to."""

    unbounded: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class LoggedTask:
    """`name` begins with its harness. It cannot be asked again: there is no `samples` here."""

    name: str
    variant: str
    metrics: tuple[Metric, ...]
    languages: tuple[str, ...] = ()

    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset()

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        raise StoreError(f"{self.name} is in its logs alone: import them")

    def requests(self, sample: Sample) -> Iterator[Request]:
        raise StoreError(f"{self.name} is in its logs alone: import them")


def is_logged(name: str) -> bool:
    """Whether a task of this name has its scores from another harness's logs."""
    return name.partition(":")[0] in HARNESSES and ":" in name


def task_behind(
    name: str, variant: str, signatures: Iterable[str], languages: Sequence[str] = ()
) -> Task:
    """The task of published rows: today's of that name, or what the rows' signatures say.

    Raises `UsageError`.
    """
    if not is_logged(name):
        return plugins.load_task(f"{name}@{variant}")
    metrics = tuple(metric_of(each) for each in dict.fromkeys(signatures))
    return LoggedTask(name, variant, metrics, tuple(languages))


def task_of(told: Mapping[str, Any]) -> Task:
    """The task that a manifest describes. Raises `UsageError`."""
    languages = told.get("languages", ())
    return task_behind(told["name"], told["variant"], told.get("metrics", ()), languages)


def metric_behind(row: Result) -> Metric:
    """The metric of a published row. Raises `UsageError`."""
    if is_logged(row.task):
        return metric_of(row.signature)
    return plugins.load_metric(f"{row.task}@{row.variant}", row.metric)


def metric_of(signature: str) -> Logged:
    """What `signature_of` has written."""
    kind = LoggedOpen if _OPEN in signature else Logged
    told = signature.rpartition(_BETTER)[2]
    better: Better = (
        "smaller" if told == "smaller" else "neither" if told == "neither" else "larger"
    )
    return kind(signature.partition("|")[0], signature, better)


def signature_of(
    metric: str, rule: Sequence[str], scores: Iterable[float], better: Better = "larger"
) -> str:
    """`rule` says what made the scores. Scores that are all in 0 to 1 are taken for shares."""
    bounded = all(0 <= one <= 1 for one in scores)
    kept = [re.sub(r"[|\s]+", "_", part) for part in (plain_name(metric), *rule)]
    ends = "|mean|range:0-1" if bounded else f"|mean{_OPEN}"
    return "|".join(kept) + ends + ("" if better == "larger" else f"{_BETTER}{better}")


def plain_name(theirs: str) -> str:
    """A task's or metric's name there as a part of a name here, and of a file's.

    What other names than these are, nobody knows: a log is not ours.
    """
    return re.sub(r"[^\w.,+-]+", "_", theirs)[:80].strip("_.") or "unnamed"


def packed(scores: Mapping[str, float | str]) -> dict[str, str]:
    """A sample's `meta` with its scores by metric; a text says why there is none."""
    bad = [name for name, one in scores.items() if not isinstance(one, str) and not _is_score(one)]
    if bad:
        raise ValueError(f"{bad[0]:.60} is {scores[bad[0]]}, no score")
    return {SCORES: json.dumps(scores)}


def _is_score(value: float) -> bool:
    # What a row of results may hold.
    return math.isfinite(value) and abs(value) <= 1e9
