"""Answers from a run that was recorded before: `--engine replay --engine-args run=PATH`.

The answers are the recorded model's, found by the request's key; a request that was not asked then
is an error.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from pathlib import Path
from typing import Any

from towereval.engines import KINDS
from towereval.errors import UsageError
from towereval.store import Store
from towereval.types import Model, Request, Response, Usage


def start(model: Model | None, *, engine_args: Mapping[str, Any], seed: int) -> ReplayEngine:
    return ReplayEngine(recording(engine_args))


def recording(engine_args: Mapping[str, Any]) -> Path:
    """The run's folder that is to be replayed."""
    if set(engine_args) != {"run"}:
        raise UsageError(
            "the replay engine wants --engine-args run=PATH, the folder of a recorded run"
        )
    return Path(str(engine_args["run"]))


class ReplayEngine:
    capabilities = KINDS["replay"].capabilities

    def __init__(self, folder: Path) -> None:
        self.store = Store(folder, reading=True)
        self.usage = Usage()

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        for request in requests:
            response = self.store.response(request.key)
            yield response or Response(request.key, error="this request is not in the recorded run")

    def close(self) -> None:
        self.store.close()
