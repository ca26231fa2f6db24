"""Scores while a run is asked: provisional, of the samples that have been answered so far.

They are shown and never kept. When all is asked, `scoring.py` scores every sample in a pass of its
own, so that no result depends on what was shown on the way to it.

Nothing happens before somebody looks. Then scoring and estimating take at most `SHARE` each of the
time since the first look: an engine may answer faster than answers can be scored.
"""

from __future__ import annotations

import time
from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from towereval.progress import Standing, State
from towereval.scoring import cleaned, score_sample
from towereval.statistics import Estimate, Observations, estimate
from towereval.store import Store
from towereval.types import (
    CorpusMetric,
    DifferenceMetric,
    JudgedMetric,
    LearnedMetric,
    Metric,
    Response,
    Sample,
    Task,
    Usage,
)

SHARE = 0.01
CHUNK = 32  # samples that are read and scored at once

_AT_THE_END = (JudgedMetric, LearnedMetric, CorpusMetric, DifferenceMetric)


def runs_along(task: Task) -> Metric | None:
    """The task's first metric that is the mean of what each sample scores by itself."""
    return next((m for m in task.metrics if m.mean and not isinstance(m, _AT_THE_END)), None)


@dataclass(slots=True)
class Allowance:
    """Time that may be taken from the run: a share of what has passed."""

    share: float
    began: float
    since: float = 0.0
    spent: float = 0.0

    def resume(self) -> bool:
        self.since = time.monotonic()
        return self.left()

    def left(self) -> bool:
        """Charges what was taken since it was asked last."""
        now = time.monotonic()
        self.spent += now - self.since
        self.since = now
        return self.spent < self.share * (now - self.began)

    def forgive(self) -> None:
        """What comes first imports what the end of the run needs anyway."""
        self.spent = 0.0


@dataclass(slots=True)
class Track:
    """One task's counts of requests, and by language its samples' scores and their clusters."""

    task: str
    total: int
    done: int
    metric: Metric | None
    failed: int = 0
    n: int = 0
    values: dict[str, array[float]] = field(default_factory=dict)
    clusters: dict[str, list[str]] = field(default_factory=dict)
    estimate: Estimate | None = None

    def add(self, sample: Sample, answers: Sequence[Response]) -> None:
        assert self.metric is not None
        one = score_sample(self.metric.name, self.metric.sample, sample, answers)
        if one.values:
            self.n += 1
            self.values.setdefault(one.language, array("d")).extend(one.values)
            named = one.cluster or f"{one.language}/{one.sample_id}"  # as in `summary.py`
            self.clusters.setdefault(one.language, []).append(named)

    def reckon(self) -> None:
        import numpy as np

        assert self.metric is not None
        observed = {
            language: Observations(np.array(values)[:, None], self.clusters[language])
            for language, values in self.values.items()
        }
        own, macro = estimate(self.metric, observed)
        self.estimate = macro or next(iter(own.values()))

    def give_up(self) -> None:
        """No score runs along; scoring at the end tells what is wrong."""
        self.metric = self.estimate = None

    def standing(self) -> Standing:
        metric = self.metric.name if self.metric else ""
        counts = (self.task, self.total, self.done, self.failed)
        return Standing(*counts, metric, self.estimate, len(self.values))


class Running:
    """A `progress.Look`, to be called in the thread that `keep` is called in."""

    def __init__(
        self,
        store: Store,
        tasks: Sequence[Task],
        clean: Callable[[str], str],
        usage: Callable[[], Usage],
        share: float = SHARE,
    ) -> None:
        self._store, self._clean, self._usage, self._share = store, clean, usage, share
        self._metrics = {task.name: runs_along(task) for task in tasks}
        self._firsts: list[int] = []
        self._tracks: list[Track] = []
        self._new = array("q")  # questions that were answered since the last look
        self._queue: deque[int] = deque()  # positions of samples that may be complete
        self._earlier: Iterator[int] = iter(())  # those that may be from an earlier start
        self._added = bytearray()  # by position

    def keep(self, questions: Iterable[int]) -> None:
        """These have an answer now, or failed."""
        if self._tracks:
            self._new.extend(questions)

    def ask_again(self) -> None:
        """What has failed is asked once more."""
        self._count()
        for track in self._tracks:
            track.done -= track.failed
            track.failed = 0

    def __call__(self) -> State:
        if not self._tracks:
            self._begin()
        self._count()
        self._score()
        self._estimate()
        return State(tuple(track.standing() for track in self._tracks), self._usage())

    def _begin(self) -> None:
        now = time.monotonic()
        self._scoring = Allowance(self._share, now)
        self._estimating = Allowance(self._share, now)
        last = 0
        for task, first, end, total, done in self._store.progress():
            self._firsts.append(first)
            self._tracks.append(Track(task, total, done, self._metrics.get(task)))
            last = end
        self._added = bytearray(last + 1)
        if any(track.done for track in self._tracks):
            self._earlier = iter(range(last + 1))

    def _track(self, position: int) -> Track:
        return self._tracks[bisect_right(self._firsts, position) - 1]

    def _count(self) -> None:
        for position, failed in self._store.asked_by(self._new) if self._new else ():
            track = self._track(position)
            track.done += 1
            track.failed += failed
            if track.metric and not failed:
                self._queue.append(position)
        self._new = array("q")

    def _score(self) -> None:
        left = self._scoring.resume()
        while left:
            chunk = [self._queue.popleft() for _ in range(min(CHUNK, len(self._queue)))]
            chunk = chunk or list(islice(self._earlier, CHUNK))
            if not chunk:
                return
            waiting = dict.fromkeys(chunk)
            for position, sample, responses in self._store.answered_at(chunk):
                if not left:
                    self._queue.extendleft(waiting)
                    return
                del waiting[position]
                self._add(position, sample, responses)
                left = self._scoring.left()

    def _add(self, position: int, sample: Sample, responses: Sequence[Response]) -> None:
        track = self._track(position)
        if self._added[position] or not track.metric:
            return
        self._added[position] = 1
        try:
            track.add(sample, cleaned(responses, self._clean))
        except Exception:  # noqa: BLE001 a metric's fault must not stop what is being asked
            track.give_up()
        if track.n == 1:
            self._scoring.forgive()

    def _estimate(self) -> None:
        left = self._estimating.resume()
        for track in self._tracks:
            first = track.estimate is None
            if left and track.metric and track.n > (track.estimate.n if track.estimate else 0):
                try:
                    track.reckon()
                except Exception:  # noqa: BLE001 as above
                    track.give_up()
                if first:
                    self._estimating.forgive()
                left = self._estimating.left()
