"""What one request costs a run beside the engine: reading, storing, handing out, decoding.

    python benchmarks/per_request.py [--count 256] [--times 40]

CPU time of one thread. The same pictures are asked about `times` times over, so that the store has
10,000 requests. "processed" is what transformers' processor does with a decoded picture of
1024x768: seven tiles of 384 pixels, as TowerVision has them.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent / "gpu"))

import shapes
from made_pictures import PLUGINS, write_pictures
from measure import publish, table

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import decode_image
from towereval.engines.ray import chunks
from towereval.engines.vllm_prompts import as_tensor
from towereval.store import Store
from towereval.types import Request, Response, Sample

RESPONDENT = "0" * 64
Row = tuple[str, Sample, list[Request]]


def used(do: Callable[[], Any]) -> tuple[float, Any]:
    """CPU milliseconds, and what it gives."""
    began = time.process_time()
    found = do()
    return 1e3 * (time.process_time() - began), found


def rows_of(data: Path) -> list[Row]:
    task = plugins.load_task("pictures")
    return [
        (
            "pictures",
            sample,
            [replace(request, respondent=RESPONDENT) for request in task.requests(sample)],
        )
        for sample in task.samples(FolderSource(data), ("en",))
    ]


def repeated(rows: Iterable[Row], times: int) -> Iterator[Row]:
    """Each time with another seed, so with other keys."""
    for turn in range(times):
        for task, sample, requests in rows:
            again = [
                replace(request, decoding=replace(request.decoding, seed=turn))
                for request in requests
            ]
            yield task, replace(sample, id=f"{sample.id}-{turn}"), again


def stored(folder: Path, rows: list[Row]) -> tuple[list[tuple[str, float]], str]:
    """Milliseconds a request of each step through the store, and bytes in a sentence."""
    with Store(folder) as store:
        write, _ = used(lambda: store.replace_samples(rows))
        before = (folder / "run.sqlite").stat().st_size
        draw, requests = used(lambda: list(store.unanswered()))
        text = "a short answer of some words, as they come"
        answers = [Response(one.key, text, token_count=16, seconds=0.5) for one in requests]
        keep, _ = used(lambda: list(store.add_responses(answers)))
    after = (folder / "run.sqlite").stat().st_size
    send, packed = used(lambda: [pickle.dumps(chunk) for chunk in chunks(requests)])
    count = len(requests)
    sizes = (
        f"Bytes in the store: {before / count:.0f} a sample with its request,"
        f" {(after - before) / count:.0f} an answer of {len(text)} letters; a request on its way to"
        f" a replica has {sum(map(len, packed)) / count:.0f}."
    )
    steps = [
        ("written down", write / count),
        ("drawn", draw / count),
        ("packed for a replica", send / count),
        ("answer stored", keep / count),
    ]
    return steps, sizes


def pictured(folder: Path, rows: list[Row]) -> list[tuple[str, float]]:
    from transformers import AutoProcessor

    shapes.write(folder, "2b")
    process = AutoProcessor.from_pretrained(folder).image_processor
    decode, processed = [], []
    for _, _, (request, *_) in rows[:48]:
        (shown,) = request.media
        spent, pixels = used(lambda shown=shown: as_tensor(decode_image(shown)))
        decode.append(spent)
        spent, _ = used(lambda pixels=pixels: process(images=[pixels], return_tensors="pt"))
        processed.append(spent)
    return [("picture decoded", median(decode)), ("picture processed", median(processed))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=256)
    parser.add_argument("--times", type=int, default=40)
    options = parser.parse_args()
    os.environ["TOWEREVAL_PATH"] = str(PLUGINS)
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary, "data")
        write_pictures(data, options.count)
        read, rows = used(lambda: rows_of(data))
        many = list(repeated(rows, options.times))
        steps, sizes = stored(Path(temporary, "run"), many)
        steps = [("read, picture hashed", read / len(rows)), *steps]
        steps += pictured(Path(temporary, "model"), rows)
    told = [table(["step", "CPU ms"], [[name, f"{spent:.3f}"] for name, spent in steps]), sizes]
    publish("per-request", "\n\n".join(told))


if __name__ == "__main__":
    main()
