"""`towereval tasks` and `towereval models`: what there is; listing tasks imports none of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from towereval import mending, plugins
from towereval.checkpoints import check, on_this_machine
from towereval.cli import completion
from towereval.errors import ModelError
from towereval.types import Checkpoint, Task


def tasks(
    name: Annotated[
        str, typer.Argument(help="Show this one.", autocompletion=completion.task)
    ] = "",
) -> None:
    """List the benchmarks, or show one: variants, languages, metrics."""
    if not name:
        _list(plugins.names("tasks"))
        return
    if name.startswith("lmms:"):
        _show_theirs(name)
        return
    for task in plugins.load_tasks(name):
        _show(task)
    print(f"  file: {plugins.names('tasks')[name]}")


def _show(task: Task) -> None:
    print(f"{task.name}@{task.variant} (version {task.version})")
    print(f"  languages: {' '.join(task.languages)}")
    for metric in task.metrics:
        print(f"  metric: {metric.signature}")


def _show_theirs(name: str) -> None:
    """A task of lmms-eval, or those of a group or tag."""
    from towereval.bridges.lmms_tasks import load_task, named

    for reference in named(name):
        task = load_task(reference.partition(":")[2])
        _show(task)
        for file in task.about.files:
            if file.endswith(".yaml"):
                print(f"  file: {file}")


def models(
    name: Annotated[
        str, typer.Argument(help="Show this one.", autocompletion=completion.model)
    ] = "",
) -> None:
    """List the models, or show one: checkpoint, limits, engine arguments, mends."""
    if not name:
        found = [each for adapter in plugins.adapters() for each in adapter.checkpoints.items()]
        width = max((len(model) for model, _ in found), default=0)
        for model, checkpoint in found:
            notes = (
                "remote code" * checkpoint.remote_code,
                "no engine" * bool(checkpoint.unserved),
            )
            note = "".join(f"  ({note})" for note in notes if note)
            print(f"{model:{width}} {checkpoint.repo or 'built on this machine'}{note}")
        for error in plugins.broken_adapters().values():
            print(error)
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
        ("frames a clip", f"{checkpoint.frames}, at uniform distance"),
        ("engines", " ".join(checkpoint.engines) or "all"),
        ("engine arguments", dict(checkpoint.engine_args) or "none"),
        ("remote code", "needed: --trust-remote-code" if checkpoint.remote_code else "none"),
        ("prepare", _prepared(checkpoint)),
        ("about", plugins.summary(plugins.names("model_adapters")[adapter.name])),
    ):
        print(f"  {label}: {value}")
    if checkpoint.unserved:
        print(f"  no engine: {checkpoint.unserved}")


def _prepared(checkpoint: Checkpoint) -> str:
    """What `prepare` would do, where the files are here to be looked at."""
    folder = on_this_machine(checkpoint)
    if folder is None and checkpoint.repo:
        return f"not on this machine yet; would look for {', '.join(mending.NAMES)}"
    if folder is None:
        return "built from a seed"
    check(folder)
    try:
        mends = mending.find_mends(folder)
    except ModelError as error:
        return f"refused: {error}"
    would = [f"{mend.name} ({mend.detail})" for mend in mends]
    return "; ".join([*would, *mending.changes(folder)]) or "nothing to mend"


def _list(files: dict[str, Path]) -> None:
    width = max(map(len, files), default=0)
    for name, file in files.items():
        print(f"{name:{width}} {plugins.summary(file)}")
