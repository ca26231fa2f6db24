"""The scores that lmms-eval's own code gives to a run's answers, as statistics of ours.

A task's `process_results` judges each answer and its aggregating function all of them. `NAME` is
the aggregate as lmms-eval prints it, with an interval from what it is without each sample; where
that cannot be had the row has a value and no interval. Beside an aggregate that is no mean,
`NAME_score` is the mean of the scores that the samples themselves carry, where they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from towereval.errors import DataError, EngineError, ScoringFailed, Unscorable, UsageError
from towereval.types import Better, Response, Sample, SampleScorer

# Their mean of scores, another aggregate of theirs, or beside that the samples' own scores.
Kind: TypeAlias = Literal["mean", "aggregate", "scores"]


class Served(Protocol):
    """A task behind its worker."""

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        """Raises `UsageError`, `DataError` and `EngineError`."""


@dataclass(frozen=True, slots=True)
class Aggregated:
    """One of their metrics, `theirs` by its name there."""

    name: str
    theirs: str
    signature: str
    task: Served
    kind: Kind
    better: Better = "larger"

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return self.over([(sample, responses)])(sample, responses)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count

    def over(self, answered: Iterable[tuple[Sample, Sequence[Response]]]) -> SampleScorer:
        answers: dict[str, list[tuple[int, str]]] = {}
        places: dict[tuple[str, str], int] = {}
        data = ""
        for sample, responses in answered:
            if responses[0].key:  # a failed one's is ""
                column = answers.setdefault(sample.language, [])
                places[sample.language, sample.id] = len(column)
                column.append((int(sample.id), responses[0].text))
                data = sample.meta["data"]
        missing, failed = "", ""
        scored: dict[str, Any] = {"reasons": {}, "metrics": {}}
        if answers:
            try:
                scored = self.task.ask("score", data=data, answers=answers)
            except UsageError as error:
                missing = str(error)
            except (DataError, EngineError) as error:
                failed = str(error)
        columns = scored["metrics"].get(self.theirs, {})

        def score(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
            place = places.get((sample.language, sample.id))
            if missing or place is None:
                raise Unscorable(missing or "no answer")
            if reason := failed or scored["reasons"][sample.language][place]:
                raise ScoringFailed(reason)
            return self._statistics(columns.get(sample.language), place)

        return score

    def _statistics(self, column: dict[str, Any] | None, place: int) -> tuple[float, ...]:
        """Of one answer; a second number beside an aggregate's keeps it from being taken for a
        share of right answers, which has intervals of its own kind.
        """
        if column is None:
            return ()
        if self.kind == "scores":
            return (column["scores"][place],) if column["scores"] else ()
        if column["reason"]:
            raise Unscorable(column["reason"])
        value = column["parts"][place]
        if value is None:
            return ()
        return (value,) if self.kind == "mean" else (value, 0.0)
