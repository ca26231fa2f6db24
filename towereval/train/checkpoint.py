"""Checkpoints: weights, optimizer and where training is, whole or not there at all.

A checkpoint is written beside its place, synced, and then given its name: a folder that is named
`step-00000400` is whole. Nothing in it is pickled.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from towereval.errors import StoreError, UsageError

WEIGHTS, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


@dataclass(frozen=True, slots=True)
class State:
    """Where training is: `step` of the stage's `steps` are done.

    `recipe` and `data` are digests: of the settings, and of the stage's files.
    """

    recipe: str
    stage: str
    step: int
    steps: int
    data: str = ""
    examples: int = 0
    tokens: int = 0
    too_long: int = 0
    flops: float = 0.0
    seconds: float = 0.0


def save(folder: Path, model: Any, optimizer: torch.optim.Optimizer | None, state: State) -> Path:
    """Write a checkpoint of a stage in place of its earlier ones. Raises `StoreError`.

    Where that fails, by a full disk say, the earlier ones are as they were.
    """
    target = folder / f"step-{state.step:08d}"
    temporary = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(mkdtemp(prefix=".writing-", dir=folder))
        save_file(_weights(model), temporary / WEIGHTS)
        save_file(_moments(model, optimizer), temporary / OPTIMIZER)
        (temporary / STATE).write_text(json.dumps(asdict(state), indent=2) + "\n")
        for file in temporary.iterdir():
            _sync(file)
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        _sync(folder)
    # The library says a full disk in an error of its own.
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{target}: the checkpoint cannot be written: {error}") from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
    for earlier in _steps(folder):
        if earlier != target:
            shutil.rmtree(earlier, ignore_errors=True)
    return target


def latest(folder: Path) -> Path | None:
    """A stage's last whole checkpoint."""
    return max(_steps(folder), default=None)


def read_state(checkpoint: Path, recipe: str, data: str = "") -> State:
    """Raises `UsageError` where recipe or data are others, `StoreError` where it is unreadable."""
    try:
        state = State(**json.loads((checkpoint / STATE).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise StoreError(f"{checkpoint / STATE} cannot be read: {error}") from error
    if state.recipe != recipe:
        raise UsageError(
            f"{checkpoint} is of another recipe or other settings (digest {state.recipe[:12]}, not"
            f" {recipe[:12]}): give those it was begun with, or another --output"
        )
    if data and state.data != data:
        raise UsageError(
            f"{checkpoint} was trained on other files than {state.stage} has now: give those it was"
            " begun with, or another --output"
        )
    return state


def load(checkpoint: Path, model: Any, optimizer: torch.optim.Optimizer | None = None) -> None:
    """Put weights, and the optimizer's moments, where they were. Raises `StoreError`."""
    try:
        weights = load_file(checkpoint / WEIGHTS)
        moments = load_file(checkpoint / OPTIMIZER) if optimizer is not None else {}
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{checkpoint} cannot be read: {error}") from error
    own = dict(model.named_parameters())
    if weights.keys() != own.keys():
        odd = ", ".join(sorted(weights.keys() ^ own.keys())[:3])
        raise StoreError(f"{checkpoint} is of another model: {odd}")
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(weights[name])
    if optimizer is not None:
        _restore(model, optimizer, moments)


def _weights(model: Any) -> dict[str, Tensor]:
    # Parameters, not the state's dictionary: tied weights are there once.
    return {name: value.detach().contiguous() for name, value in model.named_parameters()}


def _moments(model: Any, optimizer: torch.optim.Optimizer | None) -> dict[str, Tensor]:
    state = optimizer.state if optimizer is not None else {}
    return {
        f"{name}/{key}": value.detach().contiguous()
        for name, parameter in model.named_parameters()
        for key, value in state.get(parameter, {}).items()
    }


def _restore(model: Any, optimizer: torch.optim.Optimizer, moments: Mapping[str, Tensor]) -> None:
    own = dict(model.named_parameters())
    for path, value in moments.items():
        name, _, key = path.rpartition("/")
        optimizer.state[own[name]][key] = value.clone()


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
