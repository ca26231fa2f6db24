"""Seconds to score 100,000 stored responses of each kind of answer, and 200 pairs of tables.

    python benchmarks/scoring.py [COUNT]

Answers lie in a run's store, as after a real run; the time is that of `towereval score`, from the
store to results.json and the parquet file. Translations are scored twice, by BLEU and by chrF, and
most of that time is sacrebleu's own, shown beside it. Tables have 100 nodes each; TEDS compares
their trees.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from towereval import plugins
from towereval.metrics.documents import teds
from towereval.plan import described
from towereval.run import rescore
from towereval.store import Store
from towereval.types import Decoding, Message, Request, Response, Sample, Task, Text

WORDS = ("house", "houses", "river", "rivers", "glass", "glasses", "light", "lights")


def sample_of(task: Task, index: int, rng: random.Random) -> Sample:
    text = " ".join(rng.choices(WORDS, k=12))
    return Sample(
        id=f"{index}",
        language=task.languages[index % len(task.languages)],
        prompt=(Message("user", (Text(f"{index}: {text}"),)),),
        references=(text,) * 10 if task.name == "textvqa" else (text,),
        cluster=f"{index // 2}",
        meta={"dataset": "IIIT5K", "level": "word", "source": text},
    )


def write_run(folder: Path, task: Task, count: int) -> None:
    rng = random.Random(0)
    samples = [sample_of(task, index, rng) for index in range(count)]

    def rows() -> Iterator[tuple[str, Sample, list[Request]]]:
        for one in samples:
            request = Request(one.id, one.prompt, Decoding(128), respondent=one.language)
            yield task.name, one, [request]

    def responses() -> Iterator[Response]:
        for _, one, requests in rows():
            words = one.references[0].split()
            rng.shuffle(words)
            yield Response(requests[0].key, " ".join(words[: rng.randint(6, 12)]))

    with Store(folder) as store:
        store.write_manifest(
            {
                "run_id": folder.name,
                "model": "made up",
                "split": "full",
                "tasks": [described(task)],
                "respondent": {},
            }
        )
        store.replace_samples(rows())
        for _ in store.add_responses(responses()):
            pass


def table(rng: random.Random) -> str:
    """19 rows of 4 cells: 100 nodes with the table, the body and the rows."""

    def cell() -> str:
        return f"<td>{rng.choice(WORDS)} {rng.randint(0, 99)}</td>"

    rows = "".join(f"<tr>{''.join(cell() for _ in range(4))}</tr>" for _ in range(19))
    return f"<table><tbody>{rows}</tbody></table>"


def sacrebleu_alone(count: int) -> float:
    """Seconds of sacrebleu's own counting of n-grams for as many segments."""
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    rng = random.Random(0)
    pairs = [[" ".join(rng.choices(WORDS, k=12)) for _ in range(2)] for _ in range(count)]
    scorers = (BLEU(), CHRF())
    began = time.monotonic()
    for hypothesis, reference in pairs:
        for scorer in scorers:
            scorer._extract_corpus_statistics([hypothesis], [[reference]])
    return time.monotonic() - began


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    for name in ("ocrbench", "textvqa", "cc_ocr", "multi30k"):
        task = plugins.load_task(name)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary, "run")
            write_run(folder, task, count)
            began = time.monotonic()
            rescore(folder)
            print(f"{name:10} {count} samples: {time.monotonic() - began:.1f} s", flush=True)
    print(f"{'sacrebleu':10} {count} segments alone: {sacrebleu_alone(count):.1f} s", flush=True)
    rng = random.Random(0)
    pairs = [(table(rng), table(rng)) for _ in range(200)]
    began = time.monotonic()
    for predicted, reference in pairs:
        teds(predicted, reference)
    print(f"{'teds':10} 200 pairs of 100 nodes: {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
