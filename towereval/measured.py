"""What two runs are compared by: every sample's statistics, without any text.

Read from a run's folder, whose results.json must follow from its store, or from a baseline: one
small JSON file that `write_baseline` makes of a run, to be tracked beside code.
    {"schema": 1, "model", "run_id", "split", "digest", "tasks": {"multi30k": {"variant", "version",
     "signatures": {"bleu": ...}, "languages": {"de": {"data", "answers", "samples": [ids],
     "clusters": [hashes], "statistics": {"bleu": [[16.0, ...], null, []]}}}}}}
A sample's statistics are null where it could not be judged and [] where the metric is not meant for
it. `digest` is of all the rest: a baseline that was edited is refused.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from towereval.as_logged import task_behind
from towereval.data.media import write_atomically
from towereval.errors import StoreError, UsageError
from towereval.manifest import SCHEMA
from towereval.results import Run, read_run
from towereval.store import Store
from towereval.types import Metric, Result, Task, digest

# None: could not be judged; (): the metric is not meant for such a sample.
Statistics = tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Part:
    """One task in one language; `data` is a digest of what was asked, `answers` of all answers."""

    data: str
    answers: str
    samples: tuple[str, ...]
    clusters: tuple[str, ...]
    statistics: Mapping[str, tuple[Statistics, ...]]


@dataclass(frozen=True, slots=True)
class MeasuredTask:
    """`signatures` has the metrics that scored something, in the task's order."""

    variant: str
    version: int
    signatures: Mapping[str, str]
    languages: Mapping[str, Part]


@dataclass(frozen=True, slots=True)
class Measured:
    """A run or a baseline."""

    model: str
    run_id: str
    split: str
    tasks: Mapping[str, MeasuredTask]


def read(path: Path, metrics: Collection[str] = (), only_tasks: Collection[str] = ()) -> Measured:
    """All its tasks, or those that are named.

    Raises `UsageError` where there is no run, `StoreError` for one that cannot be trusted.

    That is also one in which a metric failed that is to be judged by: one of `metrics`, or a task's
    first where none of them is its own.
    """
    if path.is_file():
        return _read_baseline(path)
    if not (path / "manifest.json").is_file():
        raise UsageError(f"{path}: no run (a folder with a manifest.json) and no baseline file")
    if not (path / "run.sqlite").is_file():
        raise StoreError(f"{path}: the run has lost its run.sqlite, nothing can be compared")
    with Store(path, reading=True) as store:
        run = read_run(path)
        if missing := store.count_unanswered():
            why = "".join(f"; {count}x {reason}" for reason, count in store.failures(3))
            logged = str(run.manifest.get("engine", "")).endswith(" logs")
            cure = "ask them again there and import the logs" if logged else "resume the run"
            raise StoreError(f"{path}: {missing} requests have no answer: {cure}{why}")
        split, asked = _asked(run)
        tasks = {
            name: _task(path, store, run, name, told, metrics)
            for name, told in asked.items()
            if not only_tasks or name in only_tasks
        }
    return Measured(run.model, run.run_id, split, tasks)


def _asked(run: Run) -> tuple[str, dict[str, tuple[str, int]]]:
    """The split, and each task's variant and version."""
    try:
        tasks = {
            str(task["name"]): (str(task["variant"]), int(task["version"]))
            for task in run.manifest["tasks"]
        }
        return str(run.manifest["split"]), tasks
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise StoreError(f"{run.folder}/manifest.json does not name its tasks: {reason}") from error


def _digests(run: Run, task: str) -> dict[str, str]:
    """Of what each language was asked; "" where the run does not say."""
    found: Any = run.manifest
    for name in ("data", task, "digests"):
        found = found.get(name, {})
        if not isinstance(found, dict):
            raise StoreError(f"{run.folder}/manifest.json: {name} is no object: {found!r:.60}")
    return {str(language): str(value) for language, value in found.items()}


def write_baseline(run: Path, file: Path) -> None:
    measured = read(run)
    content = {"schema": SCHEMA, **asdict(measured)}
    for task in content["tasks"].values():
        for part in task["languages"].values():
            part["clusters"] = [_hashed(name) for name in part["clusters"]]
            part["statistics"] = {
                metric: [one if one is None else [*map(_shorter, one)] for one in column]
                for metric, column in part["statistics"].items()
            }
    text = json.dumps({**content, "digest": digest(content)}, separators=(",", ":"))
    # A line for each list that grows with the samples, so that a change can be seen.
    for name in ("samples", "clusters", "statistics", "languages"):
        text = text.replace(f'"{name}":', f'\n"{name}":')
    try:
        write_atomically(file, text.encode() + b"\n")
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error


def load_task(name: str, measured: MeasuredTask) -> Task:
    return task_behind(name, measured.variant, measured.signatures.values())


def _shorter(number: float) -> float:
    """Counts without ".0": half of a file would be these."""
    return int(number) if number.is_integer() else number


