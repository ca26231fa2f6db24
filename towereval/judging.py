"""Asks a judge about stored answers, through the same engines and store as any other question.

A verdict is a response: it is found by its key, kept, and asked again after an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from towereval import engines
from towereval.errors import ScoringFailed, Unscorable, UsageError
from towereval.scoring import answered_in_full
from towereval.store import Store
from towereval.subject import Subject, find_subject
from towereval.types import JudgedMetric, Request, Response, Sample, SampleScorer, Task


@dataclass(frozen=True, slots=True)
class JudgePlan:
    """Which model judges, behind which engine. No model: nobody judges."""

    model: str = ""
    engine: str = "vllm"
    engine_args: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judge:
    """`name` goes into the signature of every number that rests on its verdicts."""

    name: str
    respondent: str

    def verdict(self, store: Store, question: Request) -> Response | None:
        return store.response(replace(question, respondent=self.respondent).key)

    def scorer(self, store: Store, metric: JudgedMetric) -> SampleScorer:
        """Statistics by the verdicts that were given."""

        def score(sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
            question = metric.question(sample, responses)
            if question is None:
                return ()
            verdict = self.verdict(store, question)
            if verdict is None:
                raise Unscorable("no judge was asked; run: towereval score RUN --judge MODEL")
            if verdict.error:
                raise ScoringFailed(f"judge: {verdict.error}")
            return metric.sample(sample, [verdict])

        return score


def find_judge(plan: JudgePlan) -> tuple[Judge, Subject]:
    """Raises `UsageError` where the engine cannot generate."""
    if "generate" not in engines.find(plan.engine).capabilities:
        raise UsageError(f"{plan.engine} cannot judge: it does not generate")
    subject = find_subject(plan.model, plan.engine, plan.engine_args)
    name = f"{public_name(plan.model)}@{subject.respondent[:12]}"
    return Judge(name, subject.respondent), subject


def public_name(model: str) -> str:
    """Of a path the last part: signatures are published, and the digest tells two folders apart."""
    family, colon, place = model.rpartition(":")
    if place and (place.startswith(("/", ".", "~")) or Path(place).exists()):
        return f"{family}{colon}{Path(place).absolute().name}"
    return model


def ask_judge(
    store: Store,
    tasks: Sequence[Task],
    clean: Callable[[str], str],
    plan: JudgePlan,
    advance: Callable[[], None],
    metrics: Sequence[JudgedMetric] = (),
) -> Judge:
    """Ask what has no verdict yet; no engine starts when there is nothing to ask.

    By the tasks' own metrics, or by those that are given.
    """
    judge, subject = find_judge(plan)
    questions = _questions(store, tasks, clean, judge, metrics)
    first = next(questions, None)
    if first is None:
        return judge
    engine = engines.start(subject.kind, subject.model, plan.engine_args, seed=0)
    with (
        closing(engine),
        closing(engine.run(chain([first], questions))) as verdicts,
        closing(store.add_responses(verdicts)) as stored,
    ):
        for _ in stored:
            advance()
    return judge


def _questions(
    store: Store,
    tasks: Sequence[Task],
    clean: Callable[[str], str],
    judge: Judge,
    named: Sequence[JudgedMetric],
) -> Iterator[Request]:
    """Each open question once, about answers that there are."""
    asked: set[str] = set()
    for task in tasks:
        metrics = named or [each for each in task.metrics if isinstance(each, JudgedMetric)]
        for sample, answers in answered_in_full(store, task, clean) if metrics else ():
            for question in _about(sample, answers, metrics):
                verdict = judge.verdict(store, question)
                request = replace(question, respondent=judge.respondent)
                if (verdict is None or verdict.error) and request.key not in asked:
                    asked.add(request.key)
                    yield request


def _about(
    sample: Sample, answers: Sequence[Response], metrics: Sequence[JudgedMetric]
) -> Iterator[Request]:
    """What each metric that is meant for the sample asks of the judge."""
    for metric in metrics:
        question = None
        with suppress(Unscorable):  # told when the sample is scored
            question = metric.question(sample, answers)
        if question is not None:
            yield question
