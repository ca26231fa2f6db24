"""`towereval`, the real command, with an engine that answers by a script and says what it answered.

    python -m tests.reliability.scripted run --engine scripted --model FOLDER ...

Environment: ANSWERED names a file to which each answer's key is written before it is handed on,
SECONDS is how long an answer takes. "begun" is printed when all is imported, so that a kill at any
time from then on falls into the command's own work.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import sys
import time
import types
from collections.abc import Generator, Iterable, Mapping

import pyarrow.parquet
import sacrebleu
import scipy.stats

import towereval.bridges.lmms_eval
import towereval.leaderboard.publish
import towereval.run
from towereval import engines
from towereval.cli.app import main
from towereval.data.media import decode_image
from towereval.errors import TowerevalError
from towereval.types import Image, Model, Request, Response, Usage

IMPORTED = (pyarrow.parquet, sacrebleu, scipy.stats, towereval.leaderboard, towereval.run)
WORDS = ("A", "B", "C", "D", "ein Boot", "a red boat", "HALT", "two dogs run")


class Scripted:
    """The answer follows from the question alone; a picture that cannot be read is an error."""

    capabilities = frozenset({"generate", "score"})

    def __init__(self) -> None:
        self.usage = Usage()
        self.seconds = float(os.environ.get("SECONDS", "0"))
        name = os.environ.get("ANSWERED", os.devnull)
        self.log = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        for request in requests:
            time.sleep(self.seconds)
            answer = self._answer(request)
            os.write(self.log, f"{answer.key}\n".encode())
            yield answer

    def _answer(self, request: Request) -> Response:
        drawn = int(hashlib.sha256(request.key.encode()).hexdigest()[:8], 16)
        try:
            for part in request.media:
                if isinstance(part, Image):
                    decode_image(part)
        except TowerevalError as error:
            return Response(request.key, error=f"{type(error).__name__}: {error}")
        if request.continuation is not None:
            return Response(request.key, logprob=-1.0 - drawn % 97, token_count=1 + drawn % 5)
        return Response(request.key, WORDS[drawn % len(WORDS)], token_count=2)

    def close(self) -> None:
        os.close(self.log)


def start(model: Model, *, engine_args: Mapping[str, object], seed: int) -> Scripted:
    return Scripted()


if __name__ == "__main__":
    engines.KINDS["scripted"] = engines.EngineKind("scripted", (), "", Scripted.capabilities)
    module = types.ModuleType("towereval.engines.scripted")
    module.start = start  # type: ignore[attr-defined]
    sys.modules[module.__name__] = module
    if "train" in sys.argv[1:2]:
        importlib.import_module("towereval.train.recipe_run")
    print("begun", flush=True)
    main()
