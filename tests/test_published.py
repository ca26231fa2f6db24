"""Published numbers stand beside ours only where they mean the same, in one unit."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.finished_run import ROW, finished, renamed
from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed
from towereval import plugins
from towereval.bridges.lmms_eval import import_logs
from towereval.errors import UnknownName
from towereval.protocols import MEANS, PROTOCOLS, TASKS
from towereval.published import Comparison, beside, load
from towereval.results import Run
from towereval.run import run
from towereval.types import Result

ALL = load()
SEVEN = ("de", "fr", "it", "ru", "es", "ko", "pt")


def compared(
    rows: Sequence[dict[str, Any]], name: str = "TowerVision-2B", limit: int | None = None
) -> Comparison:
    made = tuple(replace(ROW, **row) for row in rows)
    return beside(Run(Path(), "mine", "r1", "2026-01-01", {"limit": limit}, made), ALL, [name])


# --- the data ---


def test_the_numbers_are_those_that_were_collected(shared: Path) -> None:
    """Row by row, but for where the collector kept the texts."""
    collected = json.loads((shared / "published_results.json").read_text(encoding="utf-8"))
    assert len(ALL) == 1531
    order = ["TowerVision (arXiv", "TowerVision (authors", "Centurio", "LRM"]
    collected.sort(key=lambda r: [r["paper"].startswith(each) for each in order], reverse=True)
    for ours, theirs in zip(ALL, collected, strict=True):
        assert (ours.model, ours.repo or None) == (theirs["model"], theirs["hf_id"])
        assert (ours.benchmark, ours.language) == (theirs["benchmark"], theirs["language_or_split"])
        assert (ours.score, ours.n) == (theirs["score"], theirs.get("n"))
        assert ours.table == theirs["table"]
        assert ours.repo_guess == theirs.get("hf_id_guess", "")
        assert ours.metric == theirs["metric"].replace(" in seed", "")
        assert ours.reconstructed == theirs.get("reconstructed", "").replace(" in the seed", "")


def test_every_number_has_a_source_and_its_decimals() -> None:
    assert Counter(row.origin for row in ALL) == {
        "towervision": 385,
        "towervision_logs": 306,
        "centurio": 618,
        "lrm_llava": 222,
    }
    assert sum(bool(row.reconstructed) for row in ALL) == 37
    assert all(row.source and row.table and row.model for row in ALL)
    # Two decimals only where points of a sum or BLEU are printed.
    assert all(
        round(row.score, row.digits) == row.score for row in ALL if row.origin != "lrm_llava"
    )
    assert {row.kind for row in ALL if row.origin == "towervision_logs"} == {"logs"}
    assert {row.kind for row in ALL if row.origin != "towervision_logs"} == {"paper"}


def test_every_protocol_is_of_numbers_that_exist() -> None:
    published = {(row.origin, row.benchmark, row.metric) for row in ALL}
    assert [p for p in PROTOCOLS if (p.origin, p.benchmark, p.metric) not in published] == []
    ours = {
        (task.name, task.variant, metric.name, metric.scale)
        for name in {TASKS.get(one.benchmark, one.benchmark) for one in PROTOCOLS}
        for task in plugins.load_tasks(name)
        for metric in task.metrics
    }
    without = [
        protocol.benchmark
        for protocol in PROTOCOLS
        for name in [TASKS.get(protocol.benchmark, protocol.benchmark)]
        # All are printed in percent, but for MME's sum.
        for best in [2000.0 if name == "mme" else 100 * protocol.unit]
        if (name, protocol.variant, protocol.ours, best) not in ours
    ]
    assert without == ["commute", "vimul_bench"]  # whose published numbers nothing of ours is
    labels = {(row.origin, row.benchmark, row.language) for row in ALL}
    assert set(MEANS) <= labels


# --- what stands beside what ---


def test_percent_meet_our_unit() -> None:
    found = compared([{"variant": "towervision", "value": 0.581, "ci_low": 0.55, "ci_high": 0.59}])
    (pair,) = found.beside
    assert (pair.published.score, pair.published.table) == (58.6, "Table 1")
    assert pair.value == pytest.approx(0.586)
    assert pair.difference == pytest.approx(-0.005)
    assert (pair.inside, pair.same, pair.notes) == (True, False, ())
    assert found.refused == ()
    assert found.absent == {
        "textvqa": 1,
        "cc_ocr": 1,
        "alm_bench": 2,
        "multi30k": 3,
        "commute": 4,
        "vimul_bench": 14,
    }


@pytest.mark.parametrize(
    ("value", "low", "high", "inside", "same"),
    [
        (0.586, 0.57, 0.60, True, True),
        (0.58649, 0.5861, 0.5869, False, True),  # printed to a tenth of a percent
        (0.58651, 0.58, 0.60, True, False),
        (0.50, 0.48, 0.52, False, False),
        (0.50, None, None, None, False),
    ],
)
def test_inside_is_said_of_the_interval_and_same_of_what_was_printed(
    value: float, low: float | None, high: float | None, inside: bool | None, same: bool
) -> None:
    row = {"variant": "towervision", "value": value, "ci_low": low, "ci_high": high}
    (pair,) = compared([row]).beside
    assert (pair.inside, pair.same) == (inside, same)


def mean(task: str, languages: Sequence[str], **change: Any) -> dict[str, Any]:
    row = {"task": task, "variant": "towervision", "language": "*", "languages": tuple(languages)}
    return {**row, "metric": "macro_f1" if task == "cc_ocr" else "accuracy", **change}


def test_a_mean_stands_beside_a_mean_over_the_same_languages() -> None:
    (pair,) = compared([mean("cc_ocr", SEVEN)]).beside
    assert pair.value == pytest.approx(0.461)
    alm = next(task for task in plugins.load_tasks("alm_bench") if task.variant == "towervision")
    (pair,) = compared([mean("alm_bench", alm.languages)]).beside
    assert pair.value == pytest.approx(0.811)
    assert "English" in pair.notes[1]
    (refused,) = compared([mean("cc_ocr", SEVEN[:6])]).refused
    assert refused.why == "another mean: theirs is over 7 languages, the run is over 6"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"variant": "official"}, "another protocol: theirs is @towervision, the run's @official"),
        ({"metric": "anls"}, "another metric: theirs is accuracy, the run has anls"),
        ({"split": "sample"}, "bundled samples, not on the benchmark"),
        ({"language": "de"}, "no row of ours is over 'en': the run has de"),
        ({"value": None, "note": "unscored: no answer"}, "no value: unscored: no answer"),
    ],
)
def test_what_differs_is_refused_with_the_reason(change: dict[str, Any], why: str) -> None:
    found = compared([{"variant": "towervision", **change}])
    assert found.beside == ()
    assert [one.published.score for one in found.refused] == [58.6]
    assert why in found.refused[0].why


def test_a_category_is_not_the_whole() -> None:
    found = compared([{"variant": "towervision", "group": "Digit String"}])
    assert found.beside == ()
    [refused] = found.refused
    assert refused.why == "the run has only categories of it, no row over the whole"


def test_a_run_that_was_cut_short_is_refused() -> None:
    found = compared([{"variant": "towervision"}], limit=10)
    assert found.beside == ()
    assert found.refused[0].why == "the run was cut to 10 samples a language"


def test_another_checkpoint_of_a_learned_metric_is_another_metric() -> None:
    row = {"task": "multi30k", "variant": "towervision", "metric": "xcomet_xl", "language": "de"}
    signature = "xcomet_xl|model:Unbabel/{}|sha256:0|references:yes"
    (pair,) = compared([{**row, "signature": signature.format("XCOMET-XL")}]).beside
    assert pair.published.language == "en-de"
    found = compared([{**row, "signature": signature.format("XCOMET-XXL")}])
    assert found.beside == ()
    assert "ours is signed xcomet_xl|model:Unbabel/XCOMET-XXL" in found.refused[0].why


def test_a_judged_mean_and_another_prompt_are_refused() -> None:
    rows = [
        {"task": "vimul_bench", "variant": "towereval", "language": "de"},
        {"task": "commute", "metric": "contrastive_accuracy", "language": "de"},
    ]
    found = compared(rows)
    assert found.beside == ()
    reasons = {one.published.benchmark: one.why for one in found.refused}
    assert reasons["vimul_bench"].startswith("another metric: theirs is mean of accuracy and judge")
    assert reasons["commute"].startswith("another protocol: theirs is @towervision")


def test_doubts_and_failures_are_noted() -> None:
    row = {
        "task": "alm_bench",
        "variant": "towervision",
        "language": "de",
        "n_failed": 2,
        "n_unscored": 3,
    }
    found = compared([row], "TowerVision-2B core+added")
    (pair,) = found.beside
    assert "does not name its benchmark" in pair.notes[0]
    assert pair.notes[1:] == (
        "2 of our samples failed and are left out",
        "3 of our samples cannot be judged and are left out",
    )
    assert {one.published.language for one in found.refused} >= {"core_avg", "unseen_avg", "fr"}


def test_a_reconstructed_number_is_marked_beside_ours_and_where_it_is_refused(
    tmp_path: Path,
) -> None:
    said = "cell displaced by OCR; column order restored top to bottom"
    moved = [replace(row, reconstructed=said) for row in ALL if row.model == "TowerVision-2B"]
    made = replace(ROW, variant="towervision")
    run = Run(Path(), "mine", "r1", "2026-01-01", {}, (made,))
    (pair,) = beside(run, moved, ["TowerVision-2B"]).beside
    assert pair.notes == (f"reconstructed: {said}",)
    # The run has another variant, so the command only lists them.
    folder = finished(tmp_path, "mine", "r1", {"task": "pope", "language": "ru"})
    done = towereval("published", folder, "--as", "LVIS-4V", cwd=tmp_path)
    assert re.search(r"\(en, .*ru \(reconstructed\), .*\)", done.stdout), done.stdout


def test_a_benchmark_without_a_protocol_is_refused() -> None:
    found = compared([{"task": "smpqa_ground", "language": "en"}], "Pangea")
    assert {one.why for one in found.refused} == {
        "no rule says which of our metrics its 'accuracy' is"
    }


def test_a_benchmark_may_be_published_under_another_name() -> None:
    """LRM-LLaVA's translated MME is our mme@lrm, in points as they are printed."""
    row = {"task": "mme", "variant": "lrm", "metric": "perception_score", "language": "de"}
    found = compared([{**row, "value": 1400.0, "ci_low": None, "ci_high": None}], "LRM-LLaVA")
    (pair,) = found.beside
    assert (pair.published.benchmark, pair.published.language) == ("mme_multilingual", "de")
    assert pair.value == pair.published.score > 1000
    assert "its translations are not public" in pair.notes[-1]
    assert "mme_multilingual" not in found.absent


