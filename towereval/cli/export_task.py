"""`towereval export-task`: a task as a folder that another harness runs."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from towereval.cli import options
from towereval.errors import UsageError


class Harness(StrEnum):
    LMMS_EVAL = "lmms-eval"


def export_task(
    task: Annotated[str, typer.Argument(help="A name of `towereval tasks`, as a or a@variant.")],
    output: Annotated[Path, typer.Option(help="A folder; the task gets one of its own below it.")],
    format: Annotated[Harness, typer.Option(help="Whose format.")],  # noqa: A002
    languages: Annotated[str, typer.Option(help="Codes or groups, as de,core,tier:T3.")] = "",
    split: Annotated[str, typer.Option(help="full, or sample: the small bundled one.")] = "full",
    data: Annotated[list[str] | None, typer.Option(help="A local data set, as TASK=PATH.")] = None,
) -> None:
    """Write a task as a folder that lmms-eval runs, with our prompts and scores."""
    from towereval.bridges.lmms_export import export_task as write
    from towereval.plan import Plan

    assert format is Harness.LMMS_EVAL
    if split not in ("full", "sample"):
        raise UsageError(f"--split is full or sample, not {split!r}")
    local = {name: Path(path) for name, path in options.pairs(data or (), "--data").items()}
    plan = Plan("", (task,), languages=options.names(languages), split=split, data=local)
    written = write(plan, output)
    for metric, reason in written.left_out.items():
        print(f"note: {metric} is left out: {reason}", file=sys.stderr)
    count = sum(written.counts.values())
    print(f"{written.folder}: {count} documents, {len(written.counts)} languages")
    print(f"--include_path {shlex.quote(str(output))} --tasks {written.name}")
