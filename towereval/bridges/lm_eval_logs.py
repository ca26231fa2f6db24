"""Sample logs of lm-evaluation-harness, and of lmms-eval, which came from it.

    results_<stamp>.json  samples_<task>_<stamp>.jsonl      lm_eval --output_path --log_samples
    <stamp>_results.json  <stamp>_samples_<task>.jsonl      lmms-eval --output_path --log_samples

A line is one document under one filter, with a score by metric. A metric is taken where each of its
scores is a number and their mean is what the results say of it; any other is told. Where documents
carry a number of their own beside what is aggregated, `NAME_score` is the mean of these.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from towereval.as_logged import NO_SCORE, LoggedTask, metric_of, plain_name, signature_of
from towereval.bridges.lm_eval_results import LoggedMetric, Told, read_told
from towereval.bridges.lm_eval_rows import Row, document_of, read_rows
from towereval.bridges.logged_languages import COLUMNS, Rule, find_rule, split_of
from towereval.bridges.logged_runs import About, Document
from towereval.errors import DataError
from towereval.types import Better

_LM_EVAL = re.compile(r"samples_(?P<task>.+)_(?P<stamp>\d{4}-\d\d-\d\dT[\d.:+-]+)\.jsonl", re.S)
_LMMS_EVAL = re.compile(r"(?P<stamp>.+?)_samples_(?P<task>.+)\.jsonl", re.S)
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Column:
    """One metric's scores by document; `logged` is what they have to have as their mean."""

    name: str
    better: Better
    logged: float | None
    scores: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def fault(self) -> str:
        """Why it cannot be taken, "" for nothing."""
        if not self.scores:
            return "no document carries a number of it, its aggregate is of all of them"
        mean = math.fsum(self.scores.values()) / len(self.scores)
        if self.logged is None or math.isclose(mean, self.logged, rel_tol=1e-9, abs_tol=TOLERANCE):
            return ""
        return f"it is no mean of its documents' scores, which is {mean:.6g}"


@dataclass(frozen=True, slots=True)
class LmEvalLog:
    """`columns` are the metrics that are taken."""

    about: About
    task: LoggedTask
    rule: Rule
    columns: Mapping[str, Column] = field(repr=False)

    def documents(self) -> Iterator[Document]:
        seen: set[str] = set()
        for row in read_rows(self.about.file):
            if row.id not in seen:  # the same under another filter
                seen.add(row.id)
                scores = {
                    name: column.scores.get(row.id, NO_SCORE)
                    for name, column in self.columns.items()
                }
                yield document_of(row, self.rule.language(row.columns), scores)


def harness_of(file: Path) -> str:
    """Which harness names a sample log so, "" for none."""
    if _LM_EVAL.fullmatch(file.name):
        return "lm-eval"
    return "lmms-eval" if _LMMS_EVAL.fullmatch(file.name) else ""


def open_log(file: Path, languages: Mapping[str, str]) -> LmEvalLog:
    """`languages`: what the user says, by task, "" for all. Raises `DataError`, `UsageError`."""
    harness = harness_of(file)
    found = (_LM_EVAL if harness == "lm-eval" else _LMMS_EVAL).fullmatch(file.name)
    assert found is not None
    name, stamp = found["task"], found["stamp"]
    beside = f"results_{stamp}.json" if harness == "lm-eval" else f"{stamp}_results.json"
    if not file.with_name(beside).is_file():
        raise DataError(f"{file}: {beside} is not beside it: copy both")
    told = read_told(file.with_name(beside), name)
    metadata = told.metadata.get("towereval")
    of_yaml = metadata.get("language_column", "") if isinstance(metadata, Mapping) else ""
    documents, columns = _gather(file, told, [*COLUMNS, str(of_yaml)])
    limit = told.limit(len(documents))
    rule = find_rule(name, languages.get(name) or languages.get("", ""), metadata, documents)
    taken = {one.name: one for one in columns if not one.fault}
    notices = [
        f"{one.name} is not taken: {one.fault}"
        + ("" if one.logged is None else f" (logged: {one.logged:.6g})")
        for one in columns
        if one.fault
    ]
    if not taken:
        why = "; ".join(notices) or f"{beside} has no number of it"
        raise DataError(f"{file}: nothing of it is scored by document: {why}")
    signatures = [
        signature_of(
            one.name, (harness, f"task:{told.version or '-'}"), one.scores.values(), one.better
        )
        for one in taken.values()
    ]
    codes = tuple(dict.fromkeys(rule.language(each) for each in documents))
    task = LoggedTask(
        f"{harness}:{plain_name(name)}", told.variant, tuple(map(metric_of, signatures)), codes
    )
    about = About(
        file,
        harness,
        told.harness_version,
        told.about.model,
        told.started(stamp),
        limit,
        rule.by,
        split_of(metadata),
        told.settings,
        tuple(notices),
    )
    return LmEvalLog(about, task, rule, taken)


def _gather(
    file: Path, told: Told, wanted: list[str]
) -> tuple[list[dict[str, object]], list[Column]]:
    """The documents' columns that may name languages, and all metrics' scores."""
    documents: dict[str, dict[str, object]] = {}
    pairs = [(metric, *_columns(metric)) for metric in told.metrics()]
    seen: set[tuple[str, str]] = set()
    for row in read_rows(file):
        if (row.id, row.filter) in seen:
            raise DataError(f"{file}: document {row.id:.80} is logged twice: log it again")
        seen.add((row.id, row.filter))
        columns = row.columns
        documents.setdefault(row.id, {key: columns[key] for key in wanted if key in columns})
        try:
            for metric, whole, own in pairs:
                if metric.filter in (row.filter, *(() if "filter" in row.content else ["none"])):
                    _add(row, metric, whole, own)
        except ValueError as error:
            raise DataError(
                f"{file}: document {row.id:.80}: {error}, no score: log it again"
            ) from error
    found = [one for _, whole, own in pairs for one in (whole, own)]
    return [*documents.values()], [one for one in found if one.logged is not None or one.scores]


def _columns(metric: LoggedMetric) -> tuple[Column, Column]:
    name = plain_name(metric.ours)
    own = Column(f"{name}_score", metric.better, None)
    return Column(name, metric.better, metric.value), own


def _add(row: Row, metric: LoggedMetric, whole: Column, own: Column) -> None:
    score = row.score(metric.name)
    if score is not None:
        whole.scores[row.id] = score
    elif (score := row.own_score(metric.name)) is not None:
        own.scores[row.id] = score
