"""A vision tower and a text model made into one that learns, is exported and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Gemma2ForCausalLM, SiglipImageProcessor, SiglipVisionModel

from towereval.errors import ModelError, UsageError
from towereval.train import assemble, recipe_run, tiny
from towereval.train.assemble import pinpoints
from towereval.train.data import Record, Turn
from towereval.train.loop import Report
from towereval.train.packing import Encoder, Rendering, collate
from towereval.train.recipe import Model, Recipe


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A random SigLIP and a random Gemma2, as folders of their own."""
    folder = tmp_path_factory.mktemp("parts")
    config = tiny._config()
    torch.manual_seed(0)
    SiglipVisionModel(config.vision_config).save_pretrained(folder / "vision")
    SiglipImageProcessor(image_mean=[0.4] * 3).save_pretrained(folder / "vision")
    text = config.text_config
    text.vocab_size = 1030  # no multiple of 64
    Gemma2ForCausalLM(text).save_pretrained(folder / "text")
    tokenizer = tiny._tokenizer(tokens=[t for t in tiny.SPECIAL_TOKENS if t != "<image>"])
    tokenizer.save_pretrained(folder / "text")
    return Model(vision=str(folder / "vision"), text=str(folder / "text"), max_tiles=2)


@pytest.fixture(scope="module")
def made(parts: Model) -> tuple[Any, Any]:
    return assemble.assemble(parts, seed=0)


def test_the_parts_are_there_and_the_rest_is_new(parts: Model, made: Any) -> None:
    model, _ = made
    text = Gemma2ForCausalLM.from_pretrained(parts.text).state_dict()
    tower = SiglipVisionModel.from_pretrained(parts.vision, vision_use_head=False).state_dict()
    own = model.state_dict()
    rows = text["model.embed_tokens.weight"]
    wide = own["model.language_model.embed_tokens.weight"]
    assert wide.shape[0] == 1088
    assert torch.equal(wide[:1030], rows)
    assert torch.allclose(wide[1030:], rows.mean(dim=0).expand(58, -1))
    assert own["lm_head.weight"].data_ptr() == wide.data_ptr()
    names = [name for name in text if "embed_tokens" not in name and name != "lm_head.weight"]
    for name in names:
        assert torch.equal(own[name.replace("model.", "model.language_model.", 1)], text[name])
    for name, value in tower.items():
        assert torch.equal(own[f"model.vision_tower.{name}"], value)
    again, _ = assemble.assemble(parts, seed=0)
    other, _ = assemble.assemble(parts, seed=1)
    layer = "model.multi_modal_projector.linear_1.weight"
    assert torch.equal(own[layer], again.state_dict()[layer])
    assert not torch.equal(own[layer], other.state_dict()[layer])


def test_its_configuration_is_the_authors(made: Any) -> None:
    model, processor = made
    image = processor.tokenizer.convert_tokens_to_ids("<image>")
    assert model.config.image_token_id == image == 1024
    assert (model.config.vision_feature_layer, model.config.vision_feature_select_strategy) == (
        -2,
        "full",
    )
    assert model.config.image_grid_pinpoints == [[48, 48], [48, 96], [96, 48]]
    assert list(processor.image_processor.image_mean) == [0.4] * 3
    assert model.generation_config.eos_token_id == 1


def test_six_tiles_are_fourteen_grids() -> None:
    grids = pinpoints(384, 6)
    assert len(grids) == 14
    assert {384 * 384 * 6, 384 * 384} <= {height * width for height, width in grids}
    assert all(height * width <= 6 * 384**2 for height, width in grids)


def test_its_picture_is_what_it_learns_from(made: Any) -> None:
    model, processor = made
    encoder = Encoder(processor)
    picture = np.random.default_rng(0).integers(0, 256, (96, 48, 3), dtype=np.uint8)
    turns = (Turn("user", "what?"), Turn("assistant", "a dog"))
    example = encoder.example(Record("x", "en", turns, (picture,)), Rendering())
    batch = collate([example], [[0]], encoder)
    with torch.no_grad():
        seen = model(batch.ids_BT, pixel_values=batch.pixels_IKCHW, image_sizes=batch.sizes_I2)
        blank = model(batch.ids_BT, pixel_values=0 * batch.pixels_IKCHW, image_sizes=batch.sizes_I2)
    assert not torch.allclose(seen.logits[0, -1], blank.logits[0, -1])


def test_a_recipe_begins_with_it_and_another_with_its_result(
    parts: Model, recipe: Recipe, tmp_path: Path
) -> None:
    stage = replace(recipe.stages["stage1"], steps=2, trainable=("projector",), view="single")
    first = replace(recipe, model=parts, stages={"stage1": stage})
    reports: list[Report] = []
    folder = recipe_run.train(first, tmp_path / "one", say=reports.append)
    assert not (tmp_path / "one" / "evaluation").exists()
    config = json.loads((folder / "config.json").read_text())
    assert config["text_config"]["vocab_size"] == 1088

    after = replace(recipe, model=Model(init_from=str(folder)), stages={"stage1": stage})
    recipe_run.train(after, tmp_path / "two", say=reports.append)
    one, _ = assemble.read(folder)
    two, _ = assemble.read(tmp_path / "two" / "untrained")
    layer = "model.multi_modal_projector.linear_1.weight"
    assert torch.equal(one.state_dict()[layer], two.state_dict()[layer])


def test_what_cannot_be_assembled_is_named(parts: Model, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nothing-there: cannot be loaded"):
        assemble.assemble(replace(parts, text=str(tmp_path / "nothing-there")), 0)
    with pytest.raises(ModelError, match="no config"):
        assemble.read(tmp_path)
    with pytest.raises(UsageError, match="legacy would double it"):
        Model(init_from="x", projector_output_scale="legacy")
