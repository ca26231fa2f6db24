"""A recipe says what it says, and what it may not say is named."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from towereval.errors import UnknownName, UsageError
from towereval.train import recipe_files as recipes
from towereval.train.model import rate_share
from towereval.train.stage_data import seed_of

TINY = recipes.find("tiny")


def test_the_tiny_recipe_is_read_with_types() -> None:
    recipe = recipes.load(TINY)
    assert list(recipe.stages) == ["text_stand_in", "stage1", "stage2", "stage3"]
    stage = recipe.stages["stage2"]
    assert stage.trainable == ("projector", "vision", "text")
    assert (stage.learning_rate, stage.vision_learning_rate) == (1.5e-3, 7.5e-5)
    assert stage.betas == (0.9, 0.98)
    assert recipe.model.projector_output_scale == "1"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("sead", 1, "unknown key 'sead'; did you mean seed"),
        ("stages.stage1.learning_rat", 1, "unknown key of stages.stage1 'learning_rat'"),
        ("stages.stage1.learning_rate", "1e-3", "write 1.0e-3"),
        ("stages.stage1.learning_rate", 0, "learning_rate must be above 0"),
        ("stages.stage1.warm_up", float("nan"), "stages.stage1.warm_up wants a number"),
        ("stages.stage1.batch", 0, "stages.stage1: batch must be above 0"),
        ("stages.stage1.batch", True, "stages.stage1.batch wants a whole number, found True"),
        ("stages.stage1.trainable", ["tower"], "stages.stage1.trainable[0] wants projector or"),
        ("stages.stage1.data", [{"weight": 1}], "data[0]: a source is either drawn or has a path"),
        ("stages.stage1.data", [], "stages.stage1: a stage wants trainable parts and data"),
        ("stages.stage1.steps", 0, "stages.stage1: steps must be above 0"),
        ("precision", "float16", "precision wants bfloat16 or float32"),
        ("name.first", "x", "name has no keys"),
        ("model", {}, "model: one of tiny, vision with text, and init_from"),
        ("stages.stage1.epochs", 1, "stages.stage1: either steps or epochs"),
        ("stages.stage1.mix", {"temperature": 2}, "mix: temperature must be at least 0 and at"),
        ("stages.text_stand_in.lora", {"rank": 0}, "lora: rank must be above 0"),
    ],
)
def test_what_a_recipe_may_not_say_is_named(key: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError) as error:
        recipes.load(TINY, {key: value})
    assert said in str(error.value)


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean tiny"):
        recipes.find("tinny")


def test_a_file_that_runs_code_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.yaml"
    file.write_text("name: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UsageError, match=r"evil\.yaml"):
        recipes.load(file)


def test_the_digest_is_of_all_that_moves_a_weight() -> None:
    plain = recipes.load(TINY).digest
    assert recipes.load(TINY, {"checkpoint_every": 7}).digest == plain
    assert recipes.load(TINY, {"seed": 1}).digest != plain
    assert recipes.load(TINY, {"stages.stage2.clip": 2}).digest != plain


def test_the_rate_rises_and_falls() -> None:
    shares = [rate_share(step, 100, 0.05, 0.1) for step in range(100)]
    assert shares[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert shares[5] == 1.0
    assert all(a > b for a, b in itertools.pairwise(shares[5:]))
    assert shares[-1] == pytest.approx(0.1, abs=1e-3)


def test_a_stage_has_an_order_of_its_own_that_no_process_changes() -> None:
    assert seed_of(0, "stage1") == 254957838484753
    assert seed_of(0, "stage2") != seed_of(0, "stage1")
