"""A model served by vLLM on loopback answers and scores as the same model does in this process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.ports import free_port
from towereval.engines import openai
from towereval.subject import find_subject
from towereval.types import Decoding, Engine, Image, Model, Request, Response

pytestmark = pytest.mark.engine

Ask = Callable[..., list[Response]]
Question = Callable[..., Request]
START_SECONDS = 180.0
SCORE = Decoding(max_tokens=1)


def told(responses: list[Response]) -> list[tuple[str, int, str]]:
    """A server keeps back the bytes of a last character that was not finished."""
    return [(r.text.rstrip("\ufffd"), r.token_count, r.error) for r in responses]


@pytest.fixture(scope="module")
def served(tiny: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Started as `vllm serve` does; that command itself asks for a package named vllm."""
    port = free_port()
    checkpoint = tiny.checkpoint
    command = [
        *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(tiny.folder)),
        *("--served-model-name", "tiny", "--host", "127.0.0.1", "--port", str(port)),
        *("--dtype", checkpoint.dtype, "--max-model-len", str(checkpoint.context_length)),
        *(
            "--distributed-executor-backend",
            "uni",
            "--enforce-eager",
            "--no-enable-chunked-prefill",
        ),
        *("--limit-mm-per-prompt", f'{{"image": {checkpoint.images}}}'),
    ]
    settings = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
    }
    log = tmp_path_factory.mktemp("served") / "log.txt"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, env={**os.environ, **settings}, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with opener.open(address, timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text(errors="replace")[-3000:])


@pytest.fixture
def remote(served: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    engine_args = {"base_url": served}
    model = find_subject("tiny", "openai", engine_args).model
    assert model is not None
    with closing(openai.start(model, engine_args=engine_args, seed=0)) as engine:
        yield engine


def test_answers_are_those_of_the_engine_in_this_process(
    remote: Engine, vllm_engine: Engine, question: Question, ask: Ask
) -> None:
    words = [question(number, shown=()) for number in range(4)]
    requests = [*(question(number) for number in range(32)), *words]
    one, other = ask(vllm_engine, requests), ask(remote, requests)
    assert [response.error for response in (*one, *other)] == [""] * 72
    assert told(one) == told(other)
    assert len({response.text for response in one}) >= 30


def test_several_pictures_keep_their_order(
    remote: Engine,
    vllm_engine: Engine,
    question: Question,
    draw: Callable[[int], Image],
    ask: Ask,
) -> None:
    requests = [question(n, shown=(draw(n), draw(n + 1), draw(n + 2))) for n in range(6)]
    one, other = ask(vllm_engine, requests), ask(remote, requests)
    assert told(one) == told(other)
    assert len({response.text for response in one}) >= 5


def test_candidates_score_as_in_this_process(
    remote: Engine, vllm_engine: Engine, question: Question, ask: Ask
) -> None:
    requests = [
        question(number, decoding=SCORE, continuation=continuation)
        for number in range(8)
        for continuation in ("Ein Hund.", "Die Katze schläft 家.")
    ]
    one, other = ask(vllm_engine, requests), ask(remote, requests)
    assert [response.error for response in (*one, *other)] == [""] * 32
    assert [r.token_count for r in one] == [r.token_count for r in other]
    wanted = pytest.approx([response.logprob for response in one], abs=1e-3)
    assert [response.logprob for response in other] == wanted


def test_what_the_server_refuses_is_told_in_its_words(
    remote: Engine, question: Question, draw: Callable[[int], Image], ask: Ask
) -> None:
    long, fine = question(0, "word " * 600), question(1)
    refused, answered = ask(remote, [long, fine])
    assert "HTTP 400" in refused.error
    assert "2048" in refused.error
    assert (answered.error, refused.text) == ("", "")
    [crowd] = ask(remote, [question(0, shown=tuple(draw(number) for number in range(6)))])
    assert "HTTP 400" in crowd.error
    assert "image" in crowd.error
