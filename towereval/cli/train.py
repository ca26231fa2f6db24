"""`towereval train`: a recipe's stages, one after another, to a folder that `run --model` takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from towereval.cli import options
from towereval.errors import MissingExtra, UsageError


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or its YAML file.")],
    stage: Annotated[int | None, typer.Option(help="This stage alone: 1, 2 or 3.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, as stages.stage1.steps=10.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where all goes; trained/RECIPE by default.")
    ] = None,
) -> None:
    """Train a model by a recipe, on a CPU; the same command with --resume goes on."""
    try:
        from towereval.train import recipe_files as recipes
        from towereval.train import recipe_run
        from towereval.train.loop import Report
    except ImportError as error:
        raise MissingExtra(str(error.name), "train") from error
    read = recipes.load(recipes.find(recipe), options.values(settings or [], "--set"))
    if stage is not None and not 1 <= stage <= 3:
        raise UsageError(f"--stage {stage}: there are stages 1, 2 and 3")
    target = output or Path("trained") / read.name

    def say(report: Report) -> None:
        losses = "  ".join(f"{source} {loss:.3f}" for source, loss in report.losses.items())
        speed = f"{report.tokens_per_second:.0f} tokens/s" if report.tokens_per_second else ""
        print(f"{report.stage} {report.step}/{report.steps}  {losses}  {speed}", flush=True)

    name = f"stage{stage}" if stage is not None else ""
    folder = recipe_run.train(read, target, name, resume=resume, say=say)
    print(f"trained: towereval run --model {folder} --tasks ...")
