"""What a recipe will cost, by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from towereval.cli import train as command
from towereval.errors import UsageError
from towereval.train import plan, recipe_files, shapes
from towereval.train.recipe import Model, Source

PARTS = {"2b": (2_614_341_888, 26), "9b": (9_241_705_984, 42)}


@pytest.mark.parametrize("size", ["2b", "9b"])
def test_the_authors_recipes_have_their_settings(size: str) -> None:
    recipe = recipe_files.load(recipe_files.find(f"towervision-{size}"))
    assert recipe.model.projector_output_scale == "legacy"
    one, two, three = (recipe.stages[f"stage{number}"] for number in (1, 2, 3))
    assert (three.view, three.frames) == ("clips", 32)
    assert (one.trainable, one.learning_rate, one.batch) == (("projector",), 1e-3, 256)
    assert (one.prompt, one.view) == ("plain", "single")
    assert (two.learning_rate, two.vision_learning_rate, two.batch) == (1e-5, 2e-6, 128)
    assert set(two.trainable) == {"projector", "vision", "text"}
    for stage in (one, two):
        assert (stage.epochs, stage.warm_up, stage.weight_decay, stage.clip) == (1, 0.05, 0, 1)
        assert stage.final_rate == 0
    assert (recipe.packing.tokens, recipe.precision) == (8192, "bfloat16")
    config = shapes.config_of(recipe.model)
    # Gemma2's published size, the picture token's row and those that fill it up to 64 more.
    extra = 64 * config.text_config.hidden_size
    weights = shapes.parameters(config)
    assert weights["text"] == PARTS[size][0] + extra
    assert config.text_config.num_hidden_layers == PARTS[size][1]
    layer = 4 * (1152**2 + 1152) + 2 * 1152 * 4304 + 4304 + 1152 + 4 * 1152
    patches, places, norm = 3 * 14**2 * 1152 + 1152, 27**2 * 1152, 2 * 1152
    assert weights["vision"] == 27 * layer + patches + places + norm
    hidden = config.text_config.hidden_size
    assert weights["projector"] == 1152 * hidden + hidden + hidden**2 + hidden + hidden


def test_a_plan_is_the_formula_times_the_records() -> None:
    recipe = recipe_files.load(recipe_files.find("towervision-2b"))
    one, two, three = plan.plan(recipe)
    assert three.tokens == three.examples * (32 * 196 + 1 + 300)
    assert (one.steps, two.steps) == (2742, 38720)
    assert one.tokens == one.examples * (729 + 300)
    assert two.tokens == two.examples * (729 + 54 * 55 + 300)
    # reference figures for like examples: 8.9 TFLOP a caption, 64 a picture of 4 + 1 tiles
    assert one.flops / one.examples == pytest.approx(9.4e12, rel=0.1)
    assert two.flops / two.examples == pytest.approx(64.2e12, rel=0.05)
    assert one.memory["float32", 1] == pytest.approx(20e9, rel=0.2)
    assert two.memory["float32", 1] == pytest.approx(58e9, rel=0.1)
    assert two.memory["float32", 8] < two.memory["float32", 1] / 3


def test_one_h200_holds_all_of_9b_with_weights_in_bfloat16() -> None:
    """By hand: 10 bytes a weight, a pack's 42 layer inputs, and logits three times."""
    recipe = recipe_files.load(recipe_files.find("towervision-9b"))
    for stage in plan.plan(recipe)[1:]:
        by_hand = 10 * stage.trained + 2 * 8192 * 3584 * 42 + 3 * 4 * 1024 * 256_064
        assert stage.memory["bfloat16", 1] == pytest.approx(by_hand, rel=1e-3)
        assert stage.memory["bfloat16", 1] < 141e9 < stage.memory["float32", 1]


def test_a_plan_wants_to_know_how_many_records() -> None:
    recipe = recipe_files.load(recipe_files.find("towervision-2b"))
    stage = recipe.stages["stage1"]
    from dataclasses import replace

    with pytest.raises(UsageError, match="how many records have mine"):
        plan.steps_of(replace(stage, data=(Source(path="mine"),)))
    with pytest.raises(UsageError, match=r"unknown shape 'Unbabel/Tower-Plus-3B'; did you mean"):
        shapes.config_of(Model(vision=recipe.model.vision, text="Unbabel/Tower-Plus-3B"))


def test_the_command_tells_the_plan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command.train("towervision-9b", plan=True)
    told = [line.split("  ")[:2] for line in capsys.readouterr().out.splitlines()]
    assert told[:3] == [["stage", "steps"], ["stage1", "2,742"], ["stage2", "38,720"]]
    assert list(tmp_path.iterdir()) == []
