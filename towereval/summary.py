"""From scores to results: one row a number."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from towereval import languages
from towereval.differences import estimate_differences
from towereval.statistics import Estimate, Observations, estimate
from towereval.store import Store
from towereval.types import DifferenceMetric, Metric, Result, Score, Task

REMARKS = 5  # of those that a note counts, the commonest


@dataclass(slots=True)
class _Cell:
    """The scores of one language within one group, gathered compactly."""

    statistics: array[float] = field(default_factory=lambda: array("d"))
    clusters: list[str] = field(default_factory=list)
    failed: int = 0
    unscored: int = 0
    reason: str = ""
    remarks: Counter[str] = field(default_factory=Counter)

    def add(self, one: Score) -> None:
        if one.failed:
            self.failed += 1
            self.reason = self.reason or one.unscored
        elif one.unscored:
            self.unscored += 1
            self.reason = self.reason or one.unscored
        elif one.values:
            self.remarks.update([one.remark] if one.remark else [])
            self.statistics.extend(one.values)
            # Ids repeat in other languages, where they are other samples.
            self.clusters.append(one.cluster or f"{one.language}/{one.sample_id}")

    def observations(self) -> Observations:
        import numpy

        table = numpy.frombuffer(self.statistics, dtype=numpy.float64)
        return Observations(table.reshape(len(self.clusters), -1), self.clusters)


def summarize(
    store: Store,
    tasks: Sequence[Task],
    signature: Callable[[Task, Metric], str],
    data: Mapping[str, Mapping[str, str]],
    *,
    split: str,
    run_id: str,
) -> tuple[Result, ...]:
    """Rows per task, metric and language: each group's, the whole's, then the macro mean's.

    `signature` knows the judge or checkpoint that a metric's numbers rest on, `data` each task's
    and language's digest.
    """
    asked = store.earlier_manifest().get("languages", ())
    results = []
    for task in tasks:
        digests = data.get(task.name, {})
        for metric in task.metrics:
            blank = _blank(task, metric, signature(task, metric), split, run_id)
            for row in _rows(store, task, metric, blank):
                known = replace(row, data=_data(row, digests))
                results.append(_with_missing(known, task, asked, digests))
    return tuple(results)


def _with_missing(
    row: Result, task: Task, asked: Sequence[str], digests: Mapping[str, str]
) -> Result:
    """A mean's note names the languages that it is said to be of but the data have not, or for
    which the metric is not meant.

    The bundled sample split has some languages only, as everybody can see.
    """
    if row.language != "*" or row.split == "sample":
        return row
    wanted = set(languages.expand(asked)) or set(task.languages)
    missing = [code for code in task.languages if code in wanted and code not in row.languages]
    unread = [code for code in missing if code in digests]
    absent = [code for code in missing if code not in digests]
    parts = [row.note]
    parts += [f"no samples in {', '.join(absent)}"] if absent else []
    parts += [f"not meant for {', '.join(unread)}"] if unread else []
    return replace(row, note="; ".join(parts))


def _data(row: Result, digests: Mapping[str, str]) -> str:
    return "+".join(digests.get(code, "") for code in row.languages or (row.language,)).strip("+")


def _blank(task: Task, metric: Metric, signature: str, split: str, run_id: str) -> Result:
    """A row in which nothing is measured yet."""
    return Result(
        task=task.name,
        variant=task.variant,
        task_version=task.version,
        split=split,
        language="",
        group="",
        metric=metric.name,
        value=None,
        ci_low=None,
        ci_high=None,
        n=0,
        n_failed=0,
        n_unscored=0,
        signature=signature,
        run_id=run_id,
        better=metric.better,
    )


def _rows(store: Store, task: Task, metric: Metric, blank: Result) -> Iterator[Result]:
    groups: dict[str, dict[str, _Cell]] = {"": {}}
    for one in store.scores(task.name, metric.name):
        if not (one.values or one.unscored):
            continue  # the metric is not meant for such samples
        for group in {"", one.group}:
            cells = groups.setdefault(group, {})
            cells.setdefault(one.language, _Cell()).add(one)
    order = {language: index for index, language in enumerate(task.languages)}
    for group in (*sorted(groups)[1:], ""):  # the categories, then the whole
        cells = groups[group]
        ordered = dict(sorted(cells.items(), key=lambda item: order[item[0]]))
        yield from _group_rows(metric, ordered, replace(blank, group=group))


def _group_rows(metric: Metric, cells: Mapping[str, _Cell], blank: Result) -> Iterator[Result]:
    scored = {language: cell for language, cell in cells.items() if cell.clusters}
    observed = {language: cell.observations() for language, cell in scored.items()}
    estimates: dict[str, Estimate] = {}
    macro: Estimate | None = None
    if observed and isinstance(metric, DifferenceMetric):
        estimates, macro = estimate_differences(metric, observed)
    elif observed:
        estimates, macro = estimate(metric, observed)
    for language, cell in cells.items():
        row = replace(blank, language=language, n_failed=cell.failed, n_unscored=cell.unscored)
        found = estimates.get(language)
        if found is None:
            yield replace(row, note=f"unscored: {cell.reason}")
            continue
        remarks = [f"{count} {remark}" for remark, count in cell.remarks.most_common(REMARKS)]
        yield _with(row, found, [*_as_wrong(metric, [(found, cell)]), *remarks])
    # A mean over fewer languages than were asked about would look like the mean over all of them.
    if macro is not None and len(scored) == len(cells) and not blank.group:
        yield replace(
            _with(
                replace(blank, language="*"),
                macro,
                _as_wrong(metric, [(estimates[language], cells[language]) for language in cells]),
            ),
            n_failed=sum(cell.failed for cell in cells.values()),
            n_unscored=sum(cell.unscored for cell in cells.values()),
            languages=tuple(cells),
        )


def _as_wrong(metric: Metric, found: Sequence[tuple[Estimate, _Cell]]) -> list[str]:
    """What the mean would be if each failed sample had scored zero.

    Not for a metric that is more than a mean: what an answer would have added is not known. Nor for
    one whose zero is no wrong answer.
    """
    zero_is_wrong = metric.mean and metric.better == "larger"
    if not zero_is_wrong or not any(cell.failed for _, cell in found):
        return []
    values = [one.value * one.n / (one.n + cell.failed) for one, cell in found]
    return [f"{sum(values) / len(values):.3f} with the failed as wrong"]


def _with(row: Result, found: Estimate, remarks: Sequence[str] = ()) -> Result:
    return replace(
        row,
        value=found.value,
        ci_low=found.low,
        ci_high=found.high,
        n=found.n,
        note="; ".join([found.method, *remarks]),
    )