def test_centurios_means_are_without_english() -> None:
    """A run over all languages has English beside its own number, and no mean of theirs."""
    row = {"task": "xgqa", "variant": "centurio", "metric": "relaxed_accuracy", "value": 0.6}
    spoken = ("bn", "de", "id", "ko", "pt", "ru", "zh")
    mean = {**row, "language": "*", "value": 0.55, "languages": spoken}
    found = compared([{**row, "language": "en"}, mean], "Centurio Qwen")
    assert [(pair.published.language, pair.published.score) for pair in found.beside] == [
        ("en", 60.6),
        ("multi", 54.8),
    ]
    assert all("by the exact rule" in pair.notes[0] for pair in found.beside)
    everywhere = compared([{**mean, "languages": ("en", *spoken)}], "Centurio Qwen")
    assert everywhere.beside == ()


# --- whose numbers ---


def run_of(model: str, checkpoint: str = "", *rows: Result) -> Run:
    manifest = {"respondent": {"model": checkpoint}}
    return Run(Path(), model, "r1", "2026-01-01", manifest, rows or (ROW,))


def test_a_model_is_found_by_its_name_or_checkpoint_to_the_letter() -> None:
    assert beside(run_of("TowerVision-9B"), ALL).names == ("TowerVision-9B",)
    ours = run_of("towervision-9b", "utter-project/TowerVision-9B")
    assert beside(ours, ALL).names == ("utter-project/TowerVision-9B",)
    assert beside(run_of("towerp_9b_instruct"), ALL).names == ("towerp_9b_instruct",)
    with pytest.raises(UnknownName, match="did you mean TowerVision-9B"):
        beside(run_of("towervision-9b"), ALL)


