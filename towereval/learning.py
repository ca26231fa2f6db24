"""Scores of learned metrics: given by a model of their own, kept in the store, read from there.

Where that model cannot be had every sample is unscored with the reason; no other metric stands in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from towereval.errors import EngineError, ModelError, ScoringFailed, Unscorable, UsageError
from towereval.scoring import answered_in_full
from towereval.store import Store
from towereval.types import LearnedMetric, Response, Sample, SampleScorer, Segment, Task


@dataclass(frozen=True, slots=True)
class Learned:
    """Where a metric's scores lie in the store, or why there are none: it is not installed
    (`missing`), or it broke down (`failed`).
    """

    signature: str
    missing: str = ""
    failed: str = ""

    def scorer(self, store: Store, metric: LearnedMetric) -> SampleScorer:
        def score(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
            if self.missing:
                raise Unscorable(self.missing)
            if self.failed:
                raise ScoringFailed(self.failed)
            value = store.segments.score(self.signature, metric.segment(sample, responses).key)
            if value is None:
                raise Unscorable("not scored yet; run: towereval score RUN")
            return (value,)

        return score


def learn(
    store: Store,
    tasks: Sequence[Task],
    clean: Callable[[str], str],
    metric: LearnedMetric,
    advance: Callable[[], None],
) -> Learned:
    """Score what has no score yet, of all tasks that have the metric."""
    signature = ""
    try:
        signature = metric.identify()
        segments = list(_segments(store, tasks, clean, metric))
        scores = metric.score_segments(segments, store.segments.keys(signature))
        with closing(store.segments.add(signature, scores)) as stored:
            for _ in stored:
                advance()
    except UsageError as error:
        return Learned(signature, missing=" ".join(str(error).split()))
    except (EngineError, ModelError) as error:
        return Learned(signature, failed=" ".join(str(error).split()))
    return Learned(signature)


def _segments(
    store: Store, tasks: Sequence[Task], clean: Callable[[str], str], metric: LearnedMetric
) -> Iterator[Segment]:
    for task in tasks:
        if metric.name not in {offered.name for offered in task.metrics}:
            continue
        for sample, answers in answered_in_full(store, task, clean):
            try:
                yield metric.segment(sample, answers)
            except Unscorable:
                continue  # told when the sample is scored
