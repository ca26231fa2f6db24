"""How fast training is at TowerVision's shapes: random weights, made records, the real loop.

    python benchmarks/gpu/train.py --shape 2b [--device cuda] [--stages 1,2,3] [--ladder]

Needs torch, transformers, pillow, numpy, pyarrow, tokenizers and safetensors, and downloads
nothing. A step decodes JPEGs, cuts them into tiles, packs, learns and moves the weights, as
`towereval train` does. MFU is of model FLOPs (towereval/train/flops.py): what is computed again
is not counted and padding earns nothing; peak is 790 TFLOP/s, which an H200's dense bfloat16 matrix
products reach, and 989 by its data sheet. The tower's last layer, which runs and is not read, is
counted: 1/27 of the tower. `--ladder` begins as transformers' trainer does, one example at a time,
all logits, eager attention, layers computed again, and changes one thing at a time; rungs that want
a GPU are left out on a CPU. 9B has `weights: bfloat16`, since float32 does not fit one H200.
"""

from __future__ import annotations

import argparse
import copy
import functools
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from measure import peak_gb, publish, table

from towereval.corpus import files
from towereval.corpus.records import Clip, Picture, Record, Slot, Turn
from towereval.train import shapes, tiny
from towereval.train.assemble import llava_config
from towereval.train.loop import Report, Since, StageRun
from towereval.train.packing import Encoder
from towereval.train.processes import Processes, started
from towereval.train.recipe import Model, Packing, Performance, Recipe, Source, Stage
from towereval.types import Text

PEAK, DATA_SHEET = 790e12, 989e12
TEXTS = {"tiny": "", "2b": "Unbabel/Tower-Plus-2B", "9b": "Unbabel/Tower-Plus-9B"}
TOWER = "google/siglip2-so400m-patch14-384"
RECORDS = 256
SIZES = ((640, 480), (480, 640), (1024, 768), (1200, 500), (400, 400), (768, 1536))


@dataclass(frozen=True, slots=True)
class Rung:
    """One line of the result: what is switched on."""

    name: str
    performance: Performance
    together: bool = True
    gpu: bool = False


WHOLE = Performance(attention="eager", loss="whole", recompute="layers")
LADDER = (
    Rung("unpacked, all logits, eager", WHOLE, together=False),
    Rung("+ packing", WHOLE),
    Rung("+ loss in chunks", Performance(attention="eager", recompute="layers")),
    Rung("+ flex attention", Performance(attention="flex", recompute="layers"), gpu=True),
    Rung(
        "+ compiled layers",
        Performance(attention="flex", recompute="layers", compile=True),
        gpu=True,
    ),
    Rung(
        "+ selective recomputation",
        Performance(attention="flex", compile=True, recompute="selective"),
        gpu=True,
    ),
)
FULL = Rung("all", LADDER[-1].performance, gpu=True)
FULL_CPU = Rung("packing, loss in chunks, eager", LADDER[2].performance)


