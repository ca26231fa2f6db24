"""In which languages a run's answers are: by its scores, or of any run without asking anything."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from towereval.as_logged import task_of
from towereval.errors import StoreError, UsageError
from towereval.judging import JudgePlan, ask_judge
from towereval.languages import LANGUAGES
from towereval.manifest import read_manifest
from towereval.metrics.fidelity import TAKEN_FOR, UNDECIDED, LanguageFidelity
from towereval.metrics.fidelity_judge import LanguageFidelityJudged
from towereval.results import read_run
from towereval.scoring import answers_or_blanks, score_sample
from towereval.spoken import Kept, Spoken
from towereval.statistics import Estimate, Observations, estimate
from towereval.store import Store
from towereval.subject import recorded_clean
from towereval.types import DifferenceMetric, Metric, Score, Task

NAME = LanguageFidelity().name


@dataclass(slots=True)
class _Language:
    """What is found of one language's answers: right or wrong, and the cluster, by sample."""

    decided: dict[str, tuple[bool, str]] = field(default_factory=dict)
    undecided: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    reason: str = ""


def spoken_in(folder: Path, names: Sequence[str] = ()) -> list[Spoken]:
    """Of the named tasks of a stored run, or of those whose answers are texts of their own.

    What has not been identified yet is identified now, and not kept. Raises `UsageError` where the
    run has no such task or no identifier is installed.
    """
    manifest = read_manifest(folder)
    chosen = _chosen(folder, manifest, names)
    rows: list[Spoken] = []
    clean = recorded_clean(manifest)
    with Store(folder, reading=True) as store:
        for task in chosen:
            found = _gathered(store.scores(task.name, NAME))
            if not any(ours.decided or ours.undecided for ours in found.values()):
                found = _gathered(_identified(store, task, clean))
            rows += _rows(store, task, found)
    return rows


def signatures(folder: Path, rows: Iterable[Spoken]) -> list[str]:
    """By which identifiers the rows were made: the run's, or today's where it has no scores."""
    stored: dict[str, str] = {}
    if (folder / "results.json").exists():
        scored = (row for row in read_run(folder).rows if row.metric == NAME and row.n)
        stored = {row.task: row.signature for row in scored}
    today = LanguageFidelity().signature
    return sorted({stored.get(row.task, today) for row in rows})


@dataclass(frozen=True, slots=True)
class Judged:
    """A judge's stricter share (LF+) of one language's answers; None where none has a verdict.

    `unscored` answers have none that can be read; `reason` is the first's.
    """

    task: str
    language: str
    share: Estimate | None
    unscored: int
    reason: str


def judged_in(
    folder: Path, names: Sequence[str], plan: JudgePlan, advance: Callable[[], None]
) -> tuple[str, list[Judged]]:
    """Ask a judge about the same tasks as `spoken_in`; its verdicts are kept. The signature first.

    Raises as `spoken_in`, and `TowerevalError` for a judge that cannot be asked.
    """
    manifest = read_manifest(folder)
    chosen = _chosen(folder, manifest, names)
    clean, metric = recorded_clean(manifest), LanguageFidelityJudged()
    rows = []
    with Store(folder) as store:
        judge = ask_judge(store, chosen, clean, plan, advance, (metric,))
        give = judge.scorer(store, metric)
        for task in chosen:
            found: dict[str, list[Score]] = {}
            for _, sample, responses in store.answered(task.name):
                answers, failure = answers_or_blanks(responses, clean)
                one = score_sample(metric.name, give, sample, answers, failure)
                if one.values or one.unscored:
                    found.setdefault(sample.language, []).append(one)
            rows += [_judged(task, code, found[code]) for code in task.languages if code in found]
    return f"{metric.signature}|judge:{judge.name}", rows


def _judged(task: Task, language: str, scores: Sequence[Score]) -> Judged:
    rows = [
        (one.values, one.cluster or f"{language}/{one.sample_id}") for one in scores if one.values
    ]
    reasons = [one.unscored for one in scores if one.unscored]
    share = _estimated(LanguageFidelityJudged(), rows)
    return Judged(task.name, language, share, len(reasons), reasons[0] if reasons else "")


def _chosen(folder: Path, manifest: Mapping[str, Any], names: Sequence[str]) -> list[Task]:
    tasks = [task_of(told) for told in _told(folder, manifest)]
    chosen = [task for task in tasks if (task.name in names if names else has_fidelity(task))]
    if not chosen:
        has = ", ".join(task.name for task in tasks)
        raise UsageError(f"{folder}: none of its tasks ({has}) has answers in a language of choice")
    return chosen


