"""A recipe from its first weights to folders that can be scored.

OUTPUT/untrained/    the first weights, as a model
OUTPUT/checkpoints/  one folder a stage, its last checkpoint
OUTPUT/log.jsonl     losses and speed; a step that was run twice stands there twice
OUTPUT/model/        the trained model
OUTPUT/evaluation/   held-out drawings in the formats of benchmarks, with the options of their runs
OUTPUT/examples.jsonl  the first drawings that each stage saw, as `towereval data` reads them
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from towereval.errors import UsageError
from towereval.train import (
    assemble,
    checkpoint,
    clips,
    evaluation,
    example_records,
    export,
    loop,
    tiny,
)
from towereval.train.checkpoint import State
from towereval.train.loop import Report
from towereval.train.model import picture_scale
from towereval.train.packing import Encoder
from towereval.train.processes import Processes
from towereval.train.recipe import Recipe

TOWER = "tower_stand_in"


def train(
    recipe: Recipe,
    output: Path,
    stage: str = "",
    *,
    resume: bool = False,
    say: Callable[[Report], None],
    processes: Processes = checkpoint.ALONE,
) -> Path:
    """Run all stages, or one and the stand-ins before it, and write the model. Its folder.

    Raises `UsageError` where there are checkpoints that it was not told to go on from, or none that
    the stage could begin at.
    """
    if stage and stage not in recipe.stages:
        raise UsageError(f"{recipe.name} has no {stage}; its stages: {', '.join(recipe.stages)}")
    names = list(recipe.stages)
    if stage:
        before = names[: names.index(stage)]
        names = [*(name for name in before if not name.startswith("stage")), stage]
    asked = [stage] if stage else names
    held = [name for name in asked if checkpoint.latest(output / "checkpoints" / name)]
    if held and not resume:
        raise UsageError(
            f"{output} has checkpoints of {', '.join(held)}: --resume goes on from them, another"
            " --output begins anew"
        )
    if processes.first:
        _tower(recipe, *_first_weights(recipe, output), output, say)
    processes.agree("")

    def first() -> Any:
        model, _ = _first_weights(recipe, output)
        if recipe.model.tiny is not None and recipe.model.tiny.tower_steps:
            checkpoint.load(_done(output, TOWER), model)
        return model

    processor = assemble.read_processor(output / "untrained")
    loop.run_stages(recipe, names, first, processor, output, say, processes)
    if processes.first:
        # From what is on disk, not from this process's share of the weights.
        model = first()
        loop.load_finished(recipe, names[-1], _done(output, names[-1]), model)
        scale = picture_scale(model, recipe.model.projector_output_scale)
        if recipe.stages[names[-1]].view == "clips":
            model, processor = clips.as_onevision(model, processor, processor.chat_template)
        card = _card(recipe, names[-1])
        export.write(model.eval(), processor, output / "model", scale, card)
        if recipe.model.tiny is not None:
            evaluation.write(output / "evaluation", recipe.seed)
        if all(source.drawn for stage in recipe.stages.values() for source in stage.data):
            example_records.write(output / "examples.jsonl", recipe, processor)
    processes.agree("")
    return output / "model"


def _done(output: Path, stage: str) -> Path:
    found = checkpoint.latest(output / "checkpoints" / stage)
    assert found is not None
    return found


def _first_weights(recipe: Recipe, output: Path) -> tuple[Any, Any]:
    """Built once; from then on read back, so that a later run begins with the very same."""
    folder = output / "untrained"
    if not folder.is_dir():
        model, processor = _built(recipe)
        export.write(model.eval(), processor, folder, 1.0, _card(recipe, ""))
        settings = json.dumps(dataclasses.asdict(recipe), indent=2)
        (output / "recipe.json").write_text(settings + "\n", encoding="utf-8")
    return assemble.read(folder)


def _built(recipe: Recipe) -> tuple[Any, Any]:
    if recipe.model.tiny is not None:
        return tiny.build(recipe.seed)
    if recipe.model.init_from:
        return assemble.read(Path(recipe.model.init_from))
    return assemble.assemble(recipe.model, recipe.seed)


def _tower(
    recipe: Recipe, model: Any, processor: Any, output: Path, say: Callable[[Report], None]
) -> None:
    """The tower's warm-up, or its result where it is done: it has no checkpoints within."""
    setting = recipe.model.tiny
    if setting is None or not setting.tower_steps:
        return
    folder = output / "checkpoints" / TOWER
    done = checkpoint.latest(folder)
    if done is not None:
        checkpoint.read_state(done, recipe.digest)
        return
    losses = tiny.warm_up_tower(model, Encoder(processor), setting, recipe.seed)
    started = time.perf_counter()
    for step, loss in enumerate(losses, start=1):
        if step % loop.LOG_EVERY == 0 or step == setting.tower_steps:
            seconds = time.perf_counter() - started
            report = Report(TOWER, step, setting.tower_steps, {"labels": loss}, seconds=seconds)
            loop.log(output, report)
            say(report)
    steps = setting.tower_steps
    checkpoint.save(folder, model, None, State(recipe.digest, TOWER, steps, steps))


def _card(recipe: Recipe, stage: str) -> str:
    """The model card: what was done, from the recipe alone."""
    lines = [
        "---",
        "library_name: transformers",
        "pipeline_tag: image-text-to-text",
        "---",
        f"# {recipe.name}, {f'trained up to {stage}' if stage else 'untrained'}",
        "",
        "Made by `towereval train`. Needs transformers 5.4 or later, and a vLLM that multiplies",
        "Gemma2's text embedding alone by its scale: older ones show it pictures too bright.",
        "",
        f"Recipe digest {recipe.digest}, seed {recipe.seed}.",
    ]
    if stage:
        names = list(recipe.stages)
        for name in names[: names.index(stage) + 1]:
            each = recipe.stages[name]
            sources = ", ".join(source.name for source in each.data)
            lines.append(
                f"- {name}: {', '.join(each.trainable)}; {each.steps} steps of {each.batch};"
                f" learning rate {each.learning_rate:g}; data: {sources}"
            )
    return "\n".join(lines) + "\n"
