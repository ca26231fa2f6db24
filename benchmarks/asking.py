"""One measurement in a process of its own: the harness or raw vLLM asks about made-up pictures.

    python benchmarks/asking.py JSON     (the fields of `Setup`; prints one line of JSON)

Both sides have the same engine, started by the harness with its settings, and the same requests.
The harness's clock runs from its first request to the end of the run: decoding, asking, storing,
scoring and the samples' file are in it. Raw vLLM's clock runs from decoding to its answers' texts;
its prompts are tokenized before. The engine's shutting down, which is vLLM's own and the same for
both, is measured by itself and is in neither.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from subprocess import run as run_process
from typing import TYPE_CHECKING, Any

from made_pictures import PLUGINS
from measure import Clock, peak_gb

if TYPE_CHECKING:
    from towereval.types import Response


@dataclass(frozen=True, slots=True)
class Setup:
    """`side`: "harness" (`towereval run`) or "raw" (decode in threads, one `LLM.generate`)."""

    side: str
    data: str
    model: str = "tiny"
    languages: tuple[str, ...] = ("en",)
    engine: str = "vllm"
    engine_args: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """`answers`: digest of all answers, by sample and language. `encoded`: pictures that went
    through the vision tower; None where the engine is in other processes. `closing`: seconds of the
    engine's shutting down, in neither `wall` nor `cpu`.
    """

    requests: int
    wall: float
    cpu: float
    peak_gb: float
    start: float
    answers: str
    prompt_tokens: int
    cached_tokens: int
    encoded: int | None
    closing: float


def asked(setup: Setup) -> Asked:
    """Measured in a new process, so that memory and caches are its own."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "HF_HUB_OFFLINE": "1",
        "TOWEREVAL_PATH": str(PLUGINS),
    }
    done = run_process(
        [sys.executable, __file__, json.dumps(asdict(setup))],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{setup}: failed\n{done.stderr[-2000:]}")
    return Asked(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    given = json.loads(sys.argv[1])
    setup = Setup(**{**given, "languages": tuple(given["languages"])})
    encoded = _count_encoded() if setup.engine == "vllm" else None
    measured = {"harness": _harness, "raw": _raw}[setup.side](setup)
    print(json.dumps(asdict(replace(measured, encoded=encoded and sum(encoded)))))


class Stages:
    """Stamps the clock when the first request is asked, and stops it while the engine closes."""

    def __init__(self) -> None:
        self.began = Clock.now()
        self.closing = self.began - self.began

    def stage(self, name: str, total: int | None, look: object = None) -> None:
        if name == "asking":
            self.began = Clock.now()

    def found(self, count: int) -> None:
        pass

    def advance(self) -> None:
        pass

    def answered(self, response: Response) -> None:
        pass

    def ended(self) -> None:
        pass

    def used(self) -> Clock:
        return Clock.now() - self.began - self.closing

    def watch(self) -> None:
        """Every engine that is started from now on has its closing measured."""
        from towereval import engines

        start = engines.start

        def watched(*arguments: Any) -> Any:
            engine = start(*arguments)
            close = engine.close

            def timed() -> None:
                began = Clock.now()
                close()
                self.closing = Clock.now() - began

            engine.close = timed  # type: ignore[method-assign]
            return engine

        engines.start = watched


def _harness(setup: Setup) -> Asked:
    from towereval.plan import Plan
    from towereval.run import run
    from towereval.store import Store
    from towereval.types import Usage

    stages = Stages()
    stages.watch()
    with tempfile.TemporaryDirectory() as temporary:
        plan = Plan(
            setup.model,
            ("pictures",),
            languages=setup.languages,
            engine=setup.engine,
            engine_args=setup.engine_args,
            data={"pictures": Path(setup.data)},
            output=Path(temporary),
        )
        outcome = run(plan, stages)
        used = stages.used()
        with Store(outcome.folder) as store:
            texts = {
                f"{name}/{language}": text
                for language, name, text, _ in store.answer_texts("pictures")
            }
        speed = outcome.performance.speed
        usage, start = (speed.usage, speed.starting_seconds) if speed else (Usage(), 0.0)
    tokens = usage.prompt_tokens, usage.cached_tokens
    return _asked(used, texts, *tokens, start, stages.closing.wall)


def _raw(setup: Setup) -> Asked:
    from PIL import Image
    from vllm import SamplingParams

    from towereval.engines.prompts import Decoded
    from towereval.types import Image as Shown

    engine, requests, start = _engine(setup)
    prompts, files = [], []
    for request in requests.values():
        rendered = engine.model.adapter.render(request.prompt, engine.model.checkpoint)
        (shown,) = rendered.images
        assert isinstance(shown, Shown)
        prompts.append(engine.encoder.encode(Decoded(request, rendered)).token_ids)
        files.append(shown.source)
    # `encode` counts no pictures, so it needs none.
    sampling = SamplingParams(temperature=0, max_tokens=16, seed=0)

    def decode(file: str) -> Any:
        with Image.open(file) as picture:
            return picture.convert("RGB")

    with closing(engine):
        began = Clock.now()
        with ThreadPoolExecutor(2) as pool:
            pictures = list(pool.map(decode, files))
        asked = [
            {"prompt_token_ids": tokens, "multi_modal_data": {"image": picture}}
            for tokens, picture in zip(prompts, pictures, strict=True)
        ]
        outputs = engine.llm.generate(asked, sampling, use_tqdm=False)
        used = Clock.now() - began
        ended = Clock.now()
    closing_seconds = (Clock.now() - ended).wall
    # The same tokens as text: vLLM's own detokenizer holds back a last character that is cut off.
    texts = {
        name: engine.encoder.decode(output.outputs[0].token_ids, ())
        for name, output in zip(requests, outputs, strict=True)
    }
    prompt_tokens = sum(len(output.prompt_token_ids) for output in outputs)
    cached = sum(output.num_cached_tokens or 0 for output in outputs)
    return _asked(used, texts, prompt_tokens, cached, start, closing_seconds)


def _engine(setup: Setup) -> tuple[Any, dict[str, Any], float]:
    """A started engine and the requests in the data's order, by sample and language."""
    from towereval import engines, plugins
    from towereval.data.folder import FolderSource
    from towereval.subject import find_subject

    subject = find_subject(setup.model, setup.engine, setup.engine_args)
    task = plugins.load_task("pictures")
    requests = {
        f"{sample.id}/{sample.language}": request
        for sample in task.samples(FolderSource(Path(setup.data)), setup.languages)
        for request in task.requests(sample)
    }
    began = Clock.now()
    engine = engines.start(subject.kind, subject.model, setup.engine_args, 0)
    return engine, requests, (Clock.now() - began).wall


def _asked(
    used: Clock,
    texts: dict[str, str],
    prompt_tokens: int,
    cached_tokens: int,
    start: float,
    closing: float,
) -> Asked:
    from towereval.types import digest

    counts = len(texts), used.wall, used.cpu, peak_gb(), start, digest(texts)
    return Asked(*counts, prompt_tokens, cached_tokens, None, closing)


def _count_encoded() -> Sequence[int]:
    """Gets a 1 for each picture that the vision tower gives to the encoder cache."""
    from vllm.v1.worker.gpu_model_runner import GPUModelRunner

    count: list[int] = []
    keep = GPUModelRunner._cache_encoder_output

    def counted(*args: Any, **settings: Any) -> Any:
        count.append(1)
        return keep(*args, **settings)

    GPUModelRunner._cache_encoder_output = counted
    return count


if __name__ == "__main__":
    main()
