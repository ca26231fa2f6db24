"""`towereval convert`: by hand what `prepare` does before a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from towereval.errors import UsageError


def convert(
    checkpoint: Annotated[str, typer.Argument(help="A model's name, a folder or a hub id.")],
    output: Annotated[Path, typer.Option(help="The folder that is written.")],
    image_scale: Annotated[
        Literal["fold", "keep"] | None,
        typer.Option(help="A Gemma2 LLaVA's: fold it (trained before transformers 5.4) or not."),
    ] = None,
) -> None:
    """Write a checkpoint as today's libraries must have it, marked in its config."""
    if output.exists():
        raise UsageError(f"--output {output}: already exists")
    from towereval import checkpoints, mending, plugins

    _, found = plugins.find_model(checkpoint)
    if not found.repo:
        raise UsageError(f"{checkpoint} is built on this machine: there is nothing to convert")
    folder = checkpoints.fetch(found)
    checkpoints.check(folder)
    mends = mending.find_mends(folder, image_scale or "")
    if image_scale and mending.SCALE not in [mend.name for mend in mends]:
        done = "; ".join(mending.changes(folder)) or "it is no Gemma2 LLaVA"
        raise UsageError(f"{checkpoint} has no image scale to decide: {done}")
    mending.write(folder, output, mends)
    for line in mending.changes(output):
        print(line)
    print(f"{len(mends) or 'nothing'} mended: {output}")
