"""The benchmark for a GPU runs from end to end where there is none, on the tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu" / "transformers_speed.py"


def test_it_measures_the_tiny_shape(libraries: None, tmp_path: Path) -> None:
    options = "--device cpu --shape tiny --count 4 --languages 2 --batch 4 --repetitions 1"
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), *options.split(), "--results", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])},
    )
    assert ended.returncode == 0, ended.stderr
    (file,) = tmp_path.glob("*-transformers-tiny.md")
    told = file.read_text(encoding="utf-8")
    assert "Answers equal." in told
    # Four pictures of five tiles, and twice as many where each is asked about in two languages.
    rows = [line.split(" | ") for line in told.splitlines() if line.startswith("| ")]
    assert [row[5] for row in rows[2:]] == ["20", "20", "40"]
