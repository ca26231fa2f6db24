"""What a stage moves, that it learns, and that a run which was stopped goes on to the same bits."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from towereval.errors import StoreError, UsageError
from towereval.train import checkpoint, loop
from towereval.train.loader import Loader
from towereval.train.loop import StageRun
from towereval.train.model import batch_nll, freeze
from towereval.train.optimizers import optimizer
from towereval.train.packing import Encoder
from towereval.train.recipe import Recipe
from towereval.train.stage_data import StageData

Weights = dict[str, torch.Tensor]
# Of four steps in float32, by seed 0.
GOLDEN = {
    "ambiguous": 11.259845,
    "caption": 10.279598,
    "choice": 9.007753,
    "text": 10.587728,
    "translation": 10.064810,
    "words": 10.673320,
}


def weights(model: Any) -> Weights:
    return {name: value.detach().clone() for name, value in model.named_parameters()}


def same(one: Weights, other: Weights) -> bool:
    return all(torch.equal(value, other[name]) for name, value in one.items())


@pytest.mark.parametrize(
    ("stage", "prefixes"),
    [
        ("text_stand_in", ("model.language_model.",)),
        ("stage1", ("model.language_model.", "model.multi_modal_projector", "model.image_newline")),
        ("stage2", ("model.",)),
    ],
)
def test_a_stage_moves_its_parts_and_nothing_else(
    stage: str,
    prefixes: tuple[str, ...],
    recipe: Recipe,
    model: Any,
    encoder: Encoder,
    tmp_path: Path,
) -> None:
    before = weights(model)
    run = StageRun(recipe, stage, model, encoder)
    run.steps = 1
    list(run.run(tmp_path))
    moved = {name for name, value in weights(model).items() if not torch.equal(value, before[name])}
    # The tower is read after its third layer of four.
    unread = ("model.vision_tower.encoder.layers.3.", "model.vision_tower.post_layernorm.")
    assert moved == {n for n in before if n.startswith(prefixes) and not n.startswith(unread)}


def test_the_tower_has_a_learning_rate_of_its_own(recipe: Recipe, model: Any) -> None:
    freeze(model, ("projector", "vision", "text"))
    names = {id(value): name for name, value in model.named_parameters()}
    rates = {
        (names[id(p)].startswith("model.vision_tower."), group["rate"])
        for group in optimizer(model, recipe.stages["stage2"]).param_groups
        for p in group["params"]
    }
    assert rates == {(True, 7.5e-5), (False, 1.5e-3)}


def test_four_examples_are_learned_by_heart(recipe: Recipe, model: Any, encoder: Encoder) -> None:
    stage = replace(recipe.stages["stage2"], vision_learning_rate=None, learning_rate=3e-3)
    freeze(model, stage.trainable)
    rule = optimizer(model, stage)
    (batch,) = Loader(StageData(recipe, "stage2", encoder)).prepare(0).batches
    losses = []
    for _ in range(20):
        rule.zero_grad()
        total, each_N = batch_nll(model, batch)
        (total / batch.weights_BT.sum()).backward()
        rule.step()
        losses.append(float(each_N.mean()))
    assert losses[-1] < losses[0] / 10


def test_a_stopped_run_goes_on_to_the_same_bits(
    recipe: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    recipe = replace(recipe, precision="bfloat16")
    other = copy.deepcopy(model)
    whole = StageRun(recipe, "stage2", model, encoder)
    list(whole.run(tmp_path / "whole"))

    stopped = StageRun(recipe, "stage2", copy.deepcopy(other), encoder)
    steps = iter(range(3))
    stopped.step, step = (lambda *given: (next(steps), step(*given))), stopped.step  # type: ignore
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(stopped.run(tmp_path / "stopped"))
    assert stopped.state.step == 3  # and its last checkpoint is of step 2
    (tmp_path / "stopped" / ".writing-x").mkdir()  # what a kill while writing leaves

    at = checkpoint.latest(tmp_path / "stopped")
    assert at is not None
    assert at.name == "step-00000002"
    resumed = StageRun(recipe, "stage2", other, encoder)
    resumed.restore(at)
    list(resumed.run(tmp_path / "stopped"))
    assert [path.name for path in (tmp_path / "stopped").iterdir()] == ["step-00000004"]
    assert same(weights(model), weights(other))
    one, two = whole.state, resumed.state
    assert replace(one, seconds=0) == replace(two, seconds=0)
    moments = [
        (tmp_path / n / "step-00000004" / f"{checkpoint.OPTIMIZER}.safetensors")
        for n in ("whole", "stopped")
    ]
    assert moments[0].read_bytes() == moments[1].read_bytes()


def test_a_checkpoint_that_cannot_be_written_leaves_the_last(
    recipe: Recipe, model: Any, encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = StageRun(recipe, "text_stand_in", model, encoder)
    checkpoint.save(tmp_path, model, run.optimizer, run.state)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(StoreError, match="No space left"):
        checkpoint.save(tmp_path, model, run.optimizer, replace(run.state, step=1))
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000000"]


def test_a_torn_checkpoint_is_named(
    recipe: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    run = StageRun(recipe, "text_stand_in", model, encoder)
    at = checkpoint.save(tmp_path, model, run.optimizer, run.state)
    file = at / f"{checkpoint.WEIGHTS}.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StoreError, match=r"step-00000000 cannot be read"):
        run.restore(at)


def test_a_checkpoint_of_another_recipe_is_refused(
    recipe: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    run = StageRun(recipe, "text_stand_in", model, encoder)
    at = checkpoint.save(tmp_path, model, run.optimizer, run.state)
    other = StageRun(replace(recipe, seed=1), "text_stand_in", model, encoder)
    with pytest.raises(UsageError, match="of another recipe"):
        other.restore(at)


def test_a_stage_wants_the_one_before_it(
    recipe: Recipe, built: Any, model: Any, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="stage2 begins where stage1 ends"):
        loop.run_stages(recipe, ["stage2"], lambda: model, built[1], tmp_path, say=print)


def test_the_first_losses_are_those_of_the_seed(
    recipe: Recipe, model: Any, encoder: Encoder, tmp_path: Path
) -> None:
    """Numbers of one run: whatever moves them moves what a recipe learns."""
    (report,) = StageRun(recipe, "stage2", model, encoder).run(tmp_path)
    assert report.losses == pytest.approx(GOLDEN, rel=1e-4)
