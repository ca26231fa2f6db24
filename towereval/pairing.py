"""Which samples of two runs may be compared, and what forbids it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from towereval.errors import UsageError
from towereval.languages import Present, among, members, select
from towereval.measured import Measured, MeasuredTask, Part, load_task
from towereval.types import AsideMetric, Metric


@dataclass(frozen=True, slots=True)
class Samples:
    """One language's statistics in both runs, in one order, with base's clusters."""

    clusters: tuple[str, ...]
    base: tuple[tuple[float, ...], ...]
    candidate: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Pairs:
    """One metric of one task in the languages that both runs have; `aside` as `set_aside` has it.

    `same_answers` are the languages in which all raw answers are equal, and so are all scores: a
    judge may have given the same answer two.
    """

    task: str
    variant: str
    metric: Metric
    signature: str
    languages: Mapping[str, Samples]
    same_answers: frozenset[str]
    aside: bool = False


@dataclass(frozen=True, slots=True)
class Paired:
    """`lacking` is what base has to be judged by and the candidate has not.

    `notices` say what else is not compared.
    """

    pairs: tuple[Pairs, ...]
    lacking: tuple[str, ...]
    notices: tuple[str, ...]


def set_aside(metrics: Sequence[Metric]) -> frozenset[str]:
    """Which of a task's metrics are compared but gated only where they are named, if at all.

    They tell how an answer is, not how good. A task that has no others is judged by its first.
    """
    aside = [one.name for one in metrics if isinstance(one, AsideMetric) and one.aside]
    neither = [one.name for one in metrics if one.better == "neither"]
    if len(aside) + len(neither) == len(metrics):
        del aside[:1]
    return frozenset((*aside, *neither))


def pair(
    base: Measured, candidate: Measured, metrics: Collection[str] = (), margin: float = 0.0
) -> Paired:
    """A candidate lacks a metric that is named, or base's first where none of a task's is.

    Answers whose language is undecided are lacking only where the candidate has more of them, by
    over that share of all. Raises `UsageError` where the two were not asked the same, and says all
    that differs.
    """
    if wrong := sorted(_differences(base, candidate, metrics)):
        raise UsageError(f"base and candidate were not asked the same: {'; '.join(wrong)}")
    pairs: list[Pairs] = []
    lacking = [f"the candidate has no {name}" for name in base.tasks if name not in candidate.tasks]
    notices = [f"base has no {name}" for name in candidate.tasks if name not in base.tasks]
    for name, old in base.tasks.items():
        if new := candidate.tasks.get(name):
            pairs += _pairs(name, old, new, metrics, margin, lacking, notices)
    if not pairs:
        why = "".join(f"; {each}" for each in [*lacking, *notices])
        raise UsageError(f"the two runs share no sample that both have a score for{why}")
    return Paired(tuple(pairs), tuple(lacking), tuple(notices))


def _differences(base: Measured, candidate: Measured, metrics: Collection[str]) -> Iterator[str]:
    if base.split != candidate.split:
        yield f"base is of the {base.split} split, candidate of the {candidate.split} split"
    for name in base.tasks.keys() & candidate.tasks.keys():
        old, new = base.tasks[name], candidate.tasks[name]
        if old.variant != new.variant:
            yield f"{name}: variant {old.variant} and variant {new.variant}"
            continue
        if old.version != new.version:
            yield f"{name}: version {old.version} and version {new.version}"
        decides_nothing = set_aside(load_task(name, old).metrics).difference(metrics)
        for metric in old.signatures.keys() & new.signatures.keys():
            aside = metric in decides_nothing
            if old.signatures[metric] != new.signatures[metric] and not aside:
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
    margin: float,
    lacking: list[str],
    notices: list[str],
) -> Iterator[Pairs]:
    if not all(part.data for task in (old, new) for part in task.languages.values()):
        notices.append(f"{name}: a run does not say what it was asked; paired by sample id")
    lost = [language for language in old.languages if language not in new.languages]
    lacking += [f"the candidate has no {name} in {language}" for language in lost]
    if more := [language for language in new.languages if language not in old.languages]:
        notices.append(f"base has no {name} in {', '.join(more)}")
    metrics = load_task(name, old).metrics
    scored = [metric.name for metric in metrics if metric.name in old.signatures]
    aside = set_aside(metrics)
    needed = set(scored).intersection(wanted) or {*[one for one in scored if one not in aside][:1]}
    if not scored and not new.signatures:
        notices.append(f"{name}: neither run has a score")
    elif not needed:
        lacking.append(f"base has no score of {name} to judge by")
    for metric in metrics:
        told = [task.signatures.get(metric.name) for task in (old, new)]
        have = [each is not None for each in told]
        # What decides nothing leaves nothing open.
        missed = lacking if metric.name in needed else notices
        if all(have) and told[0] != told[1]:
            notices.append(f"{name} {metric.name} is not compared: {told[0]} and {told[1]}")
        elif all(have):
            # Which answers are too short to tell differs in any two runs; n says how many are not.
            silent = metric.name in aside and metric.name not in needed
            lists = ([], []) if silent else (missed, notices)
            found = _pair(name, metric, old, new, margin, *lists)
            if found.languages:
                _check_shapes(found)
                yield replace(found, aside=metric.name in aside)
        elif have[0] and metric.name in needed:
            lacking.append(f"the candidate has no {metric.name} of {name}")
        elif any(have):
            who = "candidate" if have[0] else "base"
            notices.append(f"{name}: the {who} has no {metric.name}, it is not compared")


def _pair(
    name: str,
    metric: Metric,
    old: MeasuredTask,
    new: MeasuredTask,
    margin: float,
    missed: list[str],
    notices: list[str],
) -> Pairs:
    languages, same = {}, set()
    leaves_open = isinstance(metric, AsideMetric)  # as language fidelity does undecided answers
    for language, part in old.languages.items():
        other = new.languages.get(language)
        if other is None:
            continue
        samples, lost, gained = _samples(metric.name, part, other)
        what = f"{name} {metric.name} in {language}"
        if lost:
            asked = len(set(other.samples).intersection(lost))
            why = f"{len(lost) - asked} not asked, {asked} without a score"
            all_ = len(lost) + len(samples.clusters)
            few = leaves_open and asked == len(lost) and asked - gained <= margin * all_
            told = f"the candidate lacks {len(lost)} of {all_} samples of {what}: {why}"
            (notices if few else missed).append(told)
        if gained:
            all_ = gained + len(samples.clusters)
            notices.append(f"base lacks {gained} of the candidate's {all_} samples of {what}")
        if samples.clusters:
            languages[language] = samples
        same_asked = part.answers == other.answers and part.samples == other.samples
        if same_asked and samples.base == samples.candidate:
            same.add(language)
    signature = old.signatures[metric.name]
    return Pairs(name, old.variant, metric, signature, languages, frozenset(same))


def _samples(metric: str, part: Part, other: Part) -> tuple[Samples, list[str], int]:
    """What both have scored, in base's order and clusters; what base alone has, and how many not.

    A metric that is not meant for a sample has no score of it to miss.
    """
    theirs = dict(zip(other.samples, other.statistics.get(metric, ()), strict=False))
    rows = zip(part.samples, part.clusters, part.statistics.get(metric, ()), strict=False)
    clusters, before, after = [], [], []
    lost: list[str] = []
    for sample, cluster, values in rows:
        if not values:
            continue
        if found := theirs.pop(sample, None):
            clusters.append(cluster)
            before.append(values)
            after.append(found)
        else:
            lost.append(sample)
    gained = sum(bool(values) for values in theirs.values())
    return Samples(tuple(clusters), tuple(before), tuple(after)), lost, gained


def _check_shapes(pairs: Pairs) -> None:
    """Raises `UsageError` for statistics that the metric cannot have written."""
    import numpy as np

    from towereval.influence import values_of

    what = f"{pairs.task} {pairs.metric.name}"
    runs = [run for each in pairs.languages.values() for run in (each.base, each.candidate)]
    if len(lengths := {len(values) for run in runs for values in run}) > 1:
        counts = " and ".join(map(str, sorted(lengths)))
        raise UsageError(f"{what}: samples have {counts} statistics, one of the two is no {what}")
    for run in runs:
        total_1K = np.asarray(run, np.float64).sum(0, keepdims=True)
        try:
            values_of(pairs.metric, total_1K, np.array([float(len(run))]))
        except (ValueError, ArithmeticError, LookupError) as error:
            raise UsageError(f"{what}: statistics that it cannot have written: {error}") from error


def only(base: Measured, candidate: Measured, wanted: Sequence[str]) -> tuple[Measured, Measured]:
    """Both in those languages, of the tasks that either has in one of them.

    Raises `UnknownName` for a code or group that neither has.
    """
    both = [task for run in (base, candidate) for task in run.tasks.values()]
    offered = sorted({language for task in both for language in task.languages})
    chosen = frozenset(select(wanted, offered))
    return _only(base, chosen), _only(candidate, chosen)


def _only(run: Measured, chosen: frozenset[str]) -> Measured:
    tasks = {}
    for name, task in run.tasks.items():
        if parts := {code: part for code, part in task.languages.items() if code in chosen}:
            tasks[name] = replace(task, languages=parts)
    return replace(run, tasks=tasks)


def present_groups(pairs: Pairs, wanted: Sequence[str]) -> list[Present]:
    """Those of the named groups of which the metric has a language."""
    found = [among(name, list(pairs.languages)) for name in wanted if members(name)]
    return [each for each in found if each.members]


def missing_members(pairs: Sequence[Pairs], groups: Sequence[Sequence[Present]]) -> tuple[str, ...]:
    told = {
        f"{each.task}: {group.name} is the mean over {', '.join(group.members)}; it has no"
        f" {', '.join(group.missing)}"
        for each, found in zip(pairs, groups, strict=True)
        for group in found
        if group.missing
    }
    return tuple(sorted(told))
