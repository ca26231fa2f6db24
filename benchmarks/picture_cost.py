"""What a picture costs before the engine has it: as a raw vLLM script does it, and as the harness.

    python benchmarks/picture_cost.py [--count 60]

CPU milliseconds of one thread, medians, on the tiny model. Raw: Pillow's decoding, then vLLM's
renderer, which hashes the pixels. Harness: its own decoding into a tensor, then the same renderer
with a picture id. Exits with 1 where the pixels differ that the model sees.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from made_pictures import PLUGINS, write_pictures
from measure import publish, table


def cost(do: Callable[[Any], Any], items: list[Any]) -> tuple[float, list[Any]]:
    spent, found = [], []
    for item in items:
        began = time.thread_time()
        found.append(do(item))
        spent.append(1e3 * (time.thread_time() - began))
    return median(spent), found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=60)
    options = parser.parse_args()
    os.environ |= {"TOWEREVAL_PATH": str(PLUGINS), "HF_HUB_OFFLINE": "1"}
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from PIL import Image

    from towereval import plugins
    from towereval.checkpoints import find
    from towereval.data.folder import FolderSource
    from towereval.data.media import decode_image
    from towereval.engines.prompts import Decoded
    from towereval.engines.vllm import VllmEngine
    from towereval.engines.vllm_prompts import as_tensor, prompt_of

    def plain(shown: Any) -> Any:
        with Image.open(shown.source) as picture:
            return picture.convert("RGB")

    def ours(shown: Any) -> Any:
        return as_tensor(decode_image(shown))

    with (
        tempfile.TemporaryDirectory() as temporary,
        closing(VllmEngine(find("tiny"), engine_args={}, seed=0)) as engine,
    ):
        write_pictures(Path(temporary), options.count)
        task, source = plugins.load_task("pictures"), FolderSource(Path(temporary))
        requests = [one for each in task.samples(source, ("en",)) for one in task.requests(each)]
        renderer = engine.llm.llm_engine.renderer

        def render(pair: tuple[Any, Any], *, named: bool) -> Any:
            request, pixels = pair
            rendered = engine.model.adapter.render(request.prompt, engine.model.checkpoint)
            decoded = Decoded(request, rendered, [pixels])
            prompt = prompt_of(decoded, engine.encoder.encode(decoded), "measured")
            if not named:
                del prompt["multi_modal_uuids"]
            return renderer.render_cmpl([prompt])[0]["mm_kwargs"]["image"][0]["pixel_values"].data

        files = [request.media[0] for request in requests]
        rows, seen = [], []
        for side, decode, named in (("raw", plain, False), ("harness", ours, True)):
            cost(decode, files[:8])
            decoding, pictures = cost(decode, files)
            pairs = list(zip(requests, pictures, strict=True))
            rendering, pixels = cost(lambda pair, named=named: render(pair, named=named), pairs)
            rows.append([side, f"{decoding:.2f}", f"{rendering:.2f}"])
            seen.append(pixels)
            engine.llm.llm_engine.reset_mm_cache()
    equal = all(one.equal(other) for one, other in zip(*seen, strict=True))
    told = f"{options.count} pictures. Pixels {'equal' if equal else 'DIFFER'}."
    publish("picture-cost", f"{table(['side', 'decoded', 'processed'], rows)}\n\n{told}")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
