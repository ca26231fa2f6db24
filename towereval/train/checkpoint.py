"""Checkpoints: weights, optimizer and where training is, whole or not there at all.

A checkpoint is written beside its place, synced, and then given its name: a folder that is named
`step-00000400` is whole. Every process writes the rows it holds into files of its own, and reads
those it wants from whichever files have them, so that another number of processes can go on. Not
torch's distributed checkpoint, whose metadata are pickled: nothing here is.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

from towereval.errors import StoreError, UsageError
from towereval.train.processes import Processes

WEIGHTS, OPTIMIZER, STATE = "model", "optimizer", "state.json"
ALONE = Processes()


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


def save(
    folder: Path,
    model: Any,
    optimizer: torch.optim.Optimizer | None,
    state: State,
    processes: Processes = ALONE,
) -> Path:
    """Write a checkpoint of a stage in place of its earlier ones. Raises `StoreError`.

    Where that fails, by a full disk say, the earlier ones are as they were.
    """
    target = folder / f"step-{state.step:08d}"
    temporary: Path | None = None
    error = ""
    try:
        if processes.first:
            folder.mkdir(parents=True, exist_ok=True)
            for left in folder.glob(".writing-*"):  # by a process that was killed
                shutil.rmtree(left, ignore_errors=True)
            temporary = Path(mkdtemp(prefix=".writing-", dir=folder))
    except OSError as fault:
        error = f"{target}: the checkpoint cannot be written: {fault}"
    processes.agree(error)
    place = next(told for told in processes.gathered(temporary) if told is not None)
    try:
        error = _write(place, model, optimizer, state, processes)
        processes.agree(f"{target}: the checkpoint cannot be written: {error}" if error else "")
        if processes.first:
            try:
                shutil.rmtree(target, ignore_errors=True)
                place.rename(target)
                _sync(folder)
            except OSError as fault:
                error = f"{target}: the checkpoint cannot be written: {fault}"
        processes.agree(error)
    finally:
        if processes.first:
            shutil.rmtree(place, ignore_errors=True)
    if processes.first:
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
        weights = _Rows(checkpoint, WEIGHTS)
        own = dict(model.named_parameters())
        if weights.names != own.keys():
            odd = ", ".join(sorted(weights.names ^ own.keys())[:3])
            raise StoreError(f"{checkpoint} is of another model: {odd}")
        with torch.no_grad():
            for name, parameter in own.items():
                first, end = held_rows(parameter)
                local(parameter).copy_(weights.rows(name, first, end))
        if optimizer is not None:
            _restore(own, optimizer, _Rows(checkpoint, OPTIMIZER))
    except (OSError, SafetensorError) as error:
        raise StoreError(f"{checkpoint} cannot be read: {error}") from error


def _write(
    place: Path,
    model: Any,
    optimizer: torch.optim.Optimizer | None,
    state: State,
    processes: Processes,
) -> str:
    """This process's files; what went wrong, if anything."""
    part = f"-{processes.rank:05d}" if processes.world > 1 else ""
    try:
        _write_rows(place / f"{WEIGHTS}{part}.safetensors", dict(model.named_parameters()))
        _write_rows(place / f"{OPTIMIZER}{part}.safetensors", dict(_moments(model, optimizer)))
        if processes.first:
            (place / STATE).write_text(json.dumps(asdict(state), indent=2) + "\n")
            _sync(place / STATE)
    # The library says a full disk in an error of its own.
    except (OSError, SafetensorError) as error:
        return str(error) or type(error).__name__
    return ""


def _write_rows(file: Path, tensors: dict[str, Tensor]) -> None:
    # Parameters, not the state's dictionary: tied weights are there once.
    held = {name: held_rows(value) for name, value in tensors.items()}
    rows = {name: local(value).detach().contiguous() for name, value in tensors.items()}
    first = json.dumps({name: first for name, (first, _) in held.items()}, sort_keys=True)
    save_file(rows, file, {"first": first})
    _sync(file)


class _Rows:
    """Tensors of some kind in a checkpoint, whichever files hold their rows."""

    def __init__(self, checkpoint: Path, kind: str) -> None:
        self.files = []
        for file in sorted(checkpoint.glob(f"{kind}*.safetensors")):
            opened: Any = safe_open(file, "pt")
            first = json.loads(opened.metadata()["first"])
            self.files.append((opened, first))
        if not self.files:
            raise OSError(f"no {kind} in it")

    @property
    def names(self) -> set[str]:
        return {name for _, first in self.files for name in first}

    def rows(self, name: str, begin: int, end: int) -> Tensor:
        """Rows from `begin` to `end` of a tensor; one without rows is given whole."""
        found = []
        for opened, first in self.files:
            piece = opened.get_slice(name)
            if not piece.get_shape():
                whole: Tensor = opened.get_tensor(name)
                return whole
            start, count = first[name], piece.get_shape()[0]
            low, high = max(begin, start), min(end, start + count)
            if low < high:
                found.append(piece[low - start : high - start])
        return torch.cat(found) if found else opened.get_slice(name)[0:0]


def local(tensor: Tensor) -> Tensor:
    """What of it this process has."""
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def held_rows(tensor: Tensor) -> tuple[int, int]:
    """Which rows this process has: as FSDP2 deals them out, equally many but for the last."""
    if not isinstance(tensor, DTensor) or not tensor.shape:
        return 0, tensor.shape[0] if tensor.shape else 1
    each = -(-tensor.shape[0] // tensor.device_mesh.size())
    first = min(tensor.shape[0], each * tensor.device_mesh.get_local_rank())
    return first, first + local(tensor).shape[0]


def _moments(model: Any, optimizer: torch.optim.Optimizer | None) -> Iterator[tuple[str, Tensor]]:
    state = optimizer.state if optimizer is not None else {}
    for name, parameter in model.named_parameters():
        for key, value in state.get(parameter, {}).items():
            yield f"{name}/{key}", value


def _restore(own: dict[str, Any], optimizer: torch.optim.Optimizer, moments: _Rows) -> None:
    for path in sorted(moments.names):
        name, _, key = path.rpartition("/")
        parameter = own[name]
        rows = moments.rows(path, *held_rows(parameter)).clone()
        if isinstance(parameter, DTensor) and rows.shape:
            rows = DTensor.from_local(
                rows.to(local(parameter).device),
                parameter.device_mesh,
                parameter.placements,
                run_check=False,
                shape=parameter.shape,
                stride=parameter.stride(),
            )
        elif rows.shape:
            rows = rows.to(parameter.device)
        optimizer.state[parameter][key] = rows


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
