"""From stored responses to scores: each sample has statistics, or a reason, by each metric."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from towereval.errors import ScoringFailed, Unscorable
from towereval.store import Store
from towereval.types import Metric, RemarkingScorer, Response, Sample, SampleScorer, Score, Task


def score(
    store: Store,
    tasks: Sequence[Task],
    clean: Callable[[str], str],
    scorer: Callable[[Task, Metric], SampleScorer],
    metrics: Sequence[str] = (),
) -> None:
    """Give every sample a score or a reason by each metric, or by those that `metrics` names."""
    scorers = {
        task.name: [
            (m.name, scorer(task, m)) for m in task.metrics if not metrics or m.name in metrics
        ]
        for task in tasks
    }

    def scores() -> Iterator[tuple[int, Score]]:
        for task, wanted in scorers.items():
            for position, sample, responses in store.answered(task):
                answers, failure = answers_or_blanks(responses, clean)
                for metric, give in wanted:
                    yield position, score_sample(metric, give, sample, answers, failure)

    store.replace_scores(scores(), metrics)


def score_sample(
    metric: str,
    scorer: SampleScorer,
    sample: Sample,
    answers: Sequence[Response],
    failure: str = "",
) -> Score:
    """A score, or why there is none.

    After a `failure` the answers are blank: they tell whether the metric is meant for such a
    sample, so that a failure is counted only where something is missing.
    """
    values: tuple[float, ...] = ()
    unscored, failed = "", False
    try:
        values = scorer(sample, answers)
    except Unscorable as reason:
        unscored, failed = str(reason), isinstance(reason, ScoringFailed)
    if failure and (values or unscored):
        values, unscored, failed = (), failure, True
    remark = sample.meta.get("remark", "")
    if values and isinstance(scorer, RemarkingScorer):
        remark = scorer.remark(sample) or remark
    named = (sample.id, sample.language, sample.group, sample.cluster, metric)
    return Score(*named, values, unscored, failed, remark)


def answered_in_full(
    store: Store, task: Task, clean: Callable[[str], str]
) -> Iterator[tuple[Sample, list[Response]]]:
    """The samples of which no answer is missing, and their answers as they are scored."""
    for _, sample, responses in store.answered(task.name):
        answers = cleaned(responses, clean)
        if len(answers) == len(responses):
            yield sample, answers


def answers_or_blanks(
    responses: Sequence[Response | None], clean: Callable[[str], str]
) -> tuple[list[Response], str]:
    """The answers as they are scored; or blank ones and why an answer is missing."""
    failure = _failure(responses)
    return ([Response("")] * len(responses) if failure else cleaned(responses, clean)), failure


def _failure(responses: Sequence[Response | None]) -> str:
    """Why an answer is missing, "" where none is."""
    for response in responses:
        if response is None:
            return "not asked yet"
        if response.error:
            return response.error
    return ""


def cleaned(responses: Sequence[Response | None], clean: Callable[[str], str]) -> list[Response]:
    """The answers that there are, as they are scored."""
    given = [r for r in responses if r is not None and not r.error]
    texts = [clean(response.text) for response in given]
    return [
        response if response.text == text else replace(response, text=text)
        for response, text in zip(given, texts, strict=True)
    ]
