"""What a run gains by groups of languages: means with paired intervals, a table and a plot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.test_cli import error_line, towereval
from tests.test_compare_groups import run_of
from tests.test_replay import record, replayed, right
from towereval.errors import UnknownName, UsageError
from towereval.gains import gains
from towereval.run import run

WHO = ("core", "added", "unseen")


def test_groups_open_with_their_means_and_name_who_lacks() -> None:
    core, added, unseen = gains(run_of(False), run_of(True), WHO)
    assert [one.language for one in core.languages] == ["en", "de", "fr"]  # the best first
    assert core.mean.members == ("en", "de", "fr")
    for each in (core, added, unseen):
        alone = [one.delta for one in each.languages]
        assert each.mean.delta == pytest.approx(sum(alone) / len(alone))
        assert each.mean.ci_low is not None and each.mean.ci_high is not None
        assert each.mean.ci_low < each.mean.delta < each.mean.ci_high
    assert unseen.missing == ("da", "fi", "hu", "is")
    assert unseen.mean.ci_high is not None and unseen.mean.ci_high < -0.1


def test_who_was_asked_but_has_no_score_is_named() -> None:
    base, candidate = run_of(False), run_of(True)
    task = candidate.tasks["alm_bench"]
    unscored = replace(task.languages["fr"], statistics={"accuracy": ((),) * 300})
    parts = {**task.languages, "fr": unscored}
    candidate = replace(candidate, tasks={"alm_bench": replace(task, languages=parts)})
    (core,) = gains(base, candidate, ("core",))
    assert core.mean.members == ("en", "de")
    assert core.missing == ("nl", "pt", "ru", "zh-Hans", "zh-Hant", "es", "fr", "it")


def test_a_language_may_be_in_several_groups_and_a_group_in_none() -> None:
    found = gains(run_of(False), run_of(True), ("tier:T5", "lrm10", "script:Thai"))
    assert [each.name for each in found] == ["tier:T5", "lrm10"]
    assert all("de" in [one.language for one in each.languages] for each in found)


def test_what_cannot_be_told_is_refused() -> None:
    base, candidate = run_of(False), run_of(True)
    with pytest.raises(UnknownName, match=r"unknown group 'tier:T8'; did you mean tier:T"):
        gains(base, candidate, ("tier:T8",))
    with pytest.raises(UsageError, match="none of script:Thai has a language of both"):
        gains(base, candidate, ("script:Thai",))
    with pytest.raises(UnknownName, match="unknown task 'multi30k'"):
        gains(base, candidate, WHO, task="multi30k")


def test_the_command_prints_and_draws(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    folders = []
    for model, answer in (("base", {}), ("best", {"answer": right})):
        recorded = record(tmp_path / f"recorded-{model}", ["alm_bench"], **answer)
        folders.append(run(replayed(recorded, tmp_path / "out", ["alm_bench"], model=model)).folder)
    done = towereval("analyse", "gain", *folders, "--output", "gain.svg", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].split() == [
        "language",
        "base",
        "candidate",
        "gain",
        *["95%", "interval", "p", "n"],
    ]
    assert lines[1].startswith("core, mean of 10")
    assert any(line.startswith("unseen, mean of 5") for line in lines)
    assert any(line.startswith("best less base, alm_bench@towervision accuracy") for line in lines)
    assert lines[-1] == "gain.svg"
    drawn = ElementTree.parse(tmp_path / "gain.svg").getroot()
    texts = ["".join(each.itertext()) for each in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Core languages, mean of 10", "Added languages, mean of 8"} <= set(texts)
    ids = [each.get("id", "") for each in drawn.iter()]
    assert {"gain-core-0", "gain-unseen-5", "gain-added-8"} <= set(ids)
    done = towereval("analyse", "gain", *folders, "--groups", "uncore", cwd=tmp_path)
    assert "unknown group 'uncore'; did you mean" in error_line(done, 2)
