"""A run's samples as other harnesses write theirs: answers, and a score by metric."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from towereval.as_logged import metric_behind
from towereval.errors import UsageError
from towereval.results import Run
from towereval.store import Store
from towereval.types import Metric, Response, Result, Sample, Text


@dataclass(frozen=True, slots=True)
class Exported:
    """One task of a run. `rows` are those of the whole task, no category's.

    `means`: the metrics that are means of the samples' own scores; of any other, such as BLEU, no
    sample has a score.
    """

    name: str
    variant: str
    rows: tuple[Result, ...]
    means: Mapping[str, Metric]

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(row.language for row in self.rows if row.language != "*"))

    def value(self, metric: str, language: str) -> float | None:
        """A row's value; "*" is the macro mean."""
        found = [r.value for r in self.rows if (r.metric, r.language) == (metric, language)]
        return found[0] if found else None

    def metrics(self) -> dict[str, Result]:
        """A row of each metric that has any value, in the task's order."""
        found: dict[str, Result] = {}
        for row in self.rows:
            if row.value is not None:
                found.setdefault(row.metric, row)
        return found


@dataclass(frozen=True, slots=True)
class Outcome:
    """One sample: raw answers, or `error` where one failed.

    `scores` has a number by metric, `unscored` why there is none.
    """

    sample: Sample
    answers: tuple[str, ...]
    error: str
    scores: Mapping[str, float]
    unscored: Mapping[str, str]

    @property
    def prompt(self) -> str:
        parts = [part for message in self.sample.prompt for part in message.parts]
        return "\n".join(part.text for part in parts if isinstance(part, Text))

    @property
    def own(self) -> dict[str, str]:
        """What only we read: our id, and what is resampled and counted together."""
        sample = self.sample
        return {"id": sample.id, "group": sample.group, "cluster": sample.cluster}

    @property
    def media(self) -> tuple[str, ...]:
        parts = [part for message in self.sample.prompt for part in message.parts]
        return tuple(part.sha256 for part in parts if not isinstance(part, Text))


def tasks_of(run: Run) -> list[Exported]:
    """Raises `UsageError` where no task has a value, or a metric is not here any more."""
    found = []
    for name in dict.fromkeys(row.task for row in run.rows):
        rows = tuple(row for row in run.rows if row.task == name and not row.group)
        task = Exported(name, rows[0].variant if rows else "", rows, {})
        metrics = {key: metric_behind(row) for key, row in task.metrics().items()}
        means = {key: metric for key, metric in metrics.items() if metric.mean}
        if metrics:
            found.append(Exported(name, task.variant, rows, means))
    if not found:
        raise UsageError(f"{run.folder}: no row has a value, so there is nothing to export")
    return found


def outcomes(store: Store, task: Exported, language: str = "") -> Iterator[Outcome]:
    """All samples in the order of the data, or one language's."""
    for sample, responses, scored in store.scored(task.name):
        if language in ("", sample.language):
            scores, unscored = {}, {}
            for metric in task.metrics():
                values, why = scored.get(metric, ((), ""))
                if metric in task.means and values:
                    scores[metric] = float(values[0])  # the statistic of which it is the mean
                elif why:
                    unscored[metric] = why
            answers, error = _answers(responses)
            yield Outcome(sample, answers, error, scores, unscored)


def _answers(responses: Sequence[Response | None]) -> tuple[tuple[str, ...], str]:
    errors = [response.error if response else "not asked yet" for response in responses]
    return tuple(map(_shown, responses)), next(filter(None, errors), "")


def _shown(response: Response | None) -> str:
    if response is None:
        return ""
    ranked = response.logprob is not None and not response.text
    return f"log-probability {response.logprob!r}" if ranked else response.text
