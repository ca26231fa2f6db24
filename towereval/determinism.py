"""Does a model answer alike when it is asked again in other company?

Kernels add up in an order that depends on the batch, so a greedy answer can flip between two runs
of one model. The share that does is the noise under every comparison of two runs.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import islice

from towereval.speed import Repetition
from towereval.store import Store
from towereval.types import Engine, Request

# Few at a time, where a run's requests meet hundreds of others.
BATCH = 3


def ask_again(store: Store, engine: Engine, count: int, seed: int) -> Repetition:
    """Ask `count` answered requests once more, shuffled and `BATCH` at a time; nothing is stored.

    Log-probabilities are no answers in this sense: only generated texts are compared.
    """
    chosen = list(store.answered_requests(count, random.Random(seed)))
    before = {request.key: text for request, text in chosen}
    flipped = failed = 0
    for batch in _batches(iter([request for request, _ in chosen])):
        for response in engine.run(batch):
            failed += bool(response.error)
            flipped += not response.error and response.text != before[response.key]
    invariant = os.environ.get("VLLM_BATCH_INVARIANT", "0") not in ("", "0")
    return Repetition(len(chosen), flipped, failed, invariant)


def _batches(requests: Iterator[Request]) -> Iterator[list[Request]]:
    while batch := list(islice(requests, BATCH)):
        yield batch
