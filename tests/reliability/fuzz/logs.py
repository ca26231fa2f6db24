"""Fuzz the import of lmms-eval's logs: a run comes of it, or one `TowerevalError`.

    python -m tests.reliability.fuzz.logs CORPUS -max_total_time=600

The fuzzer's bytes choose a log, what is changed in its rows and in the results file beside it.
"""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["towereval", "tasks"]):
    from towereval.bridges import lmms_eval
    from towereval.bridges.logged import compare
    from towereval.errors import TowerevalError
    from towereval.results import read_run

import json

from tests.reliability.fuzz.mutations import encoded
from tests.test_lmms_eval import STAMP, alm, caption, ocr, reading

ROWS = {
    "alm-bench-de": [alm(number, "Lot") for number in range(3)],
    "cc-ocr-multi-lan-fr": [reading(number, "rue du port", "rue du port") for number in range(3)],
    "ocrbench": [ocr(number, "HALT") for number in range(3)],
    "multi30k-de": [caption(number, "Ein Boot.") for number in range(3)],
}
# It asks git about the checkout, which takes longer than all the rest.
lmms_eval.describe = dict


def one(folder: Path, data: bytes) -> None:
    draw = random.Random(data)
    shutil.rmtree(folder, ignore_errors=True)
    logs = folder / "logs"
    logs.mkdir(parents=True)
    name = draw.choice(list(ROWS))
    rows = [json.loads(row) for row in ROWS[name]]
    lines = [
        encoded(draw, row, data) if draw.random() < 0.4 else json.dumps(row).encode()
        for row in rows
    ]
    (logs / f"{STAMP}_samples_{name}.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    said = {
        "n-samples": {name: {"original": 1000, "effective": len(rows)}},
        "model_name": "org/theirs",
        "config": {"limit": None, "model_args": "pretrained=org/theirs"},
        "results": {name: {"exact_match,none": 0.5, "ocr_results,none": {"macro_f1_score": 0.1}}},
    }
    about = json.dumps(said).encode() if draw.random() < 0.6 else encoded(draw, said, data)
    (logs / f"{STAMP}_results.json").write_bytes(about)
    with suppress(TowerevalError):
        found = lmms_eval.import_logs(logs, model="theirs", output=folder / "results")
        read_run(found.outcome.folder)
        compare(found.outcome.folder, found.logs, found.outcome.results)


def main() -> None:
    Path(sys.argv[1]).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as temporary:  # for speed
        atheris.Setup(sys.argv, lambda data: one(Path(temporary) / "one", data))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
