"""Which samples of two runs may be compared, and what forbids it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from towereval.errors import UsageError
from towereval.measured import Measured, MeasuredTask, Part, load_task
from towereval.types import Metric


@dataclass(frozen=True, slots=True)
class Samples:
    """One language's statistics in both runs, in one order, with base's clusters."""

    clusters: tuple[str, ...]
    base: tuple[tuple[float, ...], ...]
    candidate: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """One metric of one task in the languages that both runs have.

    `same_answers` are the languages in which all raw answers are equal.
    """

    task: str
    variant: str
    metric: Metric
    signature: str
    languages: Mapping[str, Samples]
    same_answers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Paired:
    """`lacking` is what base has and the candidate has not, `notices` what else is not compared."""

    pairs: tuple[Pairs, ...]
    lacking: tuple[str, ...]
    notices: tuple[str, ...]


def pair(base: Measured, candidate: Measured, metrics: Collection[str] = ()) -> Paired:
    """A candidate lacks a metric that is named, or base's first where none of a task's is.

    Raises `UsageError` where the two were not asked the same, and says all that differs.
    """
    if wrong := sorted(_differences(base, candidate)):
        raise UsageError(f"base and candidate were not asked the same: {'; '.join(wrong)}")
    pairs: list[Pairs] = []
    lacking = [f"the candidate has no {name}" for name in base.tasks if name not in candidate.tasks]
    notices = [f"base has no {name}" for name in candidate.tasks if name not in base.tasks]
    for name, old in base.tasks.items():
        if new := candidate.tasks.get(name):
            pairs += _pairs(name, old, new, metrics, lacking, notices)
    if not pairs:
        why = "".join(f"; {each}" for each in [*lacking, *notices])
        raise UsageError(f"the two runs share no sample that both have a score for{why}")
    return Paired(tuple(pairs), tuple(lacking), tuple(notices))


def _differences(base: Measured, candidate: Measured) -> Iterator[str]:
    if base.split != candidate.split:
        yield f"base is of the {base.split} split, candidate of the {candidate.split} split"
    for name in base.tasks.keys() & candidate.tasks.keys():
        old, new = base.tasks[name], candidate.tasks[name]
        if old.variant != new.variant:
            yield f"{name}: variant {old.variant} and variant {new.variant}"
            continue
        if old.version != new.version:
            yield f"{name}: version {old.version} and version {new.version}"
        for metric in old.signatures.keys() & new.signatures.keys():
            if old.signatures[metric] != new.signatures[metric]:
                both = f"{old.signatures[metric]} and {new.signatures[metric]}"
                yield f"{name} {metric}: signature {both}"
        for language in old.languages.keys() & new.languages.keys():
            data = [task.languages[language].data for task in (old, new)]
            if all(data) and data[0] != data[1]:
                yield f"{name} {language}: data {data[0]} and {data[1]}"


def _pairs(
    name: str,
    old: MeasuredTask,
    new: MeasuredTask,
    wanted: Collection[str],
    lacking: list[str],
    notices: list[str],
) -> Iterator[Pairs]:
    if not all(part.data for task in (old, new) for part in task.languages.values()):
        notices.append(f"{name}: a run does not say what it was asked; paired by sample id")
    for language in old.languages:
        if language not in new.languages:
            lacking.append(f"the candidate has no {name} in {language}")
    if more := [language for language in new.languages if language not in old.languages]:
        notices.append(f"base has no {name} in {', '.join(more)}")
    metrics = load_task(name, old).metrics
    scored = [metric.name for metric in metrics if metric.name in old.signatures]
    needed = set(scored).intersection(wanted) or set(scored[:1])
    if not scored and not new.signatures:
        notices.append(f"{name}: neither run has a score")
    for metric in metrics:
        have = [metric.name in task.signatures for task in (old, new)]
        if all(have):
            found = _pair(name, metric, old, new, lacking)
            if found.languages:
                yield found
        elif have[0] and metric.name in needed:
            lacking.append(f"the candidate has no {metric.name} of {name}")
        elif any(have):
            who = "candidate" if have[0] else "base"
            notices.append(f"{name}: the {who} has no {metric.name}, it is not compared")


def _pair(
    name: str, metric: Metric, old: MeasuredTask, new: MeasuredTask, lacking: list[str]
) -> Pairs:
    languages, same = {}, set()
    for language, part in old.languages.items():
        other = new.languages.get(language)
        if other is None:
            continue
        samples, lost = _samples(metric.name, part, other)
        if lost:
            what = f"{name} {metric.name} in {language}"
            lacking.append(f"the candidate has no score for {lost} samples of {what}")
        if samples.clusters:
            languages[language] = samples
        if part.answers == other.answers and part.samples == other.samples:
            same.add(language)
    signature = old.signatures[metric.name]
    return Pairs(name, old.variant, metric, signature, languages, frozenset(same))


def _samples(metric: str, part: Part, other: Part) -> tuple[Samples, int]:
    """What both have scored, in base's order and clusters; how many base alone has."""
    theirs = dict(zip(other.samples, other.statistics.get(metric, ()), strict=False))
    rows = zip(part.samples, part.clusters, part.statistics.get(metric, ()), strict=False)
    clusters, before, after, lost = [], [], [], 0
    for sample, cluster, values in rows:
        if not values:
            continue
        if found := theirs.get(sample):
            clusters.append(cluster)
            before.append(values)
            after.append(found)
        else:
            lost += 1
    return Samples(tuple(clusters), tuple(before), tuple(after)), lost
