"""Language fidelity in the gate: compared and shown, deciding nothing unless it is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from towereval.compare import Settings, Verdict, compare
from towereval.measured import Measured, MeasuredTask, Part

SAMPLES = tuple(map(str, range(400)))


def answered(english: int, *, chrf: bool = True, rule: str = "lingua:1") -> Measured:
    """400 German captions, of which so many are English."""
    columns = {"language_fidelity": tuple((float(n >= english),) for n in range(400))}
    if chrf:
        columns = {"chrf": ((9.0, 9.0, 1.0) * 6,) * 400, **columns}
    signatures = {name: rule if name.startswith("language") else "v1" for name in columns}
    part = Part("data", f"{english}", SAMPLES, SAMPLES, columns)
    task = MeasuredTask("towervision", 1, signatures, {"de": part})
    return Measured("model", "run", "full", {"multi30k": task})


def test_it_is_compared_and_decides_nothing() -> None:
    report = compare(answered(0), answered(80))
    [fidelity] = [one for one in report.comparisons if one.metric == "language_fidelity"]
    assert (fidelity.gated, fidelity.verdict) == (False, "not gated")
    assert fidelity.delta == pytest.approx(-0.2)
    assert fidelity.ci_high is not None and fidelity.ci_high < -0.1
    assert fidelity.p < 0.001
    assert report.verdict is Verdict.PASS


def test_named_it_is_a_gate() -> None:
    report = compare(answered(0), answered(80), Settings(metrics=("language_fidelity",)))
    assert report.verdict is Verdict.REGRESSION


def test_answers_that_are_undecided_in_one_run_are_left_out_without_a_word() -> None:
    undecided = answered(0)
    part = undecided.tasks["multi30k"].languages["de"]
    values = (*part.statistics["language_fidelity"][:-1], ())
    part = replace(part, statistics={**part.statistics, "language_fidelity": values})
    task = replace(undecided.tasks["multi30k"], languages={"de": part})
    undecided = replace(undecided, tasks={"multi30k": task})
    for base, candidate in ((answered(0), undecided), (undecided, answered(0))):
        report = compare(base, candidate)
        assert (report.verdict, report.notices) == (Verdict.PASS, ())
        counts = {one.n for one in report.comparisons if one.metric == "language_fidelity"}
        assert counts == {399}


def short(most: int, *, english: int = 0) -> Measured:
    """As `answered`, but the last `most` captions are too short to tell."""
    run = answered(english)
    task = run.tasks["multi30k"]
    part = task.languages["de"]
    column = (*part.statistics["language_fidelity"][: 400 - most], *(None,) * most)
    part = replace(part, statistics={**part.statistics, "language_fidelity": column})
    return replace(run, tasks={"multi30k": replace(task, languages={"de": part})})


@pytest.mark.parametrize(
    ("base", "candidate", "verdict"),
    [
        (0, 8, Verdict.PASS),  # 2% more, as the margin
        (30, 37, Verdict.PASS),
        (0, 9, Verdict.INCONCLUSIVE),
        (0, 100, Verdict.INCONCLUSIVE),
        (100, 0, Verdict.PASS),
    ],
)
def test_a_gate_bears_undecided_answers_but_not_many_more_than_base_has(
    base: int, candidate: int, verdict: Verdict
) -> None:
    gate = Settings(metrics=("language_fidelity",))
    assert compare(short(base), short(candidate), gate).verdict is verdict
    worse = compare(short(base), short(candidate, english=80), gate)
    assert worse.verdict is Verdict.REGRESSION


def test_alone_it_is_nothing_to_judge_by() -> None:
    report = compare(answered(0, chrf=False), answered(80, chrf=False))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.reasons == ("base has no score of multi30k to judge by",)


def test_another_identifier_is_told_and_stops_no_gate() -> None:
    report = compare(answered(0), answered(80, rule="lingua:2"))
    assert report.verdict is Verdict.PASS
    assert report.notices == ("multi30k language_fidelity is not compared: lingua:1 and lingua:2",)


def test_a_run_without_an_identifier_is_told() -> None:
    without = answered(0)
    [(name, task)] = without.tasks.items()
    without = replace(without, tasks={name: replace(task, signatures={"chrf": "v1"})})
    notices = compare(without, answered(0)).notices
    assert notices == ("multi30k: the base has no language_fidelity, it is not compared",)
