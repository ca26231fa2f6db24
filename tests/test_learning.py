"""Learned metrics in a run: scored once, kept, by the checkpoint that was named, or not at all.

Real scores need an interpreter that has unbabel-comet: TOWEREVAL_COMET_PYTHON names it.
"""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.conftest import COMET_PYTHON
from tests.test_replay import record, replayed
from towereval.errors import UnknownName
from towereval.grading import Scoring
from towereval.run import Outcome, rescore, run
from towereval.types import Result

BUILDER = Path(__file__).parent / "metrics" / "tiny_comet.py"


def rows(outcome: Outcome, metric: str) -> list[Result]:
    return [row for row in outcome.results if row.metric == metric]


def test_without_comet_its_rows_say_so_and_the_others_are_scored(
    tmp_path: Path,
) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    checkpoints = {"xcomet_xl": "Unbabel/XCOMET-XL"}
    plan = replayed(recorded, tmp_path / "results", ["multi30k"], checkpoints=checkpoints)
    outcome = run(plan)
    learned = rows(outcome, "xcomet_xl")
    assert [(row.language, row.value, row.n, row.n_unscored, row.n_failed) for row in learned] == [
        ("cs", None, 0, 8, 0),
        ("de", None, 0, 8, 0),
        ("fr", None, 0, 8, 0),
    ]
    assert {row.note for row in learned} == {"unscored: not installed; run: towereval setup comet"}
    assert all(row.value is not None for row in rows(outcome, "bleu"))
    assert not outcome.failures


@pytest.mark.usefixtures("comet")
def test_the_sample_split_needs_a_checkpoint_by_name_whatever_is_installed(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    outcome = run(replayed(recorded, tmp_path / "results", ["multi30k"]))
    assert {row.note for row in rows(outcome, "xcomet_xl")} == {
        "unscored: on the sample split only by --checkpoint xcomet_xl=MODEL"
    }
    assert not outcome.failures


def test_a_checkpoint_is_only_for_a_learned_metric_of_the_run(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    plan = replayed(recorded, tmp_path / "results", ["multi30k"], checkpoints={"bleu": "/model"})
    with pytest.raises(UnknownName, match="unknown learned metric 'bleu'"):
        run(plan)


@pytest.mark.slow
@pytest.mark.usefixtures("comet")
def test_scores_come_from_the_named_checkpoint_and_are_kept(tmp_path: Path) -> None:
    models = tmp_path / "models"
    subprocess.run([COMET_PYTHON, "-I", "-W", "ignore", BUILDER, "build", models], check=True)
    recorded = record(tmp_path / "recorded", ["multi30k"])
    plan = replayed(
        recorded,
        tmp_path / "results",
        ["multi30k"],
        checkpoints={"xcomet_xl": str(models / "xcomet")},
    )
    outcome = run(plan)
    learned = rows(outcome, "xcomet_xl")
    assert [(row.language, row.n) for row in learned] == [
        ("cs", 8),
        ("de", 8),
        ("fr", 8),
        ("*", 24),
    ]
    assert all("|model:xcomet|sha256:" in row.signature for row in learned)

    # The folder remembers the checkpoint; what was scored is read, not scored again.
    with sqlite3.connect(outcome.folder / "run.sqlite") as database:
        database.execute("UPDATE segments SET score = 0.5")
    kept = rows(rescore(outcome.folder), "xcomet_xl")
    assert [row.value for row in kept] == [0.5] * 4

    other = rescore(outcome.folder, Scoring(checkpoints={"xcomet_xl": str(models / "regression")}))
    assert {row.signature for row in rows(other, "xcomet_xl")} != {kept[0].signature}
    assert {row.value for row in rows(other, "xcomet_xl")} != {0.5}
