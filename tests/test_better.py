"""Which way a metric is better, where runs are compared, ranked, exported and drawn."""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.finished_run import finished
from towereval import plugins
from towereval.bridges.eval_results import write_files
from towereval.cli.leaderboard import leaderboard
from towereval.compare import Comparison, Report, Settings, Verdict, compare
from towereval.errors import StoreError, UsageError
from towereval.gains import gains
from towereval.leaderboard.build import build
from towereval.leaderboard.publish import Publication, publish_board
from towereval.measured import Measured, MeasuredTask, Part, Statistics
from towereval.results import read_run
from towereval.types import Metric
from towereval.verdicts import as_markdown

SAMPLES = tuple(map(str, range(400)))
FIDELITY, LOSS = "language_fidelity", "image_fidelity_loss"


def measured(task: str, variant: str, **columns: Sequence[Statistics]) -> Measured:
    statistics = {name: tuple(column) for name, column in columns.items()}
    part = Part("data", str(statistics), SAMPLES, SAMPLES, statistics)
    found = MeasuredTask(variant, 1, dict.fromkeys(columns, "v1"), {"de": part})
    return Measured("model", "run", "full", {task: found})


def shown(wrong_with: int, wrong_without: int) -> Measured:
    """400 captions with the picture and without it, the first of each in another language."""
    arms = [[(float(n >= wrong),) for n in range(400)] for wrong in (wrong_with, wrong_without)]
    loss = [(without[0] - with_[0],) for with_, without in zip(*arms, strict=True)]
    return measured(
        *("xm3600", "with-and-without-image"),
        language_fidelity=arms[0],
        language_fidelity_without_image=arms[1],
        image_fidelity_loss=loss,
    )


def of(report: Report, metric: str) -> Comparison:
    [one] = [one for one in report.comparisons if one.metric == metric]
    return one


def test_with_and_without_the_picture_both_arms_and_the_loss_are_compared() -> None:
    report = compare(shown(20, 20), shown(100, 20))
    assert report.verdict is Verdict.REGRESSION
    assert of(report, FIDELITY).delta == pytest.approx(-0.2)
    assert of(report, f"{FIDELITY}_without_image").delta == 0
    assert of(report, LOSS).delta == pytest.approx(0.2)
    gated = [one.metric for one in report.comparisons if one.gated]
    assert gated == [FIDELITY]
    assert compare(shown(20, 20), shown(20, 20)).verdict is Verdict.PASS
    assert compare(shown(100, 20), shown(20, 20)).verdict is Verdict.PASS


def test_a_loss_that_rises_is_the_regression() -> None:
    gate = Settings(metrics=(LOSS,))
    report = compare(shown(20, 20), shown(100, 20), gate)
    assert report.verdict is Verdict.REGRESSION
    one = of(report, LOSS)
    assert (one.base, one.candidate) == (0.0, pytest.approx(0.2))
    assert one.ci_low is not None and one.ci_high is not None
    assert 0.1 < one.ci_low < one.delta < one.ci_high < 0.3
    assert "loss, smaller is better" in as_markdown(report)
    better = compare(shown(100, 20), shown(20, 20), gate)
    assert better.verdict is Verdict.PASS
    assert of(better, LOSS).verdict == "improvement"
    # What may still hide is a rise, and its limit is above.
    [reason] = compare(shown(20, 20), shown(24, 20), gate).reasons
    assert "up to +" in reason and "of rises" in reason


def test_differences_of_samples_are_as_far_apart_as_they_can_be() -> None:
    """Two made-up samples disagree by 2, not by 1: half as sure where nothing was seen."""
    loss = of(compare(shown(0, 0), shown(0, 0)), LOSS)
    arm = of(compare(shown(0, 0), shown(0, 0)), FIDELITY)
    assert loss.ci_high is not None and arm.ci_high is not None
    assert loss.ci_high == pytest.approx(2 * arm.ci_high)


def answers(yes: int) -> Measured:
    """400 questions, half of which want a yes, of a model that says yes to the first."""
    said = [n < yes for n in range(400)]
    right = [(float(one == (n < 200)),) for n, one in enumerate(said)]
    both = [(float(one and n < 200), float(one), float(n < 200)) for n, one in enumerate(said)]
    return measured("pope", "lrm", accuracy=right, f1=both, yes_rate=[(float(o),) for o in said])


def test_a_bias_is_shown_and_never_gated() -> None:
    report = compare(answers(200), answers(200))
    assert report.verdict is Verdict.PASS
    assert not of(report, "yes_rate").gated
    with pytest.raises(UsageError, match="yes_rate of pope cannot be gated"):
        compare(answers(200), answers(200), Settings(metrics=("yes_rate",)))
    with pytest.raises(UsageError, match="yes_rate of pope has no gains: of it neither way"):
        gains(answers(200), answers(100), ["core"], metric="yes_rate")


