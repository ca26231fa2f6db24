"""`towereval analyse`: what lies behind a model's numbers."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from towereval.cli import options
from towereval.errors import UsageError

app = typer.Typer(help="Look behind a model's numbers.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look behind a model's numbers."""


@app.command("modality-gap")
def modality_gap(
    model: Annotated[str, typer.Option(help="A name of `towereval models`, a path or a hub id.")],
    task: Annotated[str, typer.Option(help="One with references, as multi30k.")],
    output: Annotated[Path, typer.Option(help="The folder for numbers and plot.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many pictures.")] = 500,
    languages: Annotated[str, typer.Option(help="Codes or groups, as de,fr or core.")] = "",
    split: Annotated[str, typer.Option(help="full, or sample: the small bundled one.")] = "full",
    engine_args: Annotated[
        list[str] | None, typer.Option(help="For transformers, as k=v,..")
    ] = None,
    data: Annotated[list[str] | None, typer.Option(help="A local data set, as TASK=PATH.")] = None,
    seed: Annotated[int, typer.Option(help="For the probe's folds and t-SNE.")] = 0,
) -> None:
    """Measure and draw how far picture features lie from text embeddings."""
    from towereval.cli.console import Progress, quiet_libraries
    from towereval.modality_gap import analyse
    from towereval.plan import Plan

    if split not in ("full", "sample"):
        raise UsageError(f"--split is full or sample, not {split!r}")
    if len(named := options.names(task)) != 1:
        raise UsageError(f"--task is one task, not {task!r}")
    plan = Plan(
        model=model,
        tasks=named,
        languages=options.names(languages),
        split=split,
        engine="transformers",
        engine_args=options.values(engine_args or (), "--engine-args"),
        data={key: Path(path) for key, path in options.pairs(data or (), "--data").items()},
        seed=seed,
    )
    quiet_libraries()
    with closing(Progress()) as progress:
        found = analyse(plan, limit, output, progress)
    print(f"{found.pairs} pictures and texts, {found.dimensions} features of length 1")
    print(f"centroid distance   {found.centroid_distance:.3f}  (0 to 2)")
    print(
        f"neighbour mixing    {found.neighbour_mixing:.3f}  (of {found.neighbours} nearest;"
        f" {found.mixing_by_chance:.3f} where the two are alike)"
    )
    print(f"probe accuracy      {found.probe_accuracy:.3f}  (0.5 where the two are alike)")
    print(output / "modality-gap.json")
