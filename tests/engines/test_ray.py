"""Replicas on Ray: real vLLM engines in processes of their own, on this machine."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from towereval import engines
from towereval.engines.ray import CHUNK, WINDOW, chunks, layout
from towereval.errors import EngineError, UsageError
from towereval.types import Decoding, Engine, Model, Request, Response

pytestmark = pytest.mark.engine
pytest.importorskip("ray", reason="needs the ray extra: ray is not installed")

SHORT = Decoding(max_tokens=8)
# A model adapter that takes its process down with it when it is shown the word.
DEADLY = """
import os
from towereval.chat import as_string
from towereval.types import Checkpoint, Prepared, Text

class Deadly:
    name, version, checkpoints = "deadly", 1, {"deadly": Checkpoint(repo="")}
    def render(self, prompt, checkpoint):
        if any(isinstance(part, Text) and "poison" in part.text for part in prompt[0].parts):
            os._exit(1)
        return as_string(prompt, checkpoint, image="<image>\\n")
    def clean(self, text): return text
    def prepare(self, folder, cache): return Prepared(folder)

adapter = Deadly()
"""


PROGRAM = """
import dataclasses, hashlib, sys
from contextlib import closing
from pathlib import Path
from PIL import Image as pillow
from tests.engines.tiny_models import tiny_model
from towereval import engines, plugins
from towereval.types import Decoding, Image, Message, Request, Text

folder = Path(sys.argv[1])

def picture(number):
    file = folder / f"{number}.png"
    pillow.new("RGB", (60, 60), (number, 0, 0)).save(file)
    return Image(str(file), hashlib.sha256(file.read_bytes()).hexdigest())

def request(word, shown):
    return Request(word, (Message("user", (shown, Text(word))),), Decoding(max_tokens=4))

model = dataclasses.replace(tiny_model(folder), adapter=plugins.load_adapter("deadly"))
bad = [request(f"poison{n}", picture(0)) for n in range(6)]
good = [request(f"good{n}", picture(1 + n // 2)) for n in range(6)]
requests = [*good[:3], *bad, *good[3:]]
names = {request.key: request.sample_id for request in requests}
start = engines.start(engines.find("ray"), model, {}, seed=0)
with closing(start) as engine, open(sys.argv[2], "w") as told:
    for response in engine.run(requests):
        print(names[response.key], response.token_count, response.error, file=told)
"""


def gone(process: int) -> bool:
    """Within ten seconds: a process that was killed is there until its parent has noticed."""
    for _ in range(100):
        try:
            os.kill(process, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.slow
def test_replicas_answer_as_one_engine_and_outlive_a_death(
    tiny: Model,
    start: Callable[..., Any],
    question: Callable[..., Request],
    ask: Callable[..., list[Response]],
    vllm_engine: Engine,
) -> None:
    # Three questions to a picture; some ask for a continuation's log-probability.
    requests = [
        question(
            n // 3, f"Question {n}", decoding=SHORT, continuation=" yes" if n % 5 == 4 else None
        )
        for n in range(900)
    ]
    alone = ask(vllm_engine, requests)
    with start("ray", tiny, replicas=2) as engine:
        assert len(set(engine.processes)) == 2
        together = ask(engine, requests)
        for one, other in zip(together, alone, strict=True):
            assert (one.key, one.text, one.token_count) == (
                other.key,
                other.text,
                other.token_count,
            )
            assert one.logprob == pytest.approx(other.logprob, abs=1e-4)
        found: list[Response] = []
        for response in engine.run(requests):
            found.append(response)
            if len(found) == 100:
                os.kill(engine.processes[0], signal.SIGKILL)
        assert gone(engine.processes[0])
        assert len(found) == len(requests)
        assert {one.key: (one.text, one.error) for one in found} == {
            one.key: (one.text, "") for one in alone
        }
        left = engine.processes[1]
    assert gone(left)


@pytest.mark.slow
def test_a_picture_that_kills_costs_its_own_answers(tiny: Model, tmp_path: Path) -> None:
    folder = tmp_path / "model_adapters"
    folder.mkdir()
    (folder / "deadly.py").write_text(DEADLY)
    paths = {"PYTHONPATH": str(Path(__file__).parents[2]), "TOWEREVAL_PATH": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tiny.folder.parent), str(tmp_path / "told")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **paths},
    )
    assert ended.returncode == 0, ended.stderr
    # Not of stdout: there Ray itself tells of the deaths, also in the middle of a line.
    lines = (tmp_path / "told").read_text().splitlines()
    assert len(lines) == 12
    assert sorted(line.strip() for line in lines if line.startswith("good")) == [
        f"good{n} 4" for n in range(6)
    ]
    killed = [line.split(" ", 2)[2] for line in lines if line.startswith("poison")]
    assert sum(line.startswith("the replica died 3 times over it: ") for line in killed) == 1
    assert killed.count("its picture took three replicas down") == 5


@pytest.mark.parametrize(
    ("engine_args", "error", "reason"),
    [
        ({"replicas": 10_000}, UsageError, r"10000 replicas of 1 [CG]PU need 10000 [CG]PU, there"),
        ({"gpu_memory_fraction": 2}, EngineError, r"a replica cannot start: .*gpu_memory_fraction"),
        ({"address": "127.0.0.1:1"}, EngineError, r"Ray cannot be reached: "),
        ({"patience": 0.1}, EngineError, r"1 of 1 replicas did not start within 0 s"),
    ],
)
def test_replicas_that_cannot_start_are_one_error(
    tiny: Model, engine_args: dict[str, Any], error: type[Exception], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        engines.start(engines.find("ray"), tiny, engine_args, seed=0)


@pytest.mark.parametrize("value", [0, -1, "two", 1.5])
def test_a_number_of_replicas_is_a_number(value: object) -> None:
    with pytest.raises(UsageError, match="replicas is a number of 1 or more, not "):
        layout({"replicas": value})


def test_questions_about_one_picture_stay_together(question: Callable[..., Request]) -> None:
    sizes = [3] * 40 + [2 * WINDOW] + [1] * 5

    def requests() -> Iterator[Request]:
        for picture, count in enumerate(sizes):
            yield from (question(picture, f"{picture}-{n}") for n in range(count))

    found = list(chunks(requests()))
    assert [request for chunk in found for request in chunk] == list(requests())
    assert max(map(len, found)) <= WINDOW
    cut = [
        (one, other) for one, other in itertools.pairwise(found) if one[-1].media == other[0].media
    ]
    # Only what is more than an engine's window is cut, and no chunk is small but the last.
    assert len(cut) == 2
    assert all(len(chunk) >= CHUNK for chunk in found[:-1])