def _told(folder: Path, manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The manifest's tasks. Raises `StoreError` where it does not name them."""
    tasks = manifest.get("tasks")
    if not isinstance(tasks, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) and "variant" in one
        for one in tasks
    ):
        raise StoreError(f"{folder}/manifest.json does not name its tasks: {tasks!r:.60}")
    return tasks


def has_fidelity(task: Task) -> bool:
    return any(metric.name == NAME for metric in task.metrics)


def spoken(store: Store, tasks: Sequence[Task]) -> Iterator[Spoken]:
    """By the scores of the tasks that have language fidelity among their metrics."""
    for task in filter(has_fidelity, tasks):
        yield from _rows(store, task, _gathered(store.scores(task.name, NAME)))


def _identified(store: Store, task: Task, clean: Callable[[str], str]) -> Iterator[Score]:
    metric = LanguageFidelity()
    answered = [
        (sample, *answers_or_blanks(responses, clean))
        for _, sample, responses in store.answered(task.name)
    ]
    scorer = metric.over((sample, answers) for sample, answers, _ in answered)
    if scorer.fault is not None:
        raise UsageError(str(scorer.fault)) from scorer.fault
    for sample, answers, failure in answered:
        yield score_sample(metric.name, scorer, sample, answers, failure)


def _gathered(scores: Iterable[Score]) -> dict[str, _Language]:
    found: dict[str, _Language] = {}
    for one in scores:
        ours = found.setdefault(one.language, _Language())
        if one.values:
            right = bool(one.values[0])
            cluster = one.cluster or f"{one.language}/{one.sample_id}"
            ours.decided[one.sample_id] = right, cluster
            if not right:
                ours.wrong[one.remark.removeprefix(TAKEN_FOR)] += 1
        elif one.unscored:
            ours.undecided += one.unscored.startswith(UNDECIDED)
            ours.reason = ours.reason or one.unscored
    return found


def _rows(store: Store, task: Task, found: Mapping[str, _Language]) -> Iterator[Spoken]:
    kept: dict[str, dict[str, Kept]] = {language: {} for language in found}
    for metric in task.metrics:
        aside = metric.name.startswith(NAME) or isinstance(metric, DifferenceMetric)
        if not aside and any(ours.wrong for ours in found.values()):
            for language, one in _kept(store, task, metric, found):
                kept[language][metric.name] = one
    for language in sorted(found, key=task.languages.index):
        ours = found[language]
        shares = [((float(right),), cluster) for right, cluster in ours.decided.values()]
        share = _estimated(LanguageFidelity(), shares)
        unknown = f"the identifier does not know {LANGUAGES[language].english}"
        yield Spoken(
            task=task.name,
            variant=task.variant,
            language=language,
            fidelity=share.value if share else None,
            low=share.low if share else None,
            high=share.high if share else None,
            n=len(shares),
            undecided=ours.undecided,
            wrong=tuple(ours.wrong.most_common()),
            kept=kept[language],
            reason="" if shares else ours.reason or unknown,
        )


def _kept(
    store: Store, task: Task, metric: Metric, found: Mapping[str, _Language]
) -> Iterator[tuple[str, Kept]]:
    """Languages with wrong answers that the metric has scored."""
    scored: dict[str, list[Score]] = {}
    for one in store.scores(task.name, metric.name):
        if one.values and found[one.language].wrong:
            scored.setdefault(one.language, []).append(one)
    for language, scores in scored.items():
        decided = found[language].decided
        rest = [
            (one.values, one.cluster or f"{language}/{one.sample_id}")
            for one in scores
            if decided.get(one.sample_id, (True, ""))[0]
        ]
        total = [math.fsum(column) for column in zip(*(s.values for s in scores), strict=True)]
        right = _estimated(metric, rest)
        yield (
            language,
            Kept(
                all=metric.corpus(total, len(scores)),
                right=right.value if right else None,
                low=right.low if right else None,
                high=right.high if right else None,
                n=len(rest),
            ),
        )


def _estimated(metric: Metric, rows: Sequence[tuple[tuple[float, ...], str]]) -> Estimate | None:
    import numpy

    if not rows:
        return None
    table = numpy.array([values for values, _ in rows])
    return estimate(metric, {"": Observations(table, [name for _, name in rows])})[0][""]
