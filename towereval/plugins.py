"""Finds a task or a model adapter by name: the file's stem is the name.

Folders are searched in this order: those in TOWEREVAL_PATH, the checkout's, the wheel's. Listing
imports nothing; loading imports one file.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from inspect import getattr_static
from pathlib import Path
from typing import Any, get_args

from towereval.errors import TowerevalError, UnknownName, UsageError
from towereval.types import Better, Checkpoint, Metric, ModelAdapter, Task

PACKAGE = Path(__file__).parent
GENERIC = "generic"


def search_path(kind: str) -> list[str]:
    """Folders that hold plug-ins of a kind: "tasks" or "model_adapters".

    A folder named in TOWEREVAL_PATH holds `tasks/` and `model_adapters/` of its own.
    """
    own = [
        Path(folder) for folder in os.environ.get("TOWEREVAL_PATH", "").split(os.pathsep) if folder
    ]
    # The checkout has them beside the package, the wheel inside it.
    folders = [*(folder / kind for folder in own), PACKAGE.parent / kind, PACKAGE / kind]
    checkout = (PACKAGE.parent / "pyproject.toml").exists()
    return [str(f) for f in folders if f.is_dir() and (f.parent != PACKAGE.parent or checkout)]


def names(kind: str) -> dict[str, Path]:
    """Plug-in name -> file, sorted. The first folder of the search path wins."""
    found: dict[str, Path] = {}
    for folder in search_path(kind):
        for file in Path(folder).glob("*.py"):
            if not file.stem.startswith("_"):
                found.setdefault(file.stem, file)
    return dict(sorted(found.items()))


def summary(file: Path) -> str:
    """First paragraph of a plug-in's docstring, read without importing it."""
    try:
        docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
    except (OSError, SyntaxError, ValueError) as error:
        return f"cannot be read: {error}"
    return " ".join((docstring or "").partition("\n\n")[0].split())


def load_tasks(name: str) -> tuple[Task, ...]:
    """All variants of a benchmark, the default first."""
    if name not in names("tasks"):
        raise UnknownName("task", name, names("tasks"))
    file = names("tasks")[name]
    variants: tuple[Task, ...] = _load("tasks", name, "variants")
    if not isinstance(variants, tuple):
        raise UsageError(f"{file}: variants is no tuple; write: variants = (MyTask(),)")
    for task in variants:
        _check(file, task, Task)
        if task.name != name:
            raise UsageError(f"{file}: the task is called {task.name!r}; it must be {name!r}")
        for metric in task.metrics:
            _check(file, metric, Metric)
            if metric.better not in get_args(Better):
                ways = ", ".join(get_args(Better))
                raise UsageError(f"{file}: {metric.name}: better is {metric.better!r}, not {ways}")
    return variants


def load_task(reference: str) -> Task:
    """`NAME` or `NAME@VARIANT`, with `+picture-use` or `+wrong-picture` the diagnosis of it.

    `HARNESS:REST` is a task of another harness: `bridges/HARNESS_tasks.py` is given the rest.
    """
    harness, colon, rest = reference.partition(":")
    if colon and (PACKAGE / "bridges" / f"{harness}_tasks.py").is_file():
        borrowed: Task = importlib.import_module(f"towereval.bridges.{harness}_tasks").load_task(
            rest
        )
        return borrowed
    asked, plus, diagnosis = reference.partition("+")
    name, _, variant = asked.partition("@")
    tasks = load_tasks(name)
    task = next((task for task in tasks if task.variant == variant), tasks[0])
    if variant and task.variant != variant:
        raise UnknownName(f"variant of {name}", variant, [task.variant for task in tasks])
    return _diagnosis(task, diagnosis) if plus else task


def _diagnosis(task: Task, name: str) -> Task:
    from towereval import picture_use, wrong_picture

    if name == picture_use.NAME:
        return picture_use.PictureUse(task)
    if name == wrong_picture.NAME:
        return wrong_picture.WrongPicture(task)
    raise UnknownName("diagnosis", name, [picture_use.NAME, wrong_picture.NAME])


