"""A closed engine leaves nothing behind: the next starts, and the process ends in peace."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towereval.types import Model, Request, Response

pytestmark = pytest.mark.engine

PROGRAM = """
import sys
from contextlib import closing
from pathlib import Path
from tests.engines.tiny_models import tiny_model
from towereval import engines
from towereval.types import Decoding, Message, Request, Text

request = Request("0", (Message("user", (Text("Hello?"),)),), Decoding(max_tokens=4))
model = tiny_model(Path(sys.argv[1]))
with closing(engines.start(engines.find("vllm"), model, {}, seed=0)) as engine:
    (response,) = engine.run([request])
print("answered", response.token_count, response.error)
"""


@pytest.mark.parametrize("kind", ["transformers", "vllm"])
def test_a_closed_engine_frees_its_weights(
    kind: str,
    tiny: Model,
    start: Callable[..., Any],
    question: Callable[..., Request],
    ask: Callable[..., list[Response]],
) -> None:
    texts = []
    for _ in range(2):
        with start(kind, tiny) as engine:
            texts.append(ask(engine, [question(0)])[0].text)
            networks = (
                [engine.network] if kind == "transformers" else engine.llm.apply_model(lambda m: m)
            )
            alive = [weakref.ref(weight) for weight in networks[0].parameters()]
            del networks
        assert alive
        gc.collect()
        assert not any(weight() is not None for weight in alive)
    assert texts[0] == texts[1]


def test_a_process_ends_without_complaint(tiny: Model) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tiny.folder.parent)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1].strip() == "answered 4"
    for word in ("Traceback", "Exception ignored", "leaked", "destroy_process_group"):
        assert word not in ended.stderr
