"""What tests in lmms-eval's environment share."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path, cache: Path) -> dict[str, str]:
    """The environment of a command that finds this checkout, with pyproject.toml's entry points."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about = tmp_path / "site" / "towereval-0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: towereval\nVersion: 0\n")
    lines = [f"{n} = {place}" for n, place in project["entry-points"]["lmms_eval.models"].items()]
    (about / "entry_points.txt").write_text("\n".join(["[lmms_eval.models]", *lines]))
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(about.parent)]),
        "TOWEREVAL_CACHE": str(cache),
        "HF_HOME": str(tmp_path / "hub"),
    }
