"""A checkpoint's own habits, and a tokenizer that writes bos itself, change no greedy answer."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towereval.types import Engine, Model, Request, Response

pytestmark = pytest.mark.engine

HABITS = {
    "do_sample": True,
    "eos_token_id": [319],  # vLLM also ends at the tokenizer's own
    "max_new_tokens": 5,
    "min_new_tokens": 3,
    "no_repeat_ngram_size": 2,
    "repetition_penalty": 1.3,
    "suppress_tokens": list(range(40, 200)),
    "temperature": 0.3,
    "top_k": 3,
    "top_p": 0.5,
}
Ask = Callable[..., list[Response]]


@pytest.fixture(scope="module")
def habitual(tiny: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The tiny model with every habit, a tokenizer as Gemma's, and no context length given."""
    folder = tmp_path_factory.mktemp("habitual") / "tiny"
    shutil.copytree(tiny.folder, folder)
    change(folder / "generation_config.json", HABITS)
    begin = {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    template = {
        "type": "TemplateProcessing",
        "single": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [begin, {"Sequence": {"id": "A", "type_id": 0}}],
        "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
    }
    change(folder / "tokenizer.json", {"post_processor": template})
    checkpoint = dataclasses.replace(tiny.checkpoint, context_length=0)
    return dataclasses.replace(tiny, folder=folder, checkpoint=checkpoint)


def change(file: Path, content: dict[str, Any]) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **content}))


@pytest.mark.parametrize("kind", ["transformers", "vllm"])
def test_greedy_answers_are_those_without_habits(
    kind: str,
    habitual: Model,
    transformers_engine: Engine,
    start: Callable[..., Any],
    question: Callable[..., Request],
    ask: Ask,
) -> None:
    ended = question(0, "y" * 1940, shown=())
    requests = [ended, *(question(number) for number in range(16))]
    wanted = [(r.text, r.token_count) for r in ask(transformers_engine, requests)]
    assert wanted[0][1] < 16
    with start(kind, habitual) as engine:
        (bos,) = engine.encoder.tokenizer("a")["input_ids"][:1]
        assert bos == 2
        responses = ask(engine, [*requests, question(0, "y" * 2040, shown=())])
    assert [(r.text, r.token_count) for r in responses[:-1]] == wanted
    assert "2048" in responses[-1].error
