"""The harness against a plain loop, and seven languages against one, at TowerVision's real shapes.

    python benchmarks/gpu/transformers_speed.py --shape 2b [--device cuda] [--count 64]

Through the transformers engine, for machines without vLLM; needs torch, transformers, pillow,
numpy, tokenizers and safetensors, and downloads nothing: weights are random (`shapes.py`). "loop"
decodes all pictures in two threads, then processes and generates batch by batch in one thread; both
sides use one network in one process, in turns, after a first round that is not counted. This engine
shares no picture between questions, so seven languages are expected to cost seven times one; the
vision tower's work is counted by its tiles. Exits with 1 where an answer differs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import shapes
from made_pictures import QUESTIONS, name_of, write_pictures
from measure import Clock, publish, table

from towereval import plugins
from towereval.data.media import image_file
from towereval.engines.prompts import Decoded
from towereval.engines.transformers import TransformersEngine
from towereval.store import Store
from towereval.types import Checkpoint, Decoding, Message, Model, Request, Sample, Text

SEVEN = tuple(QUESTIONS)


@dataclass(frozen=True, slots=True)
class Round:
    used: Clock
    tiles: int
    prompt_tokens: int
    answers: dict[str, str]


def model_of(folder: Path, dtype: str) -> Model:
    adapter = plugins.load_adapter("tiny")
    checkpoint = Checkpoint("", dtype=dtype, context_length=8192, images=1)
    return Model("random", adapter, checkpoint, folder, "random")


def engine_of(model: Model, device: str, batch: int) -> TransformersEngine:
    """Its weights are made instead of loaded, where there are none."""
    settings = {"device": device, "batch_size": batch}
    if (model.folder / "model.safetensors").exists():
        return TransformersEngine(model, engine_args=settings, seed=0)
    from transformers import AutoModelForImageTextToText

    loads = AutoModelForImageTextToText.from_pretrained

    def made(folder: Path, **asked: Any) -> Any:
        return shapes.random_network(folder, device, **asked)

    AutoModelForImageTextToText.from_pretrained = made
    try:
        return TransformersEngine(model, engine_args=settings, seed=0)
    finally:
        AutoModelForImageTextToText.from_pretrained = loads


def requests_of(folder: Path, count: int, languages: Sequence[str], tokens: int) -> list[Request]:
    """All languages about one picture together, as the harness asks."""
    found = []
    for number in range(count):
        shown = image_file(folder / name_of(number))
        for language in languages:
            words = Text(QUESTIONS[language].format(number))
            prompt = (Message("user", (shown, words)),)
            decoding = Decoding(max_tokens=tokens)
            found.append(Request(f"{number}/{language}", prompt, decoding))
    return found


def harness(engine: TransformersEngine, requests: Sequence[Request]) -> dict[str, str]:
    """Asked as a run asks: through the store, each answer kept as it comes."""
    rows = [
        ("pictures", Sample(request.sample_id, "en", request.prompt, ("",)), [request])
        for request in requests
    ]
    with tempfile.TemporaryDirectory() as temporary, Store(Path(temporary)) as store:
        store.replace_samples(rows)
        with closing(store.add_responses(engine.run(store.unanswered()))) as stored:
            found = {response.key: response for response in stored}
    if errors := [response.error for response in found.values() if response.error]:
        sys.exit(f"a request failed: {errors[0]}")
    return {request.sample_id: found[request.key].text for request in requests}


def loop(engine: TransformersEngine, requests: Sequence[Request]) -> dict[str, str]:
    import torch
    from PIL import Image
    from transformers import GenerationConfig

    def decode(request: Request) -> Any:
        with Image.open(request.media[0].source) as picture:
            return picture.convert("RGB")

    with ThreadPoolExecutor(2) as pool:
        pictures = list(pool.map(decode, requests))
    tokens = requests[0].decoding.max_tokens
    greedy = GenerationConfig(max_new_tokens=tokens, do_sample=False)
    found = {}
    size = engine.batch_size
    for start in range(0, len(requests), size):
        part = slice(start, start + size)
        pairs = list(zip(requests[part], pictures[part], strict=True))
        texts = [text_of(engine, request) for request, _ in pairs]
        inputs = engine.encoder.processor(
            text=texts,
            images=[[picture] for _, picture in pairs],
            padding=True,
            return_tensors="pt",
            add_special_tokens=False,
        ).to(engine.device, engine.network.dtype)
        with torch.inference_mode():
            tokens_BS = engine.network.generate(**inputs, generation_config=greedy)
        for (request, _), tokens_S in zip(pairs, tokens_BS, strict=True):
            answer = tokens_S[inputs["input_ids"].shape[1] :].tolist()
            end = next((at for at, token in enumerate(answer) if token in engine.ends), len(answer))
            found[request.sample_id] = engine.encoder.decode(answer[: end + 1], ())
    return found


def text_of(engine: TransformersEngine, request: Request) -> str:
    rendered = engine.model.adapter.render(request.prompt, engine.model.checkpoint)
    return engine.encoder.encode(Decoded(request, rendered)).text


def measured(
    engine: TransformersEngine,
    ask: Callable[[TransformersEngine, Sequence[Request]], dict[str, str]],
    requests: Sequence[Request],
) -> Round:
    tiles: list[int] = []
    tower = engine.network.model.vision_tower
    hook = tower.register_forward_hook(
        lambda _module, arguments, named, _output: tiles.append(
            len(arguments[0] if arguments else named["pixel_values"])
        ),
        with_kwargs=True,
    )
    before, began = engine.usage, Clock.now()
    answers = ask(engine, requests)
    used = Clock.now() - began
    hook.remove()
    asked = engine.usage.prompt_tokens - before.prompt_tokens
    return Round(used, sum(tiles), asked, answers)


def rows(rounds: dict[str, list[Round]], alone: str) -> list[list[str]]:
    found = []
    for name, runs in rounds.items():
        wall = median(run.used.wall for run in runs)
        ratio = median(
            run.used.wall / one.used.wall for run, one in zip(runs, rounds[alone], strict=True)
        )
        count = len(runs[0].answers)
        found.append(
            [
                name,
                f"{wall:.2f} ({' '.join(f'{run.used.wall:.2f}' for run in runs)})",
                f"{median(run.used.cpu for run in runs):.2f}",
                f"{count / wall:.2f}",
                f"{ratio:.2f}",
                f"{runs[0].tiles:,}",
                f"{runs[0].prompt_tokens:,}",
            ]
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=list(shapes.SHAPES), default="2b")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--languages", type=int, default=7)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--results", type=Path, default=None)
    options = parser.parse_args()
    import torch

    dtype = "float32" if options.device == "cpu" else "bfloat16"
    languages = SEVEN[: options.languages]
    with tempfile.TemporaryDirectory() as temporary:
        data, folder = Path(temporary, "data"), Path(temporary, "model")
        write_pictures(data, options.count)
        shapes.write(folder, options.shape)
        began = time.monotonic()
        engine = engine_of(model_of(folder, dtype), options.device, options.batch)
        started = time.monotonic() - began
        one = requests_of(data, options.count, languages[:1], options.tokens)
        all_of_them = requests_of(data, options.count, languages, options.tokens)
        many = f"harness, {len(languages)} languages"
        asked = {"loop": (loop, one), "harness": (harness, one), many: (harness, all_of_them)}
        harness(engine, one[: options.batch])
        rounds: dict[str, list[Round]] = {name: [] for name in asked}
        for turn in range(options.repetitions):
            for name in list(asked) if turn % 2 == 0 else list(asked)[::-1]:
                rounds[name].append(measured(engine, *asked[name]))
    equal = all(run.answers == rounds["loop"][0].answers for run in rounds["harness"])
    cuda = options.device != "cpu" and torch.cuda.is_available()
    gpu = torch.cuda.get_device_name() if cuda else ""
    peak = f", peak GPU memory {torch.cuda.max_memory_allocated() / 1e9:.1f} GB" if cuda else ""
    pairs = zip(rounds["loop"], rounds["harness"], strict=True)
    speed = median(plain.used.wall / ours.used.wall for plain, ours in pairs)
    header = ["side", "wall s, median (all)", "CPU s", "answers/s", "wall of one", "tiles"]
    told = [
        table([*header, "prompt tokens"], rows(rounds, "harness")),
        f"Shape {options.shape}, {dtype}, {options.count} pictures, batches of {options.batch},"
        f" {options.tokens} tokens an answer; engine ready in {started:.1f} s{peak}. Speed of the"
        f" harness over the loop: {speed:.2f} by wall. Answers {'equal' if equal else 'DIFFER'}.",
    ]
    where = {"folder": options.results} if options.results else {}
    publish(f"transformers-{options.shape}", "\n\n".join(told), gpu, **where)
    sys.exit(not equal)


if __name__ == "__main__":
    main()
