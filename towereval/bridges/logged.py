"""The aggregates that lmms-eval logged, beside ours from the same answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.bridges.lmms_eval import Log
from towereval.errors import DataError
from towereval.types import Result

# Their key -> our metric, where we have one under the same rule.
METRICS = {
    "exact_match": "exact_match",
    "ocrbench_accuracy": "accuracy",
    "ocr_results.macro_f1_score": "macro_f1",
    "ocr_results.micro_f1_score": "micro_f1",
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


def compare(logs: Sequence[Log], results: Sequence[Result]) -> list[Comparison]:
    """Every number of the runs' *_results.json. Raises `DataError` for a missing or torn file."""
    ours = {(row.task, row.language, row.metric): row.value for row in results if not row.group}
    found = []
    for log in logs:
        for key, value in _numbers(_results(log)):
            metric = METRICS.get(key, "")
            task = f"{log.task.name}@{log.task.variant}"
            same = ours.get((log.task.name, log.language, metric))
            found.append(Comparison(task, log.language, metric or key, value, same))
    return found


def _results(log: Log) -> dict[str, Any]:
    file = Path(log.file.parent, f"{log.stamp}_results.json")
    try:
        results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))["results"]
        found: dict[str, Any] = results[log.name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{file}: no logged results of {log.name} ({reason})") from error
    return found


def _numbers(results: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """`{"acc,none": 0.5, "x,none": {"y": 0.1}}` -> ("acc", 0.5), ("x.y", 0.1)."""
    for key, value in results.items():
        name = key.partition(",")[0]
        if name.endswith("_stderr"):
            continue
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", v) for inner, v in value.items() if _is_number(v))
        elif _is_number(value):
            yield name, float(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
