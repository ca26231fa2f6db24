"""`towereval tasks` and `towereval models`: what there is; listing tasks imports none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from towereval import plugins


def tasks(name: Annotated[str, typer.Argument(help="Show this one.")] = "") -> None:
    """List the benchmarks, or show one: variants, languages, metrics."""
    if not name:
        _list(plugins.names("tasks"))
        return
    for task in plugins.load_tasks(name):
        print(f"{task.name}@{task.variant} (version {task.version})")
        print(f"  languages: {' '.join(task.languages)}")
        for metric in task.metrics:
            print(f"  metric: {metric.signature}")
    print(f"  file: {plugins.names('tasks')[name]}")


def models(name: Annotated[str, typer.Argument(help="Show this one.")] = "") -> None:
    """List the models, or show one: checkpoint, limits, engine arguments."""
    if not name:
        for adapter in plugins.adapters():
            for model, checkpoint in adapter.checkpoints.items():
                print(f"{model:20} {checkpoint.repo or 'built on this machine'}")
        print("or any hub id or folder with a config.json")
        return
    adapter, checkpoint = plugins.find_model(name)
    print(f"{name} (adapter {adapter.name} {adapter.version})")
    reads = "pictures and clips" if checkpoint.reads_video else "pictures; clips as frames"
    for label, value in (
        ("checkpoint", checkpoint.repo or "built on this machine"),
        ("revision", checkpoint.revision),
        ("licence", checkpoint.licence or "see its page"),
        ("precision", checkpoint.dtype),
        ("context", f"{checkpoint.context_length or 'the model configuration says'}"),
        ("reads", reads),
        ("pictures a prompt", checkpoint.images),
        ("frames a clip", checkpoint.frames),
        ("engine arguments", dict(checkpoint.engine_args) or "none"),
    ):
        print(f"  {label}: {value}")


def _list(files: dict[str, Path]) -> None:
    for name, file in files.items():
        print(f"{name:14} {plugins.summary(file)}")
