"""Where a run's reports go besides its log of JSON lines, which is the record.

TensorBoard's files are below OUTPUT/tensorboard, one folder a stage, since a stage counts its steps
from one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from towereval.errors import MissingExtra, UnknownName
from towereval.train.loop import Report

NAMES = ("auto", "tensorboard", "none")


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
        values = {f"loss/{source}": loss for source, loss in report.losses.items()}
        values["learning_rate"] = report.learning_rate
        values["fill"] = report.fill
        values["tokens_per_second"] = report.tokens_per_second
        values["loader_wait"] = report.loader_wait
        for name, value in values.items():
            self._writers[report.stage].add_scalar(name, value, report.step)

    def close(self) -> None:
        for writer in self._writers.values():
            writer.close()


@contextmanager
def opened(name: str, folder: Path) -> Iterator[Callable[[Report], None]]:
    """Tells a tracker; one that fails is told no more, and the run goes on.

    "auto" is TensorBoard where it is installed. Raises `UnknownName`, or `MissingExtra` where
    what was asked for by name is not installed.
    """
    tracker = _made(name, folder / "tensorboard")
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
    try:
        return TensorBoard(folder)
    except ImportError as error:
        if name == "auto":
            return Nobody()
        raise MissingExtra("tensorboard", "train") from error
