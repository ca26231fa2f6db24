"""`make demo`: its commands are the README's, can be typed, and each finds what another leaves."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest
import typer

from tests.test_cli import ROOT
from tests.test_replay import Answer, record, replayed, right
from towereval.cli.app import app
from towereval.plan import folder_name
from towereval.run import run
from towereval.types import Request, Response, Sample

TASKS = ("ocrbench", "multi30k", "commute", "alm_bench@towervision-text", "vimul_bench")


def commands() -> list[str]:
    """What `make demo` runs, without the environment and the path before `towereval`."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    told = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "--assume-old=.venv/.ready", "demo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return re.findall(r"(?<=\.venv/bin/)towereval .*", told.stdout)


def test_its_commands_are_the_readmes() -> None:
    pages = (ROOT / "README.md").read_text(encoding="utf-8")
    trained = [line for line in commands() if "trained/tiny" in line]
    assert [line.split()[1] for line in trained] == ["run", "run", "run", "compare"]
    for line in ("towereval train tiny", *trained):
        assert re.search(rf"^{re.escape(line)}( +#.*)?$", pages, re.MULTILINE), line


def test_they_can_be_typed() -> None:
    group = typer.main.get_command(app)
    for line in commands():
        _, name, *words = shlex.split(line)
        command = group.commands[name]  # type: ignore[attr-defined]
        command.make_context(name, words)


def test_runs_are_kept_where_they_are_compared() -> None:
    lines = commands()
    (compared,) = (line for line in lines if line.startswith("towereval compare"))
    for words, pattern in zip(("untrained", "model"), compared.split()[2:], strict=True):
        (model, *_) = (line.split()[3] for line in lines if f"trained/tiny/{words} " in line)
        # What the option `output` of evaluation/run.toml says, tests/train/test_evaluation.py.
        assert fnmatch(f"trained/tiny/scores/{folder_name(model)}/full-0", pattern)


def ignorant(sample: Sample, request: Request) -> Response:
    answer = right(sample, request)
    if answer.logprob is not None:
        return Response(request.key, logprob=-5.0 - answer.logprob, token_count=1)
    return Response(request.key, "nothing of the kind", token_count=3)


def scored(output: Path, model: str, answer: Answer, diagnosis: str = "") -> None:
    tasks = [f"{task}{diagnosis}" for task in TASKS]
    recorded = record(output / f"recorded {model}", tasks, answer)
    run(replayed(recorded, output, tasks, model=model))


def table(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", str(ROOT / "scripts" / "demo_table.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_holds_only_for_what_was_learned_by_looking(tmp_path: Path) -> None:
    scored(tmp_path / "scores", "untrained", ignorant)
    scored(tmp_path / "scores", "model", right)
    scored(tmp_path / "scores-wrong-pictures", "model", ignorant, "+wrong-picture")
    done = table(tmp_path)
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("ocrbench"))
    assert line.split()[:5] == ["ocrbench@official", "accuracy", "30", "0", "0.000"]
    assert re.search(r"1\.000 \(0\.\d+ to 1\.000\) +0\.000", line)

    shutil.rmtree(tmp_path / "scores-wrong-pictures")
    scored(tmp_path / "scores-wrong-pictures", "model", right, "+wrong-picture")
    done = table(tmp_path)
    assert done.returncode == 1
    assert "commute: 1.000 with wrong pictures, which is not near chance" in done.stderr

    shutil.rmtree(tmp_path / "scores" / "model")
    scored(tmp_path / "scores", "model", ignorant)
    done = table(tmp_path)
    assert done.returncode == 1
    assert "ocrbench: trained against untrained is 'same answers', no improvement" in done.stderr
