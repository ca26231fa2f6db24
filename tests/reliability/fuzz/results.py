"""Fuzz the reader of other people's runs: a board and a report come of them, or a `TowerevalError`.

    python -m tests.reliability.fuzz.results CORPUS -max_total_time=600

The fuzzer's bytes choose what is changed in results.json and manifest.json; whatever is still read
as a run goes on to the leaderboard.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["towereval"]):
    from towereval.errors import TowerevalError
    from towereval.leaderboard.build import build
    from towereval.leaderboard.publish import Publication, publish_board, write_report
    from towereval.results import read_run

from tests.finished_run import finished
from tests.reliability.fuzz.mutations import encoded


def one(folder: Path, data: bytes) -> None:
    draw = random.Random(data)
    shutil.rmtree(folder, ignore_errors=True)
    rows = ({"language": "de"}, {"language": "fr", "value": None}, {"language": "*"})
    run = finished(folder / "results", "org/m", "r1", *rows)
    finished(folder / "results", "org/n", "r2", *rows)
    for name in ("results.json", "manifest.json"):
        if draw.random() < 0.7:
            content = json.loads((run / name).read_text())
            (run / name).write_bytes(encoded(draw, content, data))
    with suppress(TowerevalError):
        found = read_run(run)
        assert found.checkpoint is not None
        assert found.limit is None or found.limit == found.limit
        board = build(folder / "results")
        publish_board(board, folder / "board", lambda measure: None, Publication())
        write_report(run)


def main() -> None:
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:  # for speed
        atheris.Setup(sys.argv, lambda data: one(Path(temporary) / "one", data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
