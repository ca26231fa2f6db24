"""What may be paired, and the verdict that follows from the pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from towereval.compare import Comparison, Report, Settings, Verdict, compare
from towereval.errors import UnknownName, UsageError
from towereval.measured import Measured, MeasuredTask, Part

Change = Callable[[Measured], Measured]


def part(scores: Any, metric: str = "accuracy", **changes: Any) -> Part:
    """Scores are of 0/1; None could not be judged, () is not meant for the metric."""
    samples = tuple(f"{i:04}" for i in range(len(scores)))
    values = tuple(one if one is None or one == () else (float(one),) for one in scores)
    made = Part("data", f"answers {scores}", samples, samples, {metric: values})
    return replace(made, **changes)


def measured(languages: Mapping[str, Part], task: str = "ocrbench", **changes: Any) -> Measured:
    metrics = {metric: "v1" for each in languages.values() for metric in each.statistics}
    variant = {"ocrbench": "official", "alm_bench": "towervision"}[task]
    made = MeasuredTask(variant, 1, metrics, languages)
    return replace(Measured("model", "run", "full", {task: made}), **changes)


def english(*counts: tuple[int, int, int], n: int = 1_000) -> tuple[Measured, Measured]:
    """Two runs of one language, by what base alone gets right, candidate alone, and both."""
    [(lost, won, both)] = counts
    base, candidate = np.zeros(n), np.zeros(n)
    base[:lost], candidate[lost : lost + won] = 1, 1
    base[lost + won :][:both], candidate[lost + won :][:both] = 1, 1
    return tuple(measured({"en": part(each.tolist())}) for each in (base, candidate))


def of(report: Report, language: str = "en") -> Comparison:
    [found] = [one for one in report.comparisons if one.language == language]
    return found


# --- verdicts -------------------------------------------------------------------------------------


def test_a_drop_beyond_the_margin_is_a_regression() -> None:
    report = compare(*english((60, 10, 500)))
    assert report.verdict is Verdict.REGRESSION
    assert of(report).verdict == "regression"
    assert (of(report).base, of(report).candidate) == (0.56, 0.51)
    assert of(report).delta == pytest.approx(-0.05)
    assert of(report).p_adjusted < 0.001
    [reason] = report.reasons
    assert reason.startswith("ocrbench@official accuracy, en: -5.0 points, adjusted p 0.0001")


def test_a_sure_drop_within_the_margin_is_none() -> None:
    report = compare(*english((9, 0, 500)))
    assert report.verdict is Verdict.PASS
    assert of(report).verdict == "drop within the margin"
    assert compare(*english((9, 0, 500)), Settings(margin=0.005)).verdict is Verdict.REGRESSION


def test_a_run_that_is_shown_to_be_as_good_passes() -> None:
    report = compare(*english((20, 20, 500)))
    assert (report.verdict, of(report).verdict, report.reasons) == ("pass", "not worse", ())


def test_a_better_run_passes() -> None:
    report = compare(*english((10, 60, 500)))
    assert (report.verdict, of(report).verdict) == ("pass", "improvement")


def test_too_few_samples_leave_it_open_and_say_what_could_be_seen() -> None:
    report = compare(*english((5, 5, 50), n=100))
    assert (report.verdict, of(report).verdict) == ("inconclusive", "unproven")
    [reason] = report.reasons
    assert "not shown to be within the margin" in reason
    assert f"of drops {of(report).detectable:.1%} could be found" in reason


def test_few_disagreements_cannot_fail_and_do_not_pass() -> None:
    report = compare(*english((4, 0, 50), n=100))
    assert of(report).verdict == "cannot fail: 4 discordant"
    assert report.verdict is Verdict.INCONCLUSIVE
    assert compare(*english((5, 0, 50), n=100)).verdict is Verdict.REGRESSION


def test_few_disagreements_among_many_samples_pass_by_their_interval() -> None:
    """Shown is that no p could accuse it; the gate still knows that 2 points are out of reach."""
    report = compare(*english((4, 0, 500)))
    assert (of(report).verdict, of(report).proven) == ("cannot fail: 4 discordant", True)
    assert report.verdict is Verdict.PASS


def test_a_surely_better_run_passes_however_wide_its_interval() -> None:
    report = compare(*english((0, 6, 10), n=30))
    assert (report.verdict, of(report).verdict) == ("pass", "improvement")
    assert of(report).proven


def test_the_same_answers_pass_however_few_they_are() -> None:
    one = measured({"en": part([1, 0, 1])})
    report = compare(one, one)
    assert (report.verdict, of(report).verdict) == ("pass", "same answers")
    other = measured({"en": part([1, 0, 1], answers="other")})
    assert compare(one, other).verdict is Verdict.INCONCLUSIVE
    # Only a judge can do that: the answers are the same, and it was of two minds about one.
    other = measured({"en": part([1, 1, 0], answers=one.tasks["ocrbench"].languages["en"].answers)})
    report = compare(one, other)
    assert (report.verdict, of(report).verdict) == ("inconclusive", "cannot fail: 2 discordant")


def test_a_cell_is_accused_though_the_mean_is_as_good() -> None:
    rng = np.random.default_rng(1)
    base = {key: rng.random(300) < 0.6 for key in ("de", "fr", "nl")}
    candidate = {key: row.copy() for key, row in base.items()}
    candidate["nl"][np.flatnonzero(base["nl"])[:30]] = False
    candidate["fr"][np.flatnonzero(~base["fr"])[:30]] = True
    report = compare(*(suite(scores) for scores in (base, candidate)))
    assert [of(report, key).verdict for key in ("de", "nl", "fr", "*")] == [
        *("same answers", "regression", "improvement", "not worse"),
    ]
    assert [reason.split(":")[0] for reason in report.reasons] == [
        "alm_bench@towervision accuracy, nl"
    ]


def suite(scores: Mapping[str, Any]) -> Measured:
    """Languages whose pictures are their own."""
    return measured(
        {
            key: part(row.tolist(), clusters=tuple(f"{key}{i}" for i in range(len(row))))
            for key, row in scores.items()
        },
        "alm_bench",
    )


def test_the_mean_is_proven_where_its_languages_cannot_be() -> None:
    """Six languages of 500 items each: no cell shows 2 points, their mean does."""
    rng = np.random.default_rng(2)
    runs: list[dict[str, Any]] = [{}, {}]
    for key in ("de", "fr", "nl", "es", "it", "ru"):
        right = rng.random(500) < 0.6
        for run in runs:
            run[key] = right ^ (rng.random(500) < 0.02)
    report = compare(*map(suite, runs))
    assert of(report, "*").verdict == "not worse"
    assert {of(report, key).verdict for key in runs[0]} <= {"unproven", "not worse"}
    assert report.verdict is Verdict.PASS


def translated(lost: int, *metrics: str) -> Measured:
    """200 German translations, of which some have lost a word by BLEU and none by chrF."""
    words = [0] * lost + [1] * (100 - lost) + [0] * 100
    columns = {
        "bleu": tuple((9.0, 9.0, float(x), 8.0, 7.0, 6.0, 9.0, 8.0, 7.0, 6.0) for x in words),
        "chrf": ((9.0, 9.0, 1.0) * 6,) * 200,
    }
    columns = {metric: columns[metric] for metric in metrics}
    samples = tuple(map(str, range(200)))
    each = Part("data", f"{lost}", samples, samples, columns)
    made = MeasuredTask("towervision", 1, dict.fromkeys(metrics, "v1"), {"de": each})
    return Measured("model", "run", "full", {"multi30k": made})


def test_gated_is_the_first_metric_or_what_is_named() -> None:
    good, bad = (translated(lost, "bleu", "chrf") for lost in (0, 40))
    report = compare(good, bad)
    assert {one.metric: one.gated for one in report.comparisons} == {"bleu": True, "chrf": False}
    assert [one.verdict for one in report.comparisons] == ["regression", "not gated"]
    assert report.comparisons[1].p_adjusted is None
    report = compare(good, bad, Settings(metrics=("chrf",)))
    assert [one.gated for one in report.comparisons] == [False, True]
    assert report.verdict is not Verdict.REGRESSION
    with pytest.raises(UnknownName, match=r"'chrg'; did you mean chrf"):
        compare(good, bad, Settings(metrics=("chrg",)))


def test_a_candidate_without_the_gated_metric_does_not_pass() -> None:
    good, half = translated(0, "bleu", "chrf"), translated(0, "chrf")
    report = compare(good, half)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.reasons[0] == "the candidate has no bleu of multi30k"
    named = compare(good, half, Settings(metrics=("chrf",)))
    assert named.verdict is Verdict.PASS
    assert named.notices == ("multi30k: the candidate has no bleu, it is not compared",)
    assert compare(half, good).notices == ("multi30k: the base has no bleu, it is not compared",)
    with pytest.raises(UsageError, match="multi30k: neither run has a score"):
        compare(translated(0), translated(0))


def test_the_answer_is_the_same_each_time() -> None:
    assert compare(*english((40, 30, 500))) == compare(*english((40, 30, 500)))


@pytest.mark.parametrize("settings", [Settings(alpha=0), Settings(alpha=0.7), Settings(margin=0)])
def test_settings_that_make_no_sense_are_refused(settings: Settings) -> None:
    with pytest.raises(UsageError, match="--alpha lies between"):
        compare(*english((40, 30, 500)), settings)


# --- what may be paired ---------------------------------------------------------------------------


def changed_task(run: Measured, **changes: Any) -> Measured:
    return replace(run, tasks={k: replace(v, **changes) for k, v in run.tasks.items()})


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda run: replace(run, split="sample"), "base is of the full split, candidate of the s"),
        (lambda run: changed_task(run, variant="towervision"), "ocrbench: variant official and va"),
        (lambda run: changed_task(run, version=2), "ocrbench: version 1 and version 2"),
        (
            lambda run: changed_task(run, signatures={"accuracy": "v2"}),
            "ocrbench accuracy: signature v1 and v2",
        ),
        (
            lambda run: changed_task(run, languages={"en": part([1] * 1_000, data="else")}),
            "ocrbench en: data data and else",
        ),
    ],
)
def test_runs_that_were_asked_other_things_are_refused(change: Change, named: str) -> None:
    base, candidate = english((40, 30, 500))
    with pytest.raises(UsageError, match=named):
        compare(base, change(candidate))


def test_all_that_differs_is_said_at_once() -> None:
    base, candidate = english((40, 30, 500))
    other = replace(changed_task(candidate, version=2), split="sample")
    with pytest.raises(UsageError, match=r"split.*; ocrbench: version 1 and version 2"):
        compare(base, other)


def test_other_tasks_and_other_samples_are_no_pair() -> None:
    base, _ = english((40, 30, 500))
    with pytest.raises(UsageError, match=r"share no sample .*; the candidate has no ocrbench"):
        compare(base, measured({"de": part([1, 0])}, "alm_bench"))
    other = part([1, 0], samples=("x", "y"), data="")
    with pytest.raises(
        UsageError, match=r"share no sample .* lacks 1000 of 1000 samples of ocrbench"
    ):
        compare(base, measured({"en": other}))


def test_what_the_candidate_lacks_leaves_it_open() -> None:
    good = [1, 0] * 1_000
    base = measured({"en": part(good), "de": part(good)})
    report = compare(base, measured({"en": part(good)}))
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.reasons == ("the candidate has no ocrbench in de",)
    lost = measured({"en": part([*good[:-2], None, None]), "de": part(good)})
    report = compare(base, lost)
    what = "the candidate lacks 2 of 2000 samples of ocrbench accuracy in en"
    assert f"{what}: 0 not asked, 2 without a score" in report.reasons
    assert of(report).n == 1_998
    fewer = measured({"en": part(good[:-2], data=""), "de": part(good)})
    assert f"{what}: 2 not asked, 0 without a score" in compare(base, fewer).reasons


def test_what_base_lacks_is_only_told() -> None:
    good = [1, 0] * 1_000
    both = measured({"en": part(good), "de": part(good)})
    report = compare(measured({"en": part(good)}), both)
    assert report.verdict is Verdict.PASS
    assert report.notices == ("base has no ocrbench in de",)
    partly = measured({"en": part([*good[:-2], None, None])})
    report = compare(partly, measured({"en": part(good)}))
    assert report.verdict is Verdict.PASS
    assert report.notices == (
        "base lacks 2 of the candidate's 2000 samples of ocrbench accuracy in en",
    )


def test_what_is_not_gated_leaves_nothing_open() -> None:
    good = translated(0, "bleu", "chrf")
    part_ = good.tasks["multi30k"].languages["de"]
    chrf = (None, None, *part_.statistics["chrf"][2:])
    less = replace(part_, statistics={**part_.statistics, "chrf": chrf})
    candidate = changed_task(good, languages={"de": less})
    report = compare(good, candidate)
    assert (report.verdict, report.reasons) == ("pass", ())
    assert report.notices == (
        "the candidate lacks 2 of 200 samples of multi30k chrf in de: 0 not asked, 2 without a"
        " score",
    )
    gated = compare(good, candidate, Settings(metrics=("chrf",)))
    assert (gated.verdict, gated.reasons) == ("inconclusive", report.notices)


@pytest.mark.parametrize("rows", [[(1.0, 2.0)] * 9, [(1.0,)] * 8 + [(1.0, 2.0)]])
def test_statistics_that_the_metric_has_not_written_are_refused(rows: Any) -> None:
    base = measured({"en": part([1, 0, 1] * 3)})
    other = measured({"en": replace(part([1] * 9), statistics={"accuracy": tuple(rows)})})
    for pair in ((base, other), (other, base)):
        with pytest.raises(UsageError, match="ocrbench accuracy: samples have 1 and 2 statistics"):
            compare(*pair)
    good = translated(0, "bleu")
    short = replace(
        good.tasks["multi30k"].languages["de"], statistics={"bleu": ((9.0, 9.0, 1.0),) * 200}
    )
    odd = changed_task(good, languages={"de": short})
    with pytest.raises(UsageError, match="multi30k bleu: statistics that it cannot have written"):
        compare(odd, odd)


def test_runs_that_do_not_say_what_they_were_asked_are_paired_by_id() -> None:
    base = measured({"en": part([1, 0] * 1_000, data="")})
    report = compare(base, measured({"en": part([1, 0] * 1_000)}))
    assert report.verdict is Verdict.PASS
    assert report.notices == (
        "ocrbench: a run does not say what it was asked; paired by sample id",
    )


def test_pairs_are_found_in_any_order_with_bases_clusters() -> None:
    base = measured({"en": part([1, 1, 0, 0], clusters=("a", "a", "b", "b"), data="")})
    turned = part([0, 0, 1, 1], samples=("0003", "0002", "0001", "0000"), data="")
    found = of(compare(base, measured({"en": turned})))
    assert (found.delta, found.n, found.clusters, found.discordant) == (0.0, 4, 2, 0)


def test_samples_that_a_metric_is_not_meant_for_are_not_missed() -> None:
    base = measured({"en": part([1, 0, ()] * 700)})
    report = compare(base, measured({"en": part([1, 0, ()] * 700)}))
    assert (of(report).n, report.verdict) == (1_400, "pass")
