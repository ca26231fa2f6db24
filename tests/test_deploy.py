"""What is deployed beside the package says what the package is, and a stopped job is taken up."""

from __future__ import annotations

import os
import subprocess
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.test_cli import ROOT, error_line, towereval
from towereval import __version__

KUBERNETES = ROOT / "deploy" / "kubernetes.yaml"


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture(scope="module")
def job() -> Any:
    return yaml.safe_load(KUBERNETES.read_text(encoding="utf-8"))


def test_the_citation_and_the_job_name_this_version(job: Any) -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (cited["version"], cited["license"]) == (__version__, "Apache-2.0")
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["image"].endswith(f"/towereval:{__version__}")


@pytest.mark.parametrize(("status", "again"), [(0, ""), (4, ""), (130, "requeue 7_1\n")])
def test_a_job_that_was_stopped_is_queued_again(tmp_path: Path, status: int, again: str) -> None:
    program(tmp_path, "srun", f'echo "$@" > {tmp_path}/ran; exit {status}')
    program(tmp_path, "scontrol", f'echo "$@" > {tmp_path}/queued')
    slurm = {"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "1"}
    path = f"{tmp_path}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", ROOT / "deploy" / "slurm.sh", "model-a", "model-b"],
        env={"PATH": path, "TASKS": "commute", **slurm},
        timeout=180,
    )
    assert done.returncode == status
    asked = "towereval run --model model-b --tasks commute --output results --retries 1\n"
    assert (tmp_path / "ran").read_text() == asked
    queued = tmp_path / "queued"
    assert (queued.read_text() if queued.exists() else "") == again


@pytest.mark.parametrize("version", ["1.33", "1.37"])
def test_the_job_is_one_of_kubernetes(job: Any, version: str) -> None:
    """By Kubernetes' own schemas, where no field is unknown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the package's own
        import kubernetes_validate
    kubernetes_validate.validate(job, version, strict=True)
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**job, "spec": {"complete": 2}}, version, strict=True)


def test_a_pod_that_was_stopped_goes_on(job: Any) -> None:
    """The container is stopped as Ctrl-C stops a run, whose status the job does not count."""
    container = (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8")
    assert "\nSTOPSIGNAL SIGINT\n" in container
    [stopped, taken] = job["spec"]["podFailurePolicy"]["rules"]
    assert stopped["action"] == taken["action"] == "Ignore"
    [pod] = job["spec"]["template"]["spec"]["containers"]
    codes = {"containerName": pod["name"], "operator": "In", "values": [130]}
    assert stopped["onExitCodes"] == codes
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"  # else no policy is heeded
    assert job["spec"]["backoffLimitPerIndex"] == 0
    # What it writes lies in a claim, which the next pod has, too.
    volumes = job["spec"]["template"]["spec"]["volumes"]
    kept = {volume["name"] for volume in volumes if "persistentVolumeClaim" in volume}
    assert {m["mountPath"] for m in pod["volumeMounts"] if m["name"] in kept} >= {"/cache", "/work"}


def test_every_pod_of_the_job_asks_for_a_model_of_its_own(job: Any, tmp_path: Path) -> None:
    """What a pod runs, with a program in towereval's place."""
    program(tmp_path, "towereval", f'printf "%s\\n" "$@" > {tmp_path}/words; exit 130')
    [container] = job["spec"]["template"]["spec"]["containers"]
    models = []
    for index in range(job["spec"]["completions"]):
        done = subprocess.run(
            [*container["command"], *container["args"]],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "JOB_COMPLETION_INDEX": str(index)},
            timeout=180,
        )
        assert done.returncode == 130
        words = (tmp_path / "words").read_text().split()
        options = dict(zip(words[1::2], words[2::2], strict=True))
        models.append(options["--model"])
        assert options["--replicas"] == str(container["resources"]["limits"]["nvidia.com/gpu"])
        # The words are towereval's own: nothing but the hub that cannot be asked is in their way.
        told = towereval(*words, "--dry-run", cwd=tmp_path, HF_HOME=str(tmp_path))
        assert "cannot be read from the hub" in error_line(told, 4)
    assert len(set(models)) == job["spec"]["completions"]
