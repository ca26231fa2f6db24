"""How long `prepare` takes for a checkpoint as large as TowerVision-9B.

    python benchmarks/prepare.py [--folder PLACE]

Four shards of sparse files with the tensors that are mended in the first, as transformers saves
them. Needs 14 GB of disk. Printed beside a plain copy of the touched shard: that much any rewriting
takes. A checkpoint in the hub's cache needs no hashing: the hub names its files by their hashes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from towereval.digests import file_digests
from towereval.mending import mended

HIDDEN = 3584
VOCABULARY = 256_064
LAYERS = 42
SHARDS = 4
Shapes = dict[str, list[int]]


def sparse_checkpoint(folder: Path) -> int:
    """A Gemma2 LLaVA-NeXT of the 9B's shapes in float16, zeros that take no room; its bytes."""
    first: Shapes = {
        "image_newline": [HIDDEN],
        "multi_modal_projector.linear_1.weight": [HIDDEN, 1152],
        "multi_modal_projector.linear_2.bias": [HIDDEN],
        "multi_modal_projector.linear_2.weight": [HIDDEN, HIDDEN],
        "vision_tower.vision_model.encoder": [400_000_000],
        "language_model.model.embed_tokens.weight": [VOCABULARY, HIDDEN],
    }
    # Attention and feed-forward of a layer, in one piece.
    layer = [HIDDEN * (16 * 256 * 2 + 8 * 256 * 2) + 3 * HIDDEN * 14336]
    shards = [first, *({} for _ in range(SHARDS - 1))]
    for number in range(LAYERS):
        shards[min(number * SHARDS // (LAYERS - 4), SHARDS - 1)][
            f"language_model.model.layers.{number}"
        ] = layer
    folder.mkdir(parents=True)
    names, total = {}, 0
    for number, shapes in enumerate(shards, start=1):
        name = f"model-{number:05}-of-{SHARDS:05}.safetensors"
        total += _sparse_shard(folder / name, shapes)
        names |= dict.fromkeys(shapes, name)
    index = {"metadata": {"total_size": total}, "weight_map": names}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    config = {
        "architectures": ["LlavaNextForConditionalGeneration"],
        "model_type": "llava_next",
        "transformers_version": "4.50.0",
        "text_config": {"model_type": "gemma2", "hidden_size": HIDDEN},
        "vision_config": {"model_type": "siglip_vision_model"},
    }
    (folder / "config.json").write_text(json.dumps(config))
    return total


def _sparse_shard(file: Path, shapes: Shapes) -> int:
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 2
        for side in shape:
            size *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with file.open("wb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        stream.truncate(8 + len(text) + at)
    return at


def timed(work: Callable[[], object]) -> str:
    began, processor = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - began, time.process_time() - processor
    return f"{seconds[0]:7.3f} s ({seconds[1]:.3f} s of a processor)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(dir=parser.parse_args().folder) as place:
        folder, cache = Path(place, "model"), Path(place, "cache")
        total = sparse_checkpoint(folder)
        shard = folder / f"model-00001-of-{SHARDS:05}.safetensors"
        print(f"checkpoint        {total / 1e9:6.1f} GB in {SHARDS} shards")
        print(f"touched shard     {shard.stat().st_size / 1e9:6.1f} GB")
        print("hashes, once     ", timed(lambda: file_digests(folder)))
        print("prepare          ", timed(lambda: mended(folder, cache)))
        print("plain copy of it ", timed(lambda: shutil.copyfile(shard, Path(place, "copy"))))
        print("second run       ", timed(lambda: mended(folder, cache)))


if __name__ == "__main__":
    main()
