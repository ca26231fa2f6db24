"""The aggregates that lmms-eval logged, beside ours from the same answers."""

from __future__ import annotations

import math
import statistics
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.bridges.lmms_eval import Log
from towereval.bridges.lmms_results import read_about
from towereval.errors import DataError
from towereval.metrics.ocr import recall_precision_f1
from towereval.store import Store
from towereval.types import Result

# Their key -> our metric, where we have one under the same rule, or what `_aggregates` gives.
METRICS = {
    "exact_match": "exact_match",
    "exact_match_stderr": "exact_match_stderr",
    "ocrbench_accuracy": "accuracy",
    "ocr_results.macro_f1_score": "macro_f1",
    "ocr_results.macro_recall": "macro_recall",
    "ocr_results.macro_precision": "macro_precision",
    "ocr_results.micro_f1_score": "micro_f1",
    "ocr_results.micro_recall": "micro_recall",
    "ocr_results.micro_precision": "micro_precision",
    "results.avg_XCOMET-XL_score": "xcomet_xl",
}
TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Comparison:
    """One logged number; `ours` is None where we have no such metric or it is not installed."""

    task: str
    language: str
    metric: str
    logged: float
    ours: float | None

    @property
    def agrees(self) -> bool:
        return self.ours is None or abs(self.ours - self.logged) <= TOLERANCE


def compare(folder: Path, logs: Sequence[Log], results: Sequence[Result]) -> list[Comparison]:
    """Every number of the runs' *_results.json beside that of the imported run in `folder`.

    Raises `DataError` for a missing or torn file.
    """
    values = {(row.task, row.language, row.metric): row.value for row in results if not row.group}
    found = []
    with Store(folder) as store:
        for log in logs:
            ours: dict[str, float | None] = dict(_aggregates(store, log))
            for key, value in _numbers(_results(log)):
                metric = METRICS.get(key, "")
                task = f"{log.task.name}@{log.task.variant}"
                same = ours.get(metric, values.get((log.task.name, log.language, metric)))
                found.append(Comparison(task, log.language, metric or key, value, same))
    return found


def _aggregates(store: Store, log: Log) -> Mapping[str, float]:
    """What they log and we do not publish, from the same statistics of each sample."""
    metrics = {metric.name for metric in log.task.metrics}

    def statistics_of(metric: str) -> list[tuple[float, ...]]:
        scores = store.scores(log.task.name, metric) if metric in metrics else ()
        return [one.values for one in scores if one.values and one.language == log.language]

    found = {}
    if counts := statistics_of("micro_f1"):
        each = [recall_precision_f1(*count) for count in counts]
        total = recall_precision_f1(*map(sum, zip(*counts, strict=True)))
        for place, name in enumerate(("recall", "precision")):
            found[f"micro_{name}"] = total[place]
            # Their mean divides by the count and a little more.
            found[f"macro_{name}"] = sum(one[place] for one in each) / (len(each) + 1e-9)
    if len(hits := statistics_of("exact_match")) > 1:
        deviation = statistics.stdev(hit for (hit,) in hits)
        found["exact_match_stderr"] = deviation / math.sqrt(len(hits))
    return found


def _results(log: Log) -> dict[str, Any]:
    about = read_about(log.file.parent, log.stamp)
    found = about.results.get(log.name) if about else None
    if not isinstance(found, dict):
        file = log.file.with_name(f"{log.stamp}_results.json")
        raise DataError(f"{file}: no logged results of {log.name}")
    return found


def _numbers(results: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """`{"acc,none": 0.5, "x,none": {"y": 0.1}}` -> ("acc", 0.5), ("x.y", 0.1)."""
    for key, value in results.items():
        name = key.partition(",")[0]
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", v) for inner, v in value.items() if _is_number(v))
        elif _is_number(value):
            yield name, float(value)


def _is_number(value: object) -> bool:
    # JSON's integers have no end, a float's do.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max