def _hashed(name: str) -> str:
    """Cluster names may hold addresses of pictures; which samples share one is all that counts."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _read_baseline(file: Path) -> Measured:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        told = content.pop("digest")
        if content.pop("schema") != SCHEMA:
            raise StoreError(f"{file}: another schema than {SCHEMA}: write it again")
        if told != digest({"schema": SCHEMA, **content}):
            raise StoreError(f"{file}: edited after it was written: write it again from its run")
        named = {name: _text(content[name]) for name in ("model", "run_id", "split")}
        tasks = {name: _load_task(task) for name, task in content["tasks"].items()}
        return Measured(**{**content, **named, "tasks": tasks})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise UsageError(f"{file}: neither a run's folder nor a baseline: {reason}") from error


def _load_task(content: dict[str, Any]) -> MeasuredTask:
    languages = {k: _load_part(v) for k, v in content["languages"].items()}
    signatures = {k: _text(v) for k, v in content["signatures"].items()}
    if type(content["version"]) is not int:
        raise ValueError(f"version is {content['version']!r:.60}")
    _text(content["variant"])
    return MeasuredTask(**{**content, "signatures": signatures, "languages": languages})


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.60} is no text")
    return value


def _load_part(content: dict[str, Any]) -> Part:
    statistics = {
        metric: tuple(None if one is None else tuple(map(_number, one)) for one in column)
        for metric, column in content["statistics"].items()
    }
    listed = {name: tuple(map(str, content[name])) for name in ("samples", "clusters")}
    if len(set(listed["samples"])) < len(listed["samples"]):
        raise ValueError("two samples have one id")
    for name in ("data", "answers"):
        _text(content[name])
    columns = [*listed.values(), *statistics.values()]
    if len({len(column) for column in columns}) > 1:
        raise ValueError("not every sample has a cluster and statistics")
    for metric, column in statistics.items():
        if len({len(one) for one in column if one}) > 1:
            raise ValueError(f"{metric} has statistics of several lengths")
    return Part(**{**content, **listed, "statistics": statistics})


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{value!r:.60} is no number")
    return float(value)


def _task(
    path: Path,
    store: Store,
    run: Run,
    name: str,
    asked: tuple[str, int],
    metrics: Collection[str],
) -> MeasuredTask:
    rows = [row for row in run.rows if row.task == name and not row.group]
    for row in rows:
        if (row.variant, row.task_version) != asked:
            raise StoreError(f"{path}: results.json and manifest.json name other {name}s: {_REDO}")
    task = task_behind(name, asked[0], (row.signature for row in rows))
    signatures = {row.metric: row.signature for row in rows if row.n}
    judged_by = {each.name for each in task.metrics}.intersection(metrics)
    parts = _parts(store, task, run, judged_by or {task.metrics[0].name})
    _check(path, task, rows, parts)
    return MeasuredTask(*asked, signatures, parts)


_REDO = "edited by hand, or not by this towereval; towereval score writes them again"


def _parts(store: Store, task: Task, run: Run, judged_by: Collection[str]) -> dict[str, Part]:
    clusters: dict[str, dict[str, str]] = {}
    columns: dict[str, dict[str, dict[str, Statistics]]] = {}
    for metric in task.metrics:
        for one in store.scores(task.name, metric.name):
            if one.failed and metric.name in judged_by:
                what = f"{task.name} has no {metric.name} of every sample, it failed"
                raise StoreError(f"{run.folder}: {what}: {one.unscored}")
            # Ids repeat in other languages, where they are other samples.
            cluster = one.cluster or f"{one.language}/{one.sample_id}"
            clusters.setdefault(one.language, {})[one.sample_id] = cluster
            column = columns.setdefault(one.language, {}).setdefault(metric.name, {})
            column[one.sample_id] = None if one.unscored else one.values
    answers: dict[str, Any] = {language: hashlib.sha256() for language in clusters}
    for language, sample_id, text, logprob in store.answer_texts(task.name):
        if language in answers:
            answers[language].update(json.dumps([sample_id, text, logprob]).encode())
    digests = _digests(run, task.name)
    return {
        language: Part(
            digests.get(language, ""),
            answers[language].hexdigest()[:16],
            tuple(samples),
            tuple(samples.values()),
            {
                metric: tuple(column.get(each, ()) for each in samples)
                for metric, column in columns[language].items()
            },
        )
        for language, samples in clusters.items()
    }


def _check(path: Path, task: Task, rows: list[Result], parts: Mapping[str, Part]) -> None:
    """Whether results.json says what the samples say. Raises `StoreError`."""
    for metric in task.metrics:
        told = {row.language: (row.n, row.value) for row in rows if row.metric == metric.name}
        try:
            values = list(_values(metric, parts))
        except (ValueError, ArithmeticError, LookupError) as error:
            what = f"{task.name} {metric.name}: run.sqlite has statistics of another shape"
            raise StoreError(f"{path}: {what} ({error}): score the run again") from error
        for language, n, value in values:
            said = told.pop(language, (0, None))
            same = said[0] == n and (
                value is said[1]
                if value is None or said[1] is None
                else math.isclose(value, said[1], rel_tol=1e-9, abs_tol=1e-12)
            )
            if not same:
                place = f"{task.name} {metric.name} {language}"
                raise StoreError(
                    f"{path}/results.json: {place} is {said[1]} of {said[0]} samples, but by the"
                    f" run's own store {value} of {n}: {_REDO}"
                )
        if told:
            where = f"{task.name} {metric.name} {', '.join(told)}"
            raise StoreError(f"{path}/results.json: {where} is not in the run's store: {_REDO}")


def _values(metric: Metric, parts: Mapping[str, Part]) -> Iterator[tuple[str, int, float | None]]:
    values: list[float | None] = []
    total = 0
    for language, part in parts.items():
        column = part.statistics.get(metric.name, ())
        if not any(one is None or one for one in column):
            continue  # not meant for any of them
        scored = [one for one in column if one]
        value = None
        if scored:
            sums = [math.fsum(each) for each in zip(*scored, strict=True)]
            value = metric.corpus(sums, len(scored))
        values.append(value)
        total += len(scored)
        yield language, len(scored), value
    found = [value for value in values if value is not None]
    if len(found) > 1 and len(found) == len(values):
        yield "*", total, math.fsum(found) / len(found)
