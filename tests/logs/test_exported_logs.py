"""A run's samples as logs of other harnesses: read back, they give the same numbers."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.logs.test_inspect_logs import MADE, taken
from tests.test_replay import record
from towereval.bridges import inspect_export, lmms_samples
from towereval.environments import LMMS_EVAL_PYTHON
from towereval.errors import UsageError
from towereval.plan import Plan
from towereval.results import Run, read_run
from towereval.run import run as ask
from towereval.types import Result

INSPECT_PYTHON = os.environ.get("TOWEREVAL_INSPECT_PYTHON", "")
LM_EVAL_PYTHON = os.environ.get("TOWEREVAL_LM_EVAL_PYTHON", "")
LMMS_PYTHON = os.environ.get(LMMS_EVAL_PYTHON, "")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The bundled samples of two tasks, answered by a recording."""
    folder = tmp_path_factory.mktemp("ours")
    recorded = record(folder / "recorded", ["ocrbench", "cc_ocr"])
    plan = Plan(
        model="made",
        tasks=("ocrbench", "cc_ocr"),
        split="sample",
        engine="replay",
        engine_args={"run": str(recorded)},
        output=folder / "results",
    )
    return read_run(ask(plan).folder)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with a failed and an unscored sample."""
    found = taken(MADE / "good.eval", tmp_path_factory.mktemp("failing"))
    return read_run(found.outcome.folder)


def numbers(rows: tuple[Result, ...], *, macro: bool = True) -> list[tuple[Any, ...]]:
    """To seven digits: CC-OCR's own mean divides by the count and a billionth."""
    return sorted(
        (row.metric, row.language, round(row.value, 7), row.n, row.n_failed, row.n_unscored)
        for row in rows
        if row.value is not None and not row.group and (macro or row.language != "*")
    )


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


# --- lmms-eval ---


def test_lmms_evals_logs_give_the_same_numbers(failing: Run, tmp_path: Path) -> None:
    lmms_samples.write_logs(failing, tmp_path / "logs")
    back = taken(tmp_path / "logs", tmp_path / "results")
    assert numbers(back.outcome.results) == numbers(failing.rows, macro=False)
    assert back.model == "mockllm/good"


def test_a_line_is_what_lmms_eval_writes(failing: Run, tmp_path: Path) -> None:
    results, german, french = lmms_samples.write_logs(failing, tmp_path)
    assert german.name.endswith("-de.jsonl")
    first, *_ = lines(german)
    assert first["doc_id"] == 0
    assert (first["includes"], first["score"]) == (1.0, 1.0)
    assert first["filtered_resps"] == ["sieben Tage"]
    assert (first["input"], first["target"]) == ("Wie viele Tage hat eine Woche?", "sieben")
    failed = lines(french)[1]
    assert failed["filtered_resps"][0].startswith("[LMMS_EVAL_REQUEST_FAILED] inspect: ValueError(")
    assert "score" not in failed and not failed["target"]  # else --baseline calls it wrong
    told = json.loads(results.read_text())
    name = german.stem.partition("_samples_")[2]
    assert told["results"][name]["includes,none"] == pytest.approx(2 / 3)
    assert told["configs"][name]["metadata"][0]["towereval"]["language"] == "de"
    [group] = told["groups"].values()
    assert group["includes,none"] == pytest.approx(7 / 12)


# --- inspect ---


def test_inspects_logs_give_the_same_numbers(failing: Run, tmp_path: Path) -> None:
    inspect_export.write_logs(failing, tmp_path / "logs")
    back = taken(tmp_path / "logs", tmp_path / "results")
    assert numbers(back.outcome.results) == numbers(failing.rows)
    assert [row.ci_low for row in back.outcome.results] == [row.ci_low for row in failing.rows]


def test_a_run_of_ours_comes_back_but_for_what_is_of_all_samples(ours: Run, tmp_path: Path) -> None:
    inspect_export.write_logs(ours, tmp_path / "logs")
    back = taken(tmp_path / "logs", tmp_path / "results")
    kept = tuple(row for row in ours.rows if row.metric != "micro_f1")
    assert numbers(back.outcome.results) == numbers(kept)
    assert "cc_ocr" in {row.task for row in ours.rows}
    assert "micro_f1 is not taken: no sample has a score of it" in " ".join(back.notices)
    # The bundled samples are no benchmark, whoever carried them.
    assert {row.split for row in back.outcome.results} == {"sample"}


@pytest.mark.parametrize("write", [inspect_export.write_logs, lmms_samples.write_logs])
def test_the_same_run_gives_the_same_files(write: Any, failing: Run, tmp_path: Path) -> None:
    first = [file.read_bytes() for file in write(failing, tmp_path / "a")]
    assert [file.read_bytes() for file in write(failing, tmp_path / "b")] == first


