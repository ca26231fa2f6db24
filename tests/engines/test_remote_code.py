"""A checkpoint's own code runs only where it is allowed, at a commit; then as any other."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towereval.errors import EngineError, ModelError
from towereval.subject import find_subject
from towereval.types import Engine, Model, Request, Response

pytestmark = pytest.mark.engine

CODE = """
from pathlib import Path

from transformers import LlavaNextConfig, LlavaNextForConditionalGeneration, LlavaNextProcessor

Path({sprung!r}).touch()


class OwnConfig(LlavaNextConfig):
    model_type = "own_llava"


class OwnLlava(LlavaNextForConditionalGeneration):
    config_class = OwnConfig


class OwnProcessor(LlavaNextProcessor):
    pass
"""


@pytest.fixture
def own(tiny: Model, tmp_path: Path) -> Model:
    """The tiny model in classes of its own, which leave a trace when they are imported."""
    folder = tmp_path / "own"
    shutil.copytree(tiny.folder, folder)
    (folder / "modeling_own.py").write_text(CODE.format(sprung=str(tmp_path / "sprung")))
    for name, changed in (
        (
            "config.json",
            {
                "model_type": "own_llava",
                "architectures": ["OwnLlava"],
                "auto_map": {
                    "AutoConfig": "modeling_own.OwnConfig",
                    "AutoModelForCausalLM": "modeling_own.OwnLlava",
                },
            },
        ),
        (
            "processor_config.json",
            {
                "processor_class": "OwnProcessor",
                "auto_map": {"AutoProcessor": "modeling_own.OwnProcessor"},
            },
        ),
    ):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, **changed}))
    return dataclasses.replace(tiny, folder=folder)


def test_it_runs_where_it_is_allowed_and_answers_as_it_should(
    own: Model,
    transformers_engine: Engine,
    start: Callable[..., Any],
    question: Callable[..., Request],
    ask: Callable[..., list[Response]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "hf"))
    requests = [question(number) for number in range(8)]
    with pytest.raises((ModelError, EngineError)) as error, start("transformers", own):
        pass
    assert "\n" not in str(error.value)
    assert not (tmp_path / "sprung").exists()
    with start("transformers", own, trust_remote_code=True) as engine:
        assert type(engine.network).__name__ == "OwnLlava"
        found = [response.text for response in ask(engine, requests)]
    assert (tmp_path / "sprung").exists()
    assert found == [response.text for response in ask(transformers_engine, requests)]


def test_it_is_part_of_what_answers(tiny: Model) -> None:
    subjects = [
        find_subject(f"tiny:{tiny.folder}", "transformers", arguments)
        for arguments in ({}, {"trust_remote_code": True})
    ]
    assert len({subject.respondent for subject in subjects}) == 2
