"""What would be answered wrongly is refused in one line that says what to do instead."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.engines.families import FAMILIES, family_model
from towereval.data.media import image_file
from towereval.errors import EngineError, ModelError
from towereval.types import Image, Model, Request, Response, Video

pytestmark = pytest.mark.engine

Start = Callable[..., Any]
Ask = Callable[..., list[Response]]


def edit(file: Path, change: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.fixture
def copy(tiny: Model, tmp_path: Path) -> Model:
    folder = tmp_path / "tiny"
    shutil.copytree(tiny.folder, folder)
    return dataclasses.replace(tiny, folder=folder)


def test_vllm_on_a_cpu_refuses_pictures_that_attend_both_ways(
    libraries: None, start: Start, tmp_path: Path
) -> None:
    model = family_model(FAMILIES["gemma3"], tmp_path)
    with (
        pytest.raises(EngineError, match="use --engine transformers") as error,
        start("vllm", model),
    ):
        pass
    assert "\n" not in str(error.value)


def test_vllm_refuses_clips_that_it_would_not_tell_the_times_of(
    libraries: None,
    start: Start,
    ask: Ask,
    question: Callable[..., Request],
    film: Callable[..., Video],
    tmp_path: Path,
) -> None:
    model = family_model(FAMILIES["videollama3"], tmp_path)
    with start("vllm", model) as engine:
        clip, picture = ask(engine, [question(0, shown=(film(0),)), question(1)])
    assert "use --engine transformers" in clip.error
    assert not picture.error


def test_more_pictures_than_the_family_reads_are_refused(
    libraries: None,
    start: Start,
    ask: Ask,
    question: Callable[..., Request],
    draw: Callable[[int], Image],
    tmp_path: Path,
) -> None:
    model = family_model(FAMILIES["towervideo"], tmp_path)
    with start("transformers", model) as engine:
        (answer,) = ask(engine, [question(0, shown=(draw(0), draw(1)))])
    assert "the prompt has 2 pictures, the model reads 1" in answer.error


@pytest.mark.parametrize("kind", ["transformers", "vllm"])
def test_a_picture_larger_than_the_context_fails_alone(
    kind: str,
    tiny: Model,
    start: Start,
    ask: Ask,
    question: Callable[..., Request],
    tmp_path: Path,
) -> None:
    from PIL import Image as pil

    pil.new("RGB", (112, 112), "teal").save(tmp_path / "large.png")
    large = image_file(tmp_path / "large.png")
    checkpoint = dataclasses.replace(tiny.checkpoint, context_length=88, images=1, frames=1)
    short = dataclasses.replace(tiny, checkpoint=checkpoint)
    try:
        with start(kind, short) as engine:
            one, other = ask(
                engine, [question(0, "Hi", shown=(large,)), question(1, "Hi", shown=())]
            )
    except EngineError as error:  # vLLM may know it before it is asked anything
        assert kind == "vllm"
        assert "88" in str(error)
        assert "\n" not in str(error)
        return
    assert "88" in one.error
    assert "\n" not in one.error
    assert not other.error


@pytest.mark.parametrize("kind", ["transformers", "vllm"])
def test_a_picture_that_is_no_token_is_told_before_weights_are_loaded(
    kind: str, copy: Model, start: Start
) -> None:
    (copy.folder / "model.safetensors").unlink()
    edit(copy.folder / "config.json", lambda config: config.update(image_token_index=400))
    with pytest.raises(ModelError, match="image_token_index is 400"), start(kind, copy):
        pass

    def forget(content: dict[str, Any]) -> None:
        content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] != "<image>"]
        content["model"]["vocab"] = {
            token: number
            for token, number in content["model"]["vocab"].items()
            if token != "<image>"
        }

    edit(copy.folder / "tokenizer.json", forget)
    edit(copy.folder / "tokenizer_config.json", lambda c: c.pop("extra_special_tokens", None))
    edit(copy.folder / "tokenizer_config.json", lambda c: c.pop("image_token", None))
    with pytest.raises(ModelError, match="no token <image>"), start(kind, copy):
        pass


def test_a_checkpoint_of_a_class_that_no_engine_has_is_one_line(copy: Model, start: Start) -> None:
    edit(copy.folder / "config.json", lambda config: config.update(model_type="no_such_model"))
    for kind in ("transformers", "vllm"):
        with pytest.raises((ModelError, EngineError)) as error, start(kind, copy):
            pass
        assert "\n" not in str(error.value)
        assert str(copy.folder) in str(error.value)
