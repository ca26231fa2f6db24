"""In which languages a run's answers are: of any stored run, without asking or scoring anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from towereval import plugins
from towereval.errors import UsageError
from towereval.metrics.fidelity import LanguageFidelity, Verdict, verdicts
from towereval.scoring import answers_or_blanks
from towereval.statistics import Observations, estimate
from towereval.store import Store, read_manifest
from towereval.subject import recorded_clean
from towereval.types import Metric, Task


@dataclass(frozen=True, slots=True)
class Spoken:
    """One language of one task.

    `fidelity` is the share of `n` decided answers in that language with its 95% interval; None
    where none could be decided. `wrong` counts what the others were taken for, the commonest first.
    `values`: of each scored metric the value of all answers and of those in the right language.
    """

    task: str
    language: str
    fidelity: float | None
    low: float | None
    high: float | None
    n: int
    undecided: int
    wrong: tuple[tuple[str, int], ...]
    values: Mapping[str, tuple[float, float | None]]


def spoken(folder: Path, names: tuple[str, ...] = ()) -> Iterator[Spoken]:
    """Of the named tasks, or of those whose answers are texts of their own.

    Raises `UsageError` where the run has no such task or no identifier is installed.
    """
    manifest = read_manifest(folder)
    tasks = [plugins.load_task(f"{task['name']}@{task['variant']}") for task in manifest["tasks"]]
    chosen = [task for task in tasks if (task.name in names if names else _answers_freely(task))]
    if not chosen:
        has = ", ".join(task.name for task in tasks)
        raise UsageError(f"{folder}: none of its tasks ({has}) has answers in a language of choice")
    clean = recorded_clean(manifest)
    with Store(folder) as store:
        for task in chosen:
            asked = {}
            for _, sample, responses in store.answered(task.name):
                answers, failure = answers_or_blanks(responses, clean)
                if not failure and answers:
                    place = (sample.language, sample.id)
                    asked[place] = (sample.language, sample.cluster or sample.id, answers[0].text)
            pairs = [(language, text) for language, _, text in asked.values()]
            found = dict(zip(asked, verdicts(pairs), strict=True))
            clusters = {place: cluster for place, (_, cluster, _) in asked.items()}
            spoken_in = {language for language, _ in found}
            for language in (code for code in task.languages if code in spoken_in):
                ours = {place: v for place, v in found.items() if place[0] == language}
                yield _row(store, task, language, ours, clusters)


def _answers_freely(task: Task) -> bool:
    """Captions and translations: compared with texts, not with an option or with what is read."""
    return any(metric.name in ("chrf", "cider", "bleu") for metric in task.metrics)


def _row(
    store: Store,
    task: Task,
    language: str,
    found: Mapping[tuple[str, str], Verdict],
    clusters: Mapping[tuple[str, str], str],
) -> Spoken:
    import numpy

    decided = {place: float(v.right) for place, v in found.items() if v.right is not None}
    wrong = Counter(v.language for v in found.values() if v.right is False)
    share = None
    if decided:
        table = numpy.array([[right] for right in decided.values()])
        observed = Observations(table, [clusters[place] for place in decided])
        share = estimate(LanguageFidelity(), {language: observed})[0][language]
    right = {name for (_, name), v in found.items() if v.right}
    return Spoken(
        task=task.name,
        language=language,
        fidelity=share.value if share else None,
        low=share.low if share else None,
        high=share.high if share else None,
        n=len(decided),
        undecided=len(found) - len(decided),
        wrong=tuple(wrong.most_common()),
        values={
            metric.name: values
            for metric in task.metrics
            if metric.name != "language_fidelity"
            and (values := _values(store, task, metric, language, right))
        },
    )


def _values(
    store: Store, task: Task, metric: Metric, language: str, right: set[str]
) -> tuple[float, float | None] | None:
    """Of all scored answers, and of those in the right language; None where none is scored."""
    scored = [
        one
        for one in store.scores(task.name, metric.name)
        if one.language == language and one.values
    ]
    if not scored:
        return None
    kept = [one.values for one in scored if one.sample_id in right]
    everything = [one.values for one in scored]
    return _corpus(metric, everything), (_corpus(metric, kept) if kept else None)


def _corpus(metric: Metric, values: list[tuple[float, ...]]) -> float:
    return metric.corpus([sum(column) for column in zip(*values, strict=True)], len(values))
