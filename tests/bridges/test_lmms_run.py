"""A run of lmms-eval's tasks, from the command to the leaderboard.

Needs an interpreter that has lmms-eval, named by TOWEREVAL_LMMS_EVAL_PYTHON.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.bridges import lmms_data
from tests.bridges.test_lmms_tasks import served, write_task
from tests.test_cli import towereval
from towereval import measured, plugins
from towereval.cli.app import app
from towereval.environments import LMMS_EVAL_PYTHON
from towereval.plan import Plan
from towereval.run import rescore, run
from towereval.store import Store

pytestmark = [served, pytest.mark.engine]


def test_a_run_is_scored_compared_and_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    folder = write_task(tmp_path / "tasks", more=lmms_data.LANGUAGES)
    data = lmms_data.ocrbench(tmp_path / "data").parent
    plan = Plan(
        "tiny",
        ("lmms:ocrbench", f"lmms:{folder}/signs"),
        engine="transformers",
        data={"lmms:ocrbench": data},
        output=tmp_path / "results",
    )
    outcome = run(plan)
    rows = {(r.task, r.language, r.metric): r for r in outcome.results}
    assert outcome.asked == 16
    assert rows["lmms:ocrbench", "en", "ocrbench_accuracy_score"].n == 8
    assert rows["lmms:signs", "de", "right"].n == rows["lmms:signs", "fr", "right"].n == 4
    longest = rows["lmms:signs", "*", "longest"]
    assert longest.languages == ("de", "fr")
    assert longest.value is not None
    assert longest.value > 1  # an aggregate is no share
    mistakes = rows["lmms:signs", "de", "mistakes"]
    assert (mistakes.n, mistakes.n_unscored, mistakes.better) == (4, 0, "smaller")
    assert rescore(outcome.folder).results == outcome.results
    assert run(plan).asked == 0
    with Store(outcome.folder, reading=True) as store:
        assert {request.decoding.max_tokens for request in store.asked()} == {12, 128}
    # What follows needs neither the worker nor its interpreter.
    monkeypatch.setenv(LMMS_EVAL_PYTHON, "/nowhere")
    assert set(measured.read(outcome.folder).tasks) == {"lmms:ocrbench", "lmms:signs"}
    done = towereval("leaderboard", "results", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    board = json.loads((tmp_path / "leaderboard" / "leaderboard.json").read_text())
    assert "lmms:signs" in json.dumps(board)


def test_the_command_takes_a_folder_of_tasks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    write_task(tmp_path / "tasks")
    words = ("run", "--model", "tiny", "--engine", "transformers", "--limit", "2", "--dry-run")
    folder = str(tmp_path / "tasks")
    # In this process, which has a worker already.
    shown = CliRunner().invoke(app, [*words, "--tasks", "lmms:signs", "--include-path", folder])
    assert shown.exit_code == 0, shown.output
    assert "requests       2, 0 of them answered" in shown.output
    longer = lmms_data.DECODING.replace("12", "13")
    write_task(tmp_path / "tasks", "plates", decoding=longer)
    (tmp_path / "tasks" / "group.yaml").write_text("group: town\ntask: [signs, plates]\n")
    shown = CliRunner().invoke(app, [*words, "--tasks", "lmms:town", "--include-path", folder])
    assert "requests       4, 0 of them answered" in shown.output
    shown = CliRunner().invoke(app, ["tasks", f"lmms:{folder}/town"])
    assert [line for line in shown.output.splitlines() if line.startswith("lmms:")] == [
        f"lmms:{name}@{plugins.load_task(f'lmms:{folder}/{name}').variant} (version 1)"
        for name in ("signs", "plates")
    ]
    assert f"  file: {folder}/plates.yaml" in shown.output
    done = towereval(*words, "--tasks", "lmms:signs", "--include-path", "absent", cwd=tmp_path)
    assert done.returncode == 2
    assert "--include-path absent: no such folder" in done.stderr
