"""The benchmark of training runs from end to end where there is no GPU, on the tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu" / "train.py"


def test_it_measures_the_tiny_shape(tmp_path: Path) -> None:
    options = "--device cpu --shape tiny --stages 1,3 --ladder --batch 6 --warm-up 0 --steps 1"
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), *options.split(), "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2]), "OMP_NUM_THREADS": "1"},
    )
    assert ended.returncode == 0, ended.stderr
    (file,) = tmp_path.glob("*-train-tiny.md")
    lines = file.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| stage")]
    assert [row[0] for row in rows] == [
        "stage 1: packing, loss in chunks, eager",
        "stage 3: packing, loss in chunks, eager",
        "stage 2: unpacked, all logits, eager",
        "stage 2: + packing",
        "stage 2: + loss in chunks",
    ]
    fill = [float(row[5].rstrip("%")) for row in rows]
    assert min(fill) > 85
    for row in rows:
        tokens, flops = (float(row[at].replace(",", "")) for at in (1, 2))
        assert tokens > 0
        assert flops > 0
