"""One language against seven on the same pictures, with and without sharing, KV ample and tight.

    python benchmarks/sharing.py [--count 128] [--repetitions 3]

The tiny model's pictures are shorter than one KV block of vLLM's CPU engine (128 tokens), so its
tiles are made of 112 pixels here. The harness asks in its own order, all languages about one
picture together, with its picture ids. "raw" decodes for each request and asks language by
language, without ids, by one `LLM.generate`. Encoded is how many pictures went through the vision
tower. Exits with 1 where an answer differs or the harness encodes a picture twice.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from statistics import median

from asking import Asked, Setup, asked
from made_pictures import QUESTIONS, write_pictures
from measure import publish, table

from towereval import plugins

SEVEN = tuple(QUESTIONS)
# Blocks of 128 tokens: the prompts of some 70 requests, of 896.
TIGHT = {"num_gpu_blocks_override": 224}
TILE = 112


def cases(data: str, model: str) -> dict[str, Setup]:
    def one(side: str, languages: tuple[str, ...], **engine_args: int) -> Setup:
        return Setup(side, data, model, languages, engine_args=engine_args)

    return {
        "harness, 1 language": one("harness", ("en",)),
        "harness, 7": one("harness", SEVEN),
        "harness, 7, tight KV": one("harness", SEVEN, **TIGHT),
        "raw, 1 language": one("raw", ("en",)),
        "raw, 7, language by language": one("raw", SEVEN),
        "raw, 7, language by language, tight KV": one("raw", SEVEN, **TIGHT),
    }


def row(name: str, runs: list[Asked], alone: list[Asked]) -> list[str]:
    def ratio(field: str) -> str:
        pairs = zip(runs, alone, strict=True)
        return f"{median(getattr(a, field) / getattr(b, field) for a, b in pairs):.2f}"

    return [
        name,
        f"{median(run.wall for run in runs):.2f}",
        f"{median(run.cpu for run in runs):.2f}",
        ratio("wall"),
        ratio("cpu"),
        f"{runs[0].encoded:,}",
        f"{runs[0].cached_tokens:,} of {runs[0].prompt_tokens:,}",
        f"{max(run.peak_gb for run in runs):.1f}",
    ]


def write_model(folder: Path) -> None:
    """The tiny model with larger tiles."""
    sys.modules[type(plugins.load_adapter("tiny")).__module__].build(folder, tile=TILE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=128)
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        data, model = Path(temporary, "data"), Path(temporary, "model")
        write_pictures(data, options.count, SEVEN)
        write_model(model)
        setups = cases(str(data), f"tiny:{model}")
        runs: dict[str, list[Asked]] = {name: [] for name in setups}
        for _ in range(options.repetitions):
            for name, setup in setups.items():
                runs[name].append(asked(setup))
    rows = [
        row(name, found, runs[f"{setups[name].side}, 1 language"]) for name, found in runs.items()
    ]
    answers: dict[int, set[str]] = {1: set(), 7: set()}
    for name, found in runs.items():
        answers[len(setups[name].languages)] |= {run.answers for run in found}
    equal = all(len(each) == 1 for each in answers.values())
    once = all(
        run.encoded == options.count
        for name in runs
        if name.startswith("harness")
        for run in runs[name]
    )
    header = ["run", "wall s", "CPU s", "wall of 1", "CPU of 1", "encoded", "prompt tokens cached"]
    told = [
        table([*header, "peak GB"], rows),
        f"{options.count} pictures, medians of {options.repetitions} rounds; `wall of 1` and `CPU"
        " of 1`: times the same side's one language of the same round. Answers"
        f" {'equal' if equal else 'DIFFER'}.",
    ]
    publish("sharing", "\n\n".join(told))
    sys.exit(not (equal and once))


if __name__ == "__main__":
    main()
