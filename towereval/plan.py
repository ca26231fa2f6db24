"""What a run is asked to do, checked, and where it is kept."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towereval import __version__, engines, languages, plugins
from towereval.data.folder import FolderSource
from towereval.data.hub import HubSource
from towereval.diagnosis import Diagnosis
from towereval.errors import UnknownName, UsageError
from towereval.judging import JudgePlan
from towereval.provenance import describe
from towereval.subject import Subject, find_subject
from towereval.types import LearnedMetric, Source, Task, digest

# Bytes; file systems take 255.
LONGEST_NAME = 200
SAMPLES = Path(__file__).parent / "data" / "samples"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one `towereval run` is asked to do.

    `locked`: data and model must be those of the manifest `like`, or else of this run's last start.
    """

    model: str
    tasks: tuple[str, ...]
    languages: tuple[str, ...] = ()
    limit: int | None = None
    split: str = "full"
    engine: str = "vllm"
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Path] = field(default_factory=dict)
    output: Path = Path("results")
    fresh: bool = False
    seed: int = 0
    predict_only: bool = False
    verify_determinism: int = 0
    retries: int = 0
    locked: bool = False
    like: Mapping[str, Any] = field(default_factory=dict)
    judge: JudgePlan = field(default_factory=JudgePlan)
    checkpoints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settled:
    """A plan whose tasks, model, data and folder are found; nothing is read or written yet."""

    tasks: Sequence[Task]
    subject: Subject
    sources: Mapping[str, Source]
    manifest: Mapping[str, Any]
    folder: Path


def settle(plan: Plan) -> Settled:
    """Raises `TowerevalError` for all that can be known to be wrong before anything is asked."""
    tasks = chosen_tasks(plan)
    subject = find_subject(plan.model, plan.engine, plan.engine_args)
    sources = {task.name: source_of(plan, task) for task in tasks}
    manifest = _manifest(plan, tasks, subject)
    return Settled(tasks, subject, sources, manifest, _folder(plan, manifest))


def chosen_tasks(plan: Plan) -> list[Task]:
    """The plan's tasks, checked before anything is loaded. Raises `UsageError`."""
    tasks = [_seeded(plugins.load_task(reference), plan.seed) for reference in plan.tasks]
    names = [task.name for task in tasks]
    for name in {name for name in names if names.count(name) > 1}:
        raise UsageError(f"{name} is named twice: one variant of a task a run")
    for name in plan.data:
        if name not in names:
            raise UsageError(f"--data {name}=... but {name} is not among the tasks of this run")
        if plan.split == "sample":
            raise UsageError(f"--data {name}=... and --split sample exclude each other")
    offered = {language for task in tasks for language in task.languages}
    languages.select(plan.languages, sorted(offered))
    learned = {m.name for task in tasks for m in task.metrics if isinstance(m, LearnedMetric)}
    for name in plan.checkpoints:
        if name not in learned:
            raise UnknownName("learned metric", name, learned)
    named = languages.expand(plan.languages)
    kind = engines.find(plan.engine)
    for task in tasks:
        if named and not set(named) & set(task.languages):
            has = ", ".join(task.languages)
            raise UsageError(f"{task.name} has none of the languages asked for; it has {has}")
        if lacking := task.needs - kind.capabilities:
            raise UsageError(f"{task.name} needs {', '.join(lacking)}, which {kind.name} has not")
    return tasks


def _seeded(task: Task, seed: int) -> Task:
    """A diagnosis draws its wrong pictures by the run's seed."""
    return replace(task, seed=seed) if isinstance(task, Diagnosis) else task


def source_of(plan: Plan, task: Task) -> Source:
    """Where the plan has a task's data from; nothing is read yet. Raises `UsageError`."""
    if task.name in plan.data:
        folder = plan.data[task.name]
        if not folder.is_dir():
            raise UsageError(f"--data {task.name}={folder}: no such folder")
        return FolderSource(folder)
    if plan.split == "sample":
        return FolderSource(SAMPLES / task.name)
    return HubSource(task.name)


def origin(plan: Plan, name: str, source: Source) -> dict[str, Any]:
    """Where a task's data are from, for the manifest."""
    if isinstance(source, HubSource):
        return {"source": "hub", "commits": source.commits}
    return {"source": str(plan.data[name]) if name in plan.data else "the bundled sample split"}


def _manifest(plan: Plan, tasks: Sequence[Task], subject: Subject) -> dict[str, Any]:
    return {
        "model": plan.model,
        "split": plan.split,
        "languages": list(plan.languages),
        "limit": plan.limit,
        "seed": plan.seed,
        "tasks": [described(task) for task in tasks],
        "engine": subject.kind.name,
        "command": _command(plan),
        "respondent": dict(subject.description),
        "respondent_digest": subject.respondent,
        "towereval": __version__,
        "environment": describe(),
        "started": now(),
    }


def described(task: Task) -> dict[str, Any]:
    """A task as a manifest names it."""
    return {
        "name": task.name,
        "variant": task.variant,
        "version": task.version,
        "metrics": [metric.signature for metric in task.metrics],
    }


def _command(plan: Plan) -> dict[str, Any]:
    """The options that make this plan again, as `towereval run --from-manifest` reads them."""
    return {
        "model": plan.model,
        "tasks": list(plan.tasks),
        "languages": list(plan.languages),
        "limit": plan.limit or 0,
        "split": plan.split,
        "engine": plan.engine,
        "engine_args": dict(plan.engine_args),
        "data": {name: str(path.resolve()) for name, path in plan.data.items()},
        "seed": plan.seed,
        "judge": plan.judge.model,
        "judge_engine": plan.judge.engine,
        "judge_engine_args": dict(plan.judge.engine_args),
        "checkpoint": dict(plan.checkpoints),
    }


def _folder(plan: Plan, manifest: Mapping[str, Any]) -> Path:
    """The same plan and model give the same folder, so the command resumes; `fresh` a new one."""
    identity = {
        key: manifest[key]
        for key in ("model", "split", "limit", "seed", "engine", "respondent_digest")
    }
    # In whatever order they were named: the answers are the same.
    identity["languages"] = sorted(set(manifest["languages"]))
    identity["tasks"] = sorted(
        [task["name"], task["variant"], task["version"]] for task in manifest["tasks"]
    )
    identity["data"] = {name: str(path.resolve()) for name, path in plan.data.items()}
    stem = f"{plan.split}-{digest(identity)[:10]}"
    parent = plan.output / folder_name(plan.model)
    earlier = sorted(
        (int(match[1] or 1), path)
        for path in parent.glob(f"{stem}*")
        if (match := re.fullmatch(rf"{stem}(?:-(\d+))?", path.name))
    )
    if not earlier:
        return parent / stem
    number, latest = earlier[-1]
    return parent / f"{stem}-{number + 1}" if plan.fresh else latest


def folder_name(model: str) -> str:
    """A model's name, hub id or path as one folder's name."""
    folder = os.path.isdir(model)  # noqa: PTH112 Path's raises where a name is too long
    name = Path(model).resolve().name if folder else model
    found = re.sub(r"[^\w.@+-]+", "--", name).strip("-.") or "model"
    if len(found.encode()) <= LONGEST_NAME:
        return found
    start = found.encode()[: LONGEST_NAME - 11].decode(errors="ignore")
    return f"{start}-{digest(model)[:10]}"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
