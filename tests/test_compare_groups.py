"""Groups in the gate: only their languages, a mean over what there is, and who is missing."""

from __future__ import annotations

import json

import numpy as np
import pytest

from towereval import verdicts
from towereval.compare import Report, Settings, compare
from towereval.errors import UnknownName
from towereval.measured import Measured, MeasuredTask, Part

LANGUAGES = ("en", "de", "fr", "cs", "no", "sv")
LOST = {"en": 0.0, "de": 0.02, "fr": 0.04, "cs": 0.1, "no": 0.2, "sv": 0.3}


def run_of(worse: bool) -> Measured:
    chance = np.random.default_rng(3)
    samples = tuple(map(str, range(300)))
    parts = {}
    for code in LANGUAGES:
        right = chance.random(300) < 0.7
        lost = chance.random(300) < LOST[code]
        column = tuple((float(one),) for one in (right & ~lost if worse else right))
        parts[code] = Part("data", f"{code}{worse}", samples, samples, {"accuracy": column})
    task = MeasuredTask("towervision", 1, {"accuracy": "v1"}, parts)
    return Measured("new" if worse else "old", "r1", "full", {"alm_bench": task})


def compared(*languages: str) -> Report:
    return compare(run_of(False), run_of(True), Settings(languages=languages, flips=2_000))


def test_a_group_has_the_mean_of_its_members() -> None:
    report = compared("core", "added", "unseen")
    rows = {one.language: one for one in report.comparisons}
    assert rows["core"].members == ("en", "de", "fr")
    assert rows["added"].members == ("cs", "no")  # no stands for nn and nb
    assert rows["unseen"].members == ("sv",)
    for name in ("core", "added", "unseen"):
        one = rows[name]
        alone = [rows[code] for code in one.members]
        assert one.delta == pytest.approx(sum(each.delta for each in alone) / len(alone))
        assert one.n == sum(each.n for each in alone)
        assert (one.gated, one.verdict) == (False, "not gated")
        assert one.ci_low is not None and one.ci_high is not None
        assert one.ci_low < one.delta < one.ci_high
    assert rows["unseen"].ci_low == rows["sv"].ci_low
    # Parallel samples: the mean of three is surer than one of them.
    widths = {name: (rows[name].ci_high or 0) - (rows[name].ci_low or 0) for name in ("core", "fr")}
    assert widths["core"] < widths["fr"]


def test_who_is_missing_is_told() -> None:
    notices = compared("core", "unseen").notices
    assert notices == (
        "alm_bench: core is the mean over en, de, fr; it has no nl, pt, ru, zh-Hans, zh-Hant, es,"
        " it",
        "alm_bench: unseen is the mean over sv; it has no da, fi, hu, is",
    )


def test_only_what_is_named_is_compared_and_gated() -> None:
    report = compared("core")
    assert {one.language for one in report.comparisons} == {"en", "de", "fr", "*", "core"}
    assert {one.language for one in report.comparisons if one.gated} == {"en", "de", "fr", "*"}
    of_all = {one.language: one for one in compared().comparisons}
    of_some = {one.language: one for one in report.comparisons}
    assert of_some["fr"].delta == of_all["fr"].delta
    assert of_some["*"].delta == of_some["core"].delta > of_all["*"].delta
    assert {one.language for one in compared("de", "script:Latn").comparisons} >= set(LANGUAGES)


def test_a_groups_rows_move_no_other_number() -> None:
    without = {one.language: one for one in compared(*LANGUAGES).comparisons}
    beside = {one.language: one for one in compared(*LANGUAGES, "core").comparisons}
    for code, one in without.items():
        assert one.p_adjusted == beside[code].p_adjusted
        assert (one.p, one.ci_low, one.verdict) == (
            *(beside[code].p, beside[code].ci_low, beside[code].verdict),
        )


def test_what_neither_run_has_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"unknown language 'ja'"):
        compared("ja")
    with pytest.raises(UnknownName, match=r"unknown language 'tier:T9'"):
        compared("tier:T9")


def test_every_format_names_the_group() -> None:
    report = compared("core", "added")
    assert "| core, mean of 3 |" in verdicts.as_markdown(report)
    assert 'name="core, mean of 3"' in verdicts.as_junit(report)
    rows = json.loads(verdicts.as_json(report))["comparisons"]
    assert [row["members"] for row in rows if row["language"] == "core"] == [["en", "de", "fr"]]