def corpus(folder: Path, shape: str, stage: int) -> Path:
    """Records with noise for pictures, as JPEGs; but in stage 1 one in five has none.

    In stage 3 they have clips of as many frames as are shown.
    """
    import numpy as np
    from PIL import Image

    scale = 8 if shape == "tiny" else 1
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for number, (width, height) in enumerate(SIZES):
        noise = np.random.default_rng(number).integers(0, 256, (24, 24, 3), dtype=np.uint8)
        picture = Image.fromarray(noise).resize((width // scale, height // scale))
        picture.save(folder / f"pictures/{number}.jpg")
    random = Random(stage)
    file = folder / f"stage{stage}.jsonl"
    with files.writing(file) as writer:
        for number in range(RECORDS):
            seen = stage == 1 or number % 5 != 0
            asked, answered = (10, 40) if seen else (20, 60)
            words = 1 if shape == "tiny" else 4
            question, answer = (
                Text(" ".join(random.choice("abcdefgh") for _ in range(count * words)))
                for count in (asked, answered)
            )
            slot = Slot.VIDEO if stage == 3 else Slot.IMAGE
            turns = (Turn("user", (*[slot] * seen, question)), Turn("assistant", (answer,)))
            picture = Picture(path=f"pictures/{number % len(SIZES)}.jpg")
            clip = Clip(frames=(picture,) * frames_of(shape)) if seen and stage == 3 else None
            shown = (picture,) if seen and stage < 3 else ()
            writer.add(Record(str(number), "made", "en", "made", turns, shown, clip))
    return file


def frames_of(shape: str) -> int:
    return 4 if shape == "tiny" else 32


def built(shape: str, device: torch.device) -> tuple[Any, Encoder]:
    """Random weights and the tiny model's tokenizer."""
    from transformers import LlavaNextForConditionalGeneration

    if shape == "tiny":
        model, processor = _tiny()
        return copy.deepcopy(model), Encoder(processor)
    processor = tiny.build_processor()
    known = shapes.config_of(Model(vision=TOWER, text=TEXTS[shape]))
    vision, images = known.vision_config, processor.image_processor
    images.size = {"shortest_edge": vision.image_size}
    images.crop_size = {"height": vision.image_size, "width": vision.image_size}
    images.image_grid_pinpoints = known.image_grid_pinpoints
    processor.patch_size = vision.patch_size
    encoder = Encoder(processor)
    config = llava_config(known.text_config, vision, encoder.image_id, known.image_grid_pinpoints)
    with device:
        model = LlavaNextForConditionalGeneration._from_config(config, attn_implementation="eager")
    return model, encoder


@functools.cache
def _tiny() -> tuple[Any, Any]:
    return tiny.build(0)


def recipe_of(shape: str, stage: int, file: Path, batch: int, rung: Rung) -> Recipe:
    small = shape == "tiny"
    tokens, tiles = (256, 24) if small else (8192, 40)
    settings = Stage(
        trainable=("projector",) if stage == 1 else ("projector", "vision", "text"),
        data=(Source(path=str(file)),),
        batch=batch,
        steps=10_000,
        learning_rate=1e-3 if stage == 1 else 1e-5,
        vision_learning_rate=None if stage == 1 else 2e-6,
        prompt="plain" if stage == 1 else "chat",
        view="single" if stage == 1 else "tiles" if stage == 2 else "clips",
        frames=frames_of(shape),
    )
    return Recipe(
        name=f"{shape}-{stage}",
        model=Model(vision=TOWER, text=TEXTS[shape] or "tiny"),
        stages={f"stage{stage}": settings},
        packing=Packing(tokens=tokens, tiles=tiles, examples=None if rung.together else 1),
        performance=rung.performance,
        weights="bfloat16" if shape == "9b" else "float32",
        workers=8,
    )


def measured(
    shape: str, stage: int, file: Path, rung: Rung, options: argparse.Namespace, own: Processes
) -> tuple[Report, float]:
    """Of the timed steps, and the peak memory in GB."""
    model, encoder = built(shape, own.device)
    recipe = recipe_of(shape, stage, file, options.batch, rung)
    run = StageRun(recipe, f"stage{stage}", model, encoder, own)
    gpu = own.device.type == "cuda"
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    model.train()
    with closing(run.loader()) as loader:
        for _ in range(options.warm_up):
            run.step(loader, Since(run.state, 0.0))
        wait(gpu)
        since = Since(run.state, time.perf_counter())
        for _ in range(options.steps):
            run.step(loader, since)
        wait(gpu)
        report = run.report(since)
    peak = torch.cuda.max_memory_allocated() / 1e9 if gpu else peak_gb()
    del run, model
    if gpu:
        torch.cuda.empty_cache()
    return report, peak


def wait(gpu: bool) -> None:
    if gpu:
        torch.cuda.synchronize()


def rungs(options: argparse.Namespace, gpu: bool) -> Iterator[tuple[int, Rung]]:
    for stage in (int(word) for word in options.stages.split(",")):
        yield stage, FULL if gpu else FULL_CPU
    if options.ladder:
        for rung in LADDER:
            if gpu or not rung.gpu:
                yield 2, rung


def row(stage: int, rung: Rung, report: Report, peak: float, gpu: bool) -> list[str]:
    shares = [f"{report.flops_per_second / top:.1%}" for top in (PEAK, DATA_SHEET)]
    return [
        f"stage {stage}: {rung.name}",
        f"{report.tokens_per_second:,.0f}",
        f"{report.flops_per_second / 1e12:.3g}",
        *(shares if gpu else ["", ""]),
        f"{report.fill:.1%}",
        f"{report.loader_wait:.1%}",
        f"{peak:.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=TEXTS, default="2b")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--stages", default="1,2,3", help="some of 1, 2 and 3")
    parser.add_argument("--ladder", action="store_true", help="one thing at a time, in stage 2")
    parser.add_argument("--batch", type=int, default=32, help="examples a step")
    parser.add_argument("--warm-up", type=int, default=5, help="steps before the timed ones")
    parser.add_argument("--steps", type=int, default=10, help="timed steps")
    parser.add_argument("--results", type=Path, help="a folder for the result")
    options = parser.parse_args()
    gpu = options.device == "cuda"
    rows = []
    with tempfile.TemporaryDirectory() as folder, started(options.device) as own:
        for stage, rung in rungs(options, gpu):
            file = corpus(Path(folder), options.shape, stage)
            report, peak = measured(options.shape, stage, file, rung, options, own)
            rows.append(row(stage, rung, report, peak, gpu))
            print(" | ".join(rows[-1]), flush=True)
    header = (
        *("", "tokens/s", "TFLOP/s", "MFU of 790", "MFU of 989"),
        *("packing fill", "loader wait", "peak GB"),
    )
    told: Mapping[str, Any] = {"folder": options.results} if options.results else {}
    name = torch.cuda.get_device_name() if gpu else ""
    text = f"{options.steps} steps of {options.batch} examples after {options.warm_up}\n\n"
    publish(f"train-{options.shape}", text + table(header, rows), gpu=name, **told)


if __name__ == "__main__":
    main()
