"""Where a run's reports go besides its log of JSON lines, which is the record.

TensorBoard's files are below OUTPUT/tensorboard, one folder a stage, since a stage counts its steps
from one. Weights & Biases gets the same under the stage's name, against that stage's own steps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from towereval.errors import MissingExtra, UnknownName, UsageError
from towereval.train.loop import Report

NAMES = ("auto", "tensorboard", "wandb", "none")


class Tracker(Protocol):
    def tell(self, report: Report) -> None: ...

    def close(self) -> None: ...


class Nobody:
    def tell(self, report: Report) -> None:
        pass

    def close(self) -> None:
        pass


class TensorBoard:
    """Losses by source, learning rate, speed and fill; written by a thread of its own."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = folder
        self._open: Callable[..., Any] = SummaryWriter
        self._writers: dict[str, Any] = {}

    def tell(self, report: Report) -> None:
        """A run that goes on from a checkpoint takes back what was told of later steps."""
        if report.stage not in self._writers:
            place = self._folder / report.stage
            self._writers[report.stage] = self._open(str(place), purge_step=report.step)
        for name, value in _values(report).items():
            self._writers[report.stage].add_scalar(name, value, report.step)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


class WeightsAndBiases:
    """A run of theirs for each start, grouped by the output folder: nothing that was told is taken
    back, so steps done twice after a resume stand in two runs.

    Reads its key where it always does, or writes below the folder with WANDB_MODE=offline.
    """

    def __init__(self, folder: Path) -> None:
        import wandb

        self._error: type[Exception] = wandb.Error
        self._stages: set[str] = set()
        settings = wandb.Settings(console="off", silent=True)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            self._run: Any = wandb.init(
                project="towereval", group=folder.name, dir=str(folder), settings=settings
            )
        except wandb.Error as error:
            why = " ".join(str(error).split())
            cure = "run: wandb login, or set WANDB_MODE=offline"
            raise UsageError(f"wandb cannot start: {why}; {cure}") from error

    def tell(self, report: Report) -> None:
        try:
            if report.stage not in self._stages:
                step = f"{report.stage}/step"
                self._run.define_metric(step, hidden=True)
                self._run.define_metric(f"{report.stage}/*", step_metric=step)
                self._stages.add(report.stage)
            values = {"step": report.step, **_values(report)}
            self._run.log({f"{report.stage}/{name}": value for name, value in values.items()})
        except self._error as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        self._run.finish()


def _values(report: Report) -> dict[str, float]:
    return {
        **{f"loss/{source}": loss for source, loss in report.losses.items()},
        "learning_rate": report.learning_rate,
        "fill": report.fill,
        "tokens_per_second": report.tokens_per_second,
        "loader_wait": report.loader_wait,
    }


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Callable[[Report], None]]:
    """Tells a tracker; one that fails is told no more, and the run goes on.

    "auto" is TensorBoard where it is installed. Raises `UnknownName`, `MissingExtra` where what was
    asked for by name is not installed, and `UsageError` where W&B has no key.
    """
    tracker = _made(name, folder)
    failed = False

    def tell(report: Report) -> None:
        nonlocal failed
        if failed:
            return
        try:
            tracker.tell(report)
        except OSError as error:
            failed = True
            print(f"{folder}: the tracker is told no more: {error}", file=sys.stderr)

    try:
        yield tell
    finally:
        try:
            tracker.close()
        except OSError as error:
            print(f"{folder}: the tracker lost its last reports: {error}", file=sys.stderr)


def _made(name: str, folder: Path) -> Tracker:
    if name not in NAMES:
        raise UnknownName("tracker", name, NAMES)
    if name == "none":
        return Nobody()
    if name == "wandb":
        try:
            return WeightsAndBiases(folder)
        except ImportError as error:
            raise MissingExtra("wandb", "wandb") from error
    try:
        return TensorBoard(folder / "tensorboard")
    except ImportError as error:
        if name == "auto":
            return Nobody()
        raise MissingExtra("tensorboard", "train") from error
