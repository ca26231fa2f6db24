"""`towereval train`: a recipe's stages, one after another, to a folder that `run --model` takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options
from towereval.errors import MissingExtra, UnknownName, UsageError

if TYPE_CHECKING:
    from towereval.train.recipe import Recipe


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name or its YAML file.")],
    stage: Annotated[int | None, typer.Option(help="This stage alone: 1, 2 or 3.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoints.")] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, as stages.stage1.steps=10.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, or auto: a GPU if any.")] = "auto",
    tracker: Annotated[
        str, typer.Option(help="tensorboard, wandb, none, or auto: TensorBoard if any.")
    ] = "auto",
    plan: Annotated[
        bool, typer.Option("--plan", help="Only tell steps, tokens, FLOPs and memory.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Where all goes; trained/RECIPE by default.")
    ] = None,
) -> None:
    """Train a model by a recipe; the same command with --resume goes on."""
    try:
        from towereval.train import recipe_files as recipes
        from towereval.train import recipe_run, trackers
        from towereval.train.loop import Report
        from towereval.train.processes import started
    except ImportError as error:
        raise MissingExtra(str(error.name), "train") from error
    read = recipes.load(recipes.find(recipe), options.values(settings or [], "--set"))
    if stage is not None and not 1 <= stage <= 3:
        raise UsageError(f"--stage {stage}: there are stages 1, 2 and 3")
    if device not in ("auto", "cpu", "cuda"):
        raise UnknownName("device", device, ("auto", "cpu", "cuda"))
    if plan:
        _tell_plan(read)
        return
    target = output or Path("trained") / read.name

    def say(report: Report) -> None:
        losses = "  ".join(f"{source} {loss:.3f}" for source, loss in report.losses.items())
        speed = f"{report.tokens_per_second:.0f} tokens/s" if report.tokens_per_second else ""
        print(f"{report.stage} {report.step}/{report.steps}  {losses}  {speed}", flush=True)

    name = f"stage{stage}" if stage is not None else ""
    with (
        started(device) as processes,
        trackers.opened(tracker if processes.first else "none", target) as tell,
    ):

        def hear(report: Report) -> None:
            say(report)
            tell(report)

        folder = recipe_run.train(read, target, name, resume=resume, say=hear, processes=processes)
    if processes.first:
        model, what = str(folder), "--tasks ..."
        if read.model.tiny is not None:  # which is shown four frames of a clip
            model, what = f"tiny:{folder}", f"--config {target / 'evaluation' / 'run.toml'}"
        print(f"trained: towereval run --model {model} {what}")


def _tell_plan(recipe: Recipe) -> None:
    from towereval.train import plan

    memory = "GB a GPU (of 1, of 8) with weights in float32  in bfloat16"
    print(f"stage  steps  examples  tokens  model FLOPs  H200 hours  trained  {memory}")
    for stage in plan.plan(recipe):
        sizes = [f"{value / 1e9:.0f}" for value in stage.memory.values()]
        print(
            f"{stage.stage}  {stage.steps:,}  {stage.examples:,}  {stage.tokens:.3g}"
            f"  {stage.flops:.3g}  {stage.gpu_hours:.1f}  {stage.trained:,}"
            f"  {', '.join(sizes[:2])}  {', '.join(sizes[2:])}"
        )
    print(
        f"assumed: {plan.SHARE:.0%} of {plan.PEAK / 1e12:.0f} TFLOP/s; pictures of 2 x 2 tiles"
        " where they are cut; 100 tokens asked and 200 answered, 600 without a picture"
    )
