"""The command line starts without the libraries that take seconds to import."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.test_checkpoints import checkpoint
from tests.test_cli import MAIN, installed, surroundings, towereval
from tests.test_replay import record
from towereval.engines import KINDS
from towereval.plan import Plan
from towereval.run import run
from towereval.types import Request, Response, Usage

HEAVY = (
    *("torch", "torchvision", "transformers", "vllm", "datasets", "comet", "lmms_eval", "ray"),
    *("pandas", "scipy", "matplotlib", "numpy", "PIL", "pyarrow", "sacrebleu", "av", "openai"),
    *("huggingface_hub", "safetensors", "tokenizers", "requests", "httpx", "yaml", "cv2"),
    "rich",
)
# What scoring a run, writing its results and showing them needs.
SCORING = {"numpy", "scipy", "pyarrow", "sacrebleu", "pandas", "PIL", "rich"}


def loaded(*words: object, cwd: Path, script: str = MAIN, path: tuple[Path, ...] = ()) -> list[str]:
    """Which heavy modules, and which engines, a command has imported when it ends."""
    watch = f"""
import atexit, json, sys
def tell():
    found = [m for m in sys.modules if m in {HEAVY!r} or m.startswith("towereval.engines.")]
    print("\\n" + json.dumps(sorted(found)))
atexit.register(tell)
{script}
"""
    done = towereval(*words, cwd=cwd, script=watch, path=path)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("module", ["towereval", "towereval.cli.app"])
def test_importing_loads_nothing_heavy(tmp_path: Path, module: str) -> None:
    assert loaded(cwd=tmp_path, script=f"import {module}") == []


def test_the_watch_sees_what_is_loaded(tmp_path: Path) -> None:
    script = "import numpy, towereval.engines.replay"
    assert loaded(cwd=tmp_path, script=script) == ["numpy", "towereval.engines.replay"]


@pytest.mark.parametrize(
    "words",
    [
        ("--help",),
        ("run", "--help"),
        ("tasks",),
        ("models",),
        ("models", "towervision-9b"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_listing_loads_nothing_heavy(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = (installed(tmp_path / "packages", transformers="5.19.0", torch="2.13.0"),)
    found = loaded(*words, cwd=tmp_path, path=path)
    assert found == (["rich"] if "--help" in words else [])  # typer draws helps with it


def test_a_replay_loads_no_engine_but_replay(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["commute"])
    words = ("run", "--model", "made", "--tasks", "commute", "--split", "sample")
    words = (*words, "--engine", "replay", "--engine-args", f"run={recorded}")
    first = set(loaded(*words, cwd=tmp_path))
    second = set(loaded(*words, cwd=tmp_path))
    assert first - SCORING == {"towereval.engines.replay"}
    assert second - SCORING == {"towereval.engines.replay"}


class Quick:
    """What stands where the engine would load its model: answers all alike."""

    capabilities = KINDS["transformers"].capabilities
    usage = Usage()

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        for request in requests:
            yield Response(request.key, "an answer", logprob=-1.0, token_count=1)

    def close(self) -> None:
        pass


def test_an_unchanged_second_run_loads_no_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = installed(tmp_path / "packages", transformers="5.19.0", torch="2.13.0")
    model = checkpoint(tmp_path / "model")
    monkeypatch.syspath_prepend(packages)
    engine: Any = ModuleType("towereval.engines.transformers")
    engine.start = lambda model, **options: Quick()
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    plan = Plan(
        model=str(model),
        tasks=("commute", "multi30k"),
        split="sample",
        engine="transformers",
        output=tmp_path / "results",
    )
    first = run(plan)
    assert first.asked == 72
    words = ("run", "--model", model, "--tasks", "commute,multi30k", "--split", "sample")
    second = loaded(*words, "--engine", "transformers", cwd=tmp_path, path=(packages,))
    assert set(second) <= SCORING
    assert list((tmp_path / "results").rglob("results.json")) == [first.folder / "results.json"]


def test_the_command_is_installed_beside_python() -> None:
    program = Path(sys.executable).with_name("towereval")
    if not program.exists():
        pytest.skip("towereval is not installed in this environment")
    done = subprocess.run(
        [program, "tasks"], capture_output=True, text=True, timeout=180, env=surroundings()
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "commute" in done.stdout
