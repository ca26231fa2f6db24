"""What is deployed beside the package says what the package is, and a stopped job is taken up."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.test_cli import ROOT
from towereval import __version__


def test_the_citation_names_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], cited["license"]) == (__version__, "Apache-2.0")


def test_the_container_copies_what_the_wheel_is_made_of() -> None:
    lines = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    sources = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert sources
    assert [s for s in sources if not {s, *map(str, Path(s).parents)} & set(copied)] == []


@pytest.mark.parametrize(("status", "again"), [(0, ""), (4, ""), (130, "requeue 7_1\n")])
def test_a_job_that_was_stopped_is_queued_again(tmp_path: Path, status: int, again: str) -> None:
    programs = {
        "srun": f'echo "$@" > {tmp_path}/ran; exit {status}',
        "scontrol": f'echo "$@" > {tmp_path}/queued',
    }
    for name, script in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    slurm = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", ROOT / "deploy" / "slurm.sh", "model-a", "model-b"],
        env={"PATH": path, "TASKS": "commute", **slurm},
        timeout=20,
    )
    assert done.returncode == status
    asked = "towereval run --model model-b --tasks commute --output results --retries 1\n"
    assert (tmp_path / "ran").read_text() == asked
    queued = tmp_path / "queued"
    assert (queued.read_text() if queued.exists() else "") == again
