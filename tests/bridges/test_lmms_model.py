"""Our models in lmms-eval: its own command with `--model towereval`.

Needs an interpreter that has lmms-eval and what our transformers engine needs, named by
TOWEREVAL_LMMS_EVAL_PYTHON; towereval itself is found there as if it were installed.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.bridges.test_lmms_tasks import PYTHON, WORDS, served, write_task
from towereval.plan import Plan
from towereval.run import run
from towereval.store import Store

pytestmark = [served, pytest.mark.engine]


def lmms_eval(
    environment: dict[str, str], folder: Path, *words: str, engine: str = "transformers"
) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, "-W", "ignore", "-m", "lmms_eval", "--model", "towereval", "--model_args"]
    settings = f"model=tiny,engine={engine}"
    task = ("--tasks", "signs", "--include_path", str(folder), "--output_path", "logs")
    return subprocess.run(
        [*command, settings, *task, "--log_samples", *words],
        env=environment,
        cwd=folder.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_our_model_answers_there_as_here(
    tmp_path: Path, installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    folder = write_task(tmp_path / "tasks")
    done = lmms_eval(installed, folder)
    assert done.returncode == 0, done.stderr[-3000:]
    (log,) = (tmp_path / "logs").rglob("*_samples_signs.jsonl")
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    theirs = {str(row["doc_id"]): row["filtered_resps"] for row in rows}
    tasks = (f"lmms:{folder}/signs",)
    outcome = run(Plan("tiny", tasks, engine="transformers", output=tmp_path / "results"))
    with Store(outcome.folder, reading=True) as store:
        ours = {name: text for _, name, text, _ in store.answer_texts("lmms:signs")}
    assert len(set(ours.values())) == len(WORDS)
    assert {name: text.strip() for name, text in ours.items()} == {
        name: text if isinstance(text, str) else text[0] for name, text in theirs.items()
    }


def test_a_request_that_fails_ends_the_command(tmp_path: Path, installed: dict[str, str]) -> None:
    folder = write_task(tmp_path / "tasks")
    code = (folder / "code.py").read_text()
    # The tiny model reads four pictures at most.
    (folder / "code.py").write_text(code.replace('[picture.convert("RGB")]', "[picture] * 5"))
    done = lmms_eval(installed, folder, "--limit", "2")
    # Their command prints what was raised and exits with 0, as after any other error.
    assert "EngineError: a request failed: " in done.stderr
    assert "the prompt has 5 pictures, the model reads 4" in done.stderr
    assert not list((tmp_path / "logs").rglob("*_results.json"))