@pytest.mark.parametrize("write", [inspect_export.write_logs, lmms_samples.write_logs])
def test_a_run_without_values_is_refused(write: Any, failing: Run, tmp_path: Path) -> None:
    from dataclasses import replace

    empty = tuple(replace(row, value=None) for row in failing.rows)
    with pytest.raises(UsageError, match="nothing to export"):
        write(replace(failing, rows=empty), tmp_path)


# --- by the real packages ---


@pytest.mark.skipif(not INSPECT_PYTHON, reason="TOWEREVAL_INSPECT_PYTHON names no interpreter")
def test_inspect_reads_what_is_exported(failing: Run, ours: Run, tmp_path: Path) -> None:
    files = [file for run in (failing, ours) for file in inspect_export.write_logs(run, tmp_path)]
    script = """
import json, sys
from inspect_ai.log import read_eval_log, read_eval_log_sample_summaries
for file in sys.argv[1:]:
    log = read_eval_log(file)
    samples = {
        s.id: [s.output.completion, s.error and s.error.message, s.metadata["language"],
               {k: v.value for k, v in (s.scores or {}).items() if v.value == v.value}]
        for s in log.samples
    }
    scores = {s.name: {k: m.value for k, m in s.metrics.items()} for s in log.results.scores}
    count = len(read_eval_log_sample_summaries(file))
    print(json.dumps([log.status, log.eval.task, log.eval.model, count, samples, scores]))
"""
    done = subprocess.run(
        [INSPECT_PYTHON, "-c", script, *map(str, files)], capture_output=True, text=True, check=True
    )
    first, *rest = map(json.loads, done.stdout.splitlines())
    status, task, model, count, samples, scores = first
    assert (status, model, count) == ("success", "mockllm/good", 6)
    assert task.startswith("inspect:weeks@v2-")
    assert samples["fr-q4"] == ["", "inspect: ValueError('the picture cannot be read')", "fr", {}]
    assert samples["de-q1"][0] == "weiss"
    assert samples["de-q1"][3] == {"includes": 1, "length": 5, "pair.hit": 1, "pair.near": 0.5}
    assert "length" not in samples["fr-q5"][3]  # it could not be judged
    assert scores["includes"]["macro_mean"] == pytest.approx(7 / 12)
    assert len(rest) == len({row.task for row in ours.rows})


@pytest.mark.skipif(not INSPECT_PYTHON, reason="TOWEREVAL_INSPECT_PYTHON names no interpreter")
def test_logs_of_the_installed_inspect_are_read(tmp_path: Path) -> None:
    maker = Path(__file__).with_name("make_inspect.py")
    subprocess.run([INSPECT_PYTHON, maker, tmp_path], capture_output=True, check=True)
    for name in ("good.eval", "other.json", "epochs.eval"):
        now, before = (
            taken(folder / name, tmp_path / "results").outcome for folder in (tmp_path, MADE)
        )
        assert numbers(now.results) == numbers(before.results)
        assert [row.data for row in now.results] == [row.data for row in before.results]


@pytest.mark.skipif(not LM_EVAL_PYTHON, reason="TOWEREVAL_LM_EVAL_PYTHON names no interpreter")
def test_logs_of_the_installed_lm_eval_are_read(tmp_path: Path) -> None:
    maker = Path(__file__).with_name("make_lm_eval.py")
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home")}
    made = tmp_path / "made"
    subprocess.run([LM_EVAL_PYTHON, maker, made], capture_output=True, check=True, env=offline)
    for name in ("short", "long"):
        now, before = (
            taken(folder / name, tmp_path / "results", model=name).outcome
            for folder in (made, MADE)
        )
        assert numbers(now.results) == numbers(before.results)
        assert [row.data for row in now.results] == [row.data for row in before.results]


@pytest.mark.skipif(not LMMS_PYTHON, reason=f"{LMMS_EVAL_PYTHON} names no interpreter")
def test_lmms_evals_baseline_reads_what_is_exported(failing: Run, tmp_path: Path) -> None:
    _, german, french = lmms_samples.write_logs(failing, tmp_path)
    script = """
import json, sys
from lmms_eval.baselines.loader import load_baseline
for file in sys.argv[1:]:
    scores, results = load_baseline(file, "weeks")
    print(json.dumps([scores, sorted(results["results"])]))
"""
    done = subprocess.run(
        [LMMS_PYTHON, "-c", script, german, french], capture_output=True, text=True, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[{")]
    assert [scores for scores, _ in found] == [{"0": 1, "1": 1, "2": 0}, {"0": 1, "2": 0}]
    names = [file.stem.partition("_samples_")[2] for file in (german, french)]
    assert [told for _, told in found] == [names, names]