def load_metric(reference: str, name: str) -> Metric:
    """A task's metric, `reference` as for `load_task`. Raises `UsageError` where it is not here."""
    metrics = {metric.name: metric for metric in load_task(reference).metrics}
    if name not in metrics:
        raise UnknownName(f"metric of {reference}", name, metrics)
    return metrics[name]


def load_adapter(name: str) -> ModelAdapter:
    adapter: ModelAdapter = _load("model_adapters", name, "adapter")
    _check(names("model_adapters")[name], adapter, ModelAdapter)
    return adapter


def adapters() -> Iterator[ModelAdapter]:
    """All that can be imported: a broken file is told of when it is named."""
    for name in names("model_adapters"):
        with suppress(UsageError):
            yield load_adapter(name)


def broken_adapters() -> dict[str, UsageError]:
    """Adapter name -> why its file cannot be imported."""
    found = {}
    for name in names("model_adapters"):
        try:
            load_adapter(name)
        except UsageError as error:
            found[name] = error
    return found


def find_model(name: str) -> tuple[ModelAdapter, Checkpoint]:
    """The adapter and checkpoint behind a model's name, a folder's path or a hub id.

    A folder or hub id is asked for in the generic way, by its processor's own chat template, unless
    an adapter claims it: `ADAPTER:PATH` names the adapter. `NAME@REVISION` is another revision of a
    checkpoint on the hub.
    """
    if any(len(os.fsencode(part)) > 255 for part in name.split("/")):
        raise UsageError(f"model {name[:40]!r}...: no folder and no hub id has so long a name")
    model, at, revision = name.rpartition("@")
    if at and model and revision and not Path(name).exists():
        adapter, checkpoint = find_model(model)
        if Path(checkpoint.repo).is_dir() or not checkpoint.repo:
            raise UsageError(f"{name}: a folder has no revisions")
        return adapter, dataclasses.replace(checkpoint, revision=revision)
    for adapter in adapters():
        if name in adapter.checkpoints:
            return adapter, adapter.checkpoints[name]
    family, colon, repo = name.partition(":")
    if colon and family in names("model_adapters"):
        adapter = load_adapter(family)
        like = next(iter(adapter.checkpoints.values()), Checkpoint(repo, dtype="auto"))
        # Somebody's own checkpoint may be in another format than the family's first.
        own = dataclasses.replace(like, repo=repo, revision="main", unserved="")
        return adapter, own
    if Path(name).is_dir() or re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        for adapter in adapters():
            for checkpoint in adapter.checkpoints.values():
                if checkpoint.repo == name:
                    return adapter, checkpoint
        return load_adapter(GENERIC), Checkpoint(name, dtype="auto")
    known = [checkpoint for adapter in adapters() for checkpoint in adapter.checkpoints]
    unknown = UnknownName("model", name, known)
    for error in broken_adapters().values():  # which may be the one that has it
        raise UsageError(f"{unknown}; {error}")
    raise unknown


def _load(kind: str, name: str, noun: str) -> Any:
    """What a plug-in's file calls `noun`; a user's file may fail in any way."""
    file = names(kind).get(name, name)
    try:
        module = importlib.import_module(f"towereval.{kind}.{name}")
    except TowerevalError:
        raise
    except Exception as error:
        raise UsageError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    if not getattr(module, noun, None):
        raise UsageError(f"{file} defines no {noun!r}")
    return getattr(module, noun)


def _check(file: Path, found: object, protocol: type) -> None:
    """That a user's object has what it must have. Raises `UsageError` with what is missing."""
    name = getattr(found, "__name__", type(found).__name__)
    if isinstance(found, type):
        raise UsageError(f"{file}: {name} is a class; write: {name}()")
    wanted = [member for member in vars(protocol) if not member.startswith("_")]
    # Not by hasattr: a property may import what takes seconds.
    missing = [member for member in wanted if getattr_static(found, member, None) is None]
    if missing:
        raise UsageError(
            f"{file}: {name} has no {', '.join(missing)}: see {protocol.__name__} in"
            " towereval/types.py"
        )