def test_a_name_that_is_given_is_the_only_one() -> None:
    found = beside(run_of("TowerVision-9B"), ALL, ["TowerVision-2B"])
    assert found.names == ("TowerVision-2B",)
    assert {one.published.model for one in found.refused} == {"TowerVision-2B"}
    with pytest.raises(UnknownName, match="unknown published model 'LLaVA'"):
        beside(run_of("TowerVision-9B"), ALL, ["TowerVision-2B", "LLaVA"])
    with pytest.raises(UnknownName):  # a guess of ours, not the paper's word
        beside(run_of("mine"), ALL, ["liuhaotian/llava-v1.5-13b"])


# --- the command ---


@pytest.mark.parametrize("name", ["towerp_2b_instruct", "towerp_9b_instruct"])
def test_the_authors_logs_are_their_own_numbers(shared: Path, tmp_path: Path, name: str) -> None:
    logs = shared / "data" / "towervision_logs" / name
    folder = import_logs(logs, model=name, output=tmp_path).outcome.folder
    done = towereval("published", folder, "--format", "json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    content = json.loads(done.stdout)
    assert content["published_as"] == [name]
    pairs = content["beside"]
    assert len(pairs) == 24
    assert {pair["published"]["kind"] for pair in pairs} == {"logs"}
    assert all(pair["same"] and pair["inside"] for pair in pairs)
    assert all(abs(pair["difference"]) < 1e-5 for pair in pairs)
    # The paper's own numbers are of later checkpoints and stay apart until they are asked for.
    assert {row["published"]["benchmark"] for row in content["refused"]} == {"multi30k"}
    done = towereval("published", folder, "--as", "TowerVision-2B", cwd=tmp_path)
    assert "TowerVision-2B in TowerVision (arXiv:2510.21849)" in done.stdout
    assert "theirs is @towervision, the run's @towervision-text" in done.stdout
    assert "authors' logs" not in done.stdout


def test_a_run_on_the_bundled_samples_is_beside_nothing(tmp_path: Path) -> None:
    tasks = ("multi30k", "ocrbench")
    recorded = record(tmp_path / "recorded", tasks)
    folder = run(replayed(recorded, tmp_path / "results", tasks, model="TowerVision-2B")).folder
    done = towereval("published", folder, "--format", "json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    content = json.loads(done.stdout)
    assert content["beside"] == []
    assert len(content["refused"]) == 4  # OCRBench in table 1, three languages in table 2
    reasons = {row["why"] for row in content["refused"]}
    assert reasons == {"the run is on the bundled samples, not on the benchmark"}


def test_the_table_says_where_each_number_is_from(tmp_path: Path) -> None:
    rows = [
        {"variant": "towervision", "value": 0.5, "ci_low": 0.4, "ci_high": 0.55},
        {"task": "textvqa", "variant": "validation", "metric": "vqa_accuracy"}
        | {"value": 0.681, "ci_low": 0.68, "ci_high": 0.682},
    ]
    folder = finished(tmp_path, "mine", "r1", *rows)
    done = towereval("published", folder, "--as", "TowerVision-2B", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line.split()[0]: line.split() for line in done.stdout.splitlines() if "@" in line}
    assert lines["ocrbench@towervision"][1:] == [
        *("accuracy", "en", "0.500", "0.400", "to", "0.550", "0.586", "58.6", "-0.0860"),
        *("no", "Table", "1"),
    ]
    assert lines["textvqa@validation"][-4:] == ["0", "yes", "Table", "1"]
    assert "1 of 2 inside our interval, 1 of 2 equal as printed" in done.stdout


def test_the_command_names_an_unknown_model_with_status_2(tmp_path: Path) -> None:
    folder = finished(tmp_path, "mine", "r1")
    assert "unknown published model 'mine'" in error_line(
        towereval("published", folder, cwd=tmp_path), 2
    )
    assert "is not a run" in error_line(towereval("published", tmp_path, cwd=tmp_path), 4)


HOSTILE = "=cmd|<script>alert(1)</script>[red]\u202eevil\n| x |"


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_hostile_name_breaks_no_line(tmp_path: Path, form: str) -> None:
    change = {"metric": HOSTILE, "variant": "towervision"}
    folder = finished(tmp_path, "mine", "r1", change)
    renamed(folder, HOSTILE * 10_000)
    command = ("published", folder, "--as", "TowerVision-2B", "--format", form)
    done = towereval(*command, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\u202e" not in done.stdout
    assert r"\u202eevil" in done.stdout.replace("\\\\", "\\")
    assert "\n| x |" not in done.stdout
    assert len(done.stdout) < 5000
    if form == "markdown":
        assert "<script>" not in done.stdout