def captions(value: float) -> Measured:
    """400 captions, each of that CIDEr and a little more or less."""
    column = [(value * (0.5 + n % 3 / 2),) for n in range(400)]
    return measured("xm3600", "centurio", cider=column)


def test_two_points_of_cider_are_not_twenty() -> None:
    """Ten is its largest value, but one is printed as 100: 15 to 5 points is no small drop."""
    report = compare(captions(0.15), captions(0.05))
    assert report.verdict is Verdict.REGRESSION
    assert "-10.0 points" in report.reasons[0]
    small = compare(captions(0.15), captions(0.149))
    assert small.verdict is Verdict.PASS
    assert of(small, "cider").verdict == "drop within the margin"


ROWS = [
    {"task": "pope", "variant": "lrm", "metric": "accuracy"},
    {"task": "pope", "variant": "lrm", "metric": "yes_rate", "better": "neither"},
    {"task": "xm3600", "variant": "with-and-without-image", "metric": LOSS, "better": "smaller"},
]


def find(measure: object) -> Metric | None:
    return None  # the samples are not at hand: intervals alone rank


def test_a_board_ranks_smaller_losses_first_and_no_bias(tmp_path: Path) -> None:
    for model, value in (("low", 0.2), ("high", 0.8)):
        finished(tmp_path, model, "r1", *({**row, "value": value} for row in ROWS))
    content = publish_board(build(tmp_path), tmp_path / "board", find, Publication())
    assert content["models"][0]["name"] == "high"
    ways = {one["metric"]: (one["better"], one["averaged"]) for one in content["measures"]}
    assert ways == {
        "accuracy": ("larger", True),
        "yes_rate": ("neither", False),
        LOSS: ("smaller", False),
    }
    ranks = {
        content["measures"][line["measure"]]["metric"]: line["rank_best"]
        for line in content["lines"]
    }
    assert ranks == {"accuracy": [1, 2], "yes_rate": [None, None], LOSS: [2, 1]}
    page = (tmp_path / "board" / "index.html").read_text(encoding="utf-8")
    packed = gzip.decompress(base64.b64decode(re.findall(r"[A-Za-z0-9+/=]{400,}", page)[0]))
    labels = [one["metric_label"] for one in json.loads(packed)["measures"]]
    assert labels[1:] == [
        "yes rate, neither way is better",
        "image fidelity loss, smaller is better",
    ]


def test_many_models_are_listed_from_the_best_by_what_ranks_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The loss comes first by name; a bias would, too, and ranks nobody."""
    names = ((LOSS, "smaller"), ("a_bias", "neither"))
    for n in range(10):
        rows = [{"metric": name, "better": way, "value": (n + 1) / 20} for name, way in names]
        finished(tmp_path / "results", f"model-{n}", "r1", *({**ROWS[2], **row} for row in rows))
    leaderboard(tmp_path / "results", tmp_path / "board", samples=0)
    lines = capsys.readouterr().out.splitlines()
    shown = [line.split()[1] for line in lines if "model-" in line]
    assert shown == [f"model-{n}" for n in range(10)]
    assert lines[-1].startswith("average over xm3600 image_fidelity_loss, smaller is better;")


def test_a_row_of_another_way_is_refused(tmp_path: Path) -> None:
    folder = finished(tmp_path, "m", "r1", ROWS[0])
    content = json.loads((folder / "results.json").read_text())
    content["results"][0]["better"] = "higher"
    (folder / "results.json").write_text(json.dumps(content))
    with pytest.raises(StoreError, match="better must be one of larger, smaller, neither"):
        read_run(folder)


def test_a_row_without_it_is_of_larger_values(tmp_path: Path) -> None:
    folder = finished(tmp_path, "m", "r1", ROWS[0])
    content = json.loads((folder / "results.json").read_text())
    del content["results"][0]["better"]
    (folder / "results.json").write_text(json.dumps(content))
    assert read_run(folder).rows[0].better == "larger"


def test_the_hubs_notes_say_which_way(tmp_path: Path) -> None:
    run = read_run(finished(tmp_path, "m", "r1", *ROWS))
    data = {"pope": "lmms-lab/POPE", "xm3600": "floschne/xm3600"}
    notes = "\n".join(file.read_text() for file in write_files(run, tmp_path, data))
    assert notes.count("neither way is better") == 1
    assert notes.count("smaller is better") == 1


def test_all_metrics_of_all_tasks_say_it() -> None:
    ways = {
        metric.name: metric.better
        for name in plugins.names("tasks")
        for task in plugins.load_tasks(name)
        for metric in task.metrics
    }
    odd = {name: way for name, way in ways.items() if way != "larger"}
    assert odd == {"yes_rate": "neither", LOSS: "smaller"}
