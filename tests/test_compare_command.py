"""`towereval compare` and `towereval baseline` as a build calls them: exit status and formats."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.test_cli import MAIN, error_line, surroundings, towereval
from tests.test_measured import finished
from tests.test_replay import right
from towereval.store import Store
from towereval.types import Request, Response, Sample, digest


def wrong(sample: Sample, request: Request) -> Response:
    return Response(request.key, "nothing of the kind")


def nearly(sample: Sample, request: Request) -> Response:
    """Right but for three of OCRBench's 30 samples."""
    slip = sample.id in ("0", "1", "2") and sample.language == "en"
    return wrong(sample, request) if slip else right(sample, request)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    found = {"good": finished(folder / "good", right), "mixed": finished(folder / "mixed")}
    found |= {"bad": finished(folder / "bad", wrong)}
    return {**found, "nearly": finished(folder / "nearly", nearly)}


@pytest.mark.parametrize(
    ("base", "candidate", "status", "verdict"),
    [
        ("good", "good", 0, "pass"),
        ("good", "bad", 1, "regression"),
        ("good", "nearly", 3, "inconclusive"),
        ("mixed", "good", 0, "pass"),
    ],
)
def test_the_verdict_is_the_exit_status(
    runs: dict[str, Path], tmp_path: Path, base: str, candidate: str, status: int, verdict: str
) -> None:
    done = towereval("compare", runs[base], runs[candidate], cwd=tmp_path)
    assert done.returncode == status, done.stdout
    assert f"\n{verdict} (alpha 0.05, margin 0.02)\n" in done.stdout
    assert "macro mean" in done.stdout
    assert "note: multi30k" not in done.stderr


def test_a_missing_run_is_a_wrong_request(runs: dict[str, Path], tmp_path: Path) -> None:
    done = towereval("compare", runs["good"], "no/such/run", cwd=tmp_path)
    assert error_line(done, 2).startswith("error: no/such/run: no run")


def test_an_unfinished_run_is_a_failure(runs: dict[str, Path], tmp_path: Path) -> None:
    run = shutil.copytree(runs["good"], tmp_path / "run")
    with Store(run) as store:
        last = "SELECT MAX(question) FROM responses"
        store._db.execute(f"DELETE FROM responses WHERE question = ({last})")
    done = towereval("compare", runs["good"], run, "--format", "github", cwd=tmp_path)
    assert done.returncode == 4
    assert "requests have no answer: resume the run" in done.stderr
    assert done.stdout == f"::error title=towereval::{done.stderr.removeprefix('error: ')}"


def test_a_run_that_is_being_written_is_not_judged(runs: dict[str, Path], tmp_path: Path) -> None:
    run = shutil.copytree(runs["good"], tmp_path / "run")
    with Store(run):
        done = towereval("compare", runs["good"], run, cwd=tmp_path)
    assert "in use by" in error_line(done, 4)


# A task of one's own whose metric is broken.
BROKEN = """
class Broken:
    name, signature, scale, mean, better = "accuracy", "broken", 1.0, True, "larger"

    def sample(self, sample, responses):
        return (1.0,)

    def corpus(self, total, count):
        raise AttributeError("two\\nlines")


class Mine:
    name, variant, version = "ocrbench", "official", 1
    languages, metrics, needs = ("en",), (Broken(),), frozenset({"generate"})

    def samples(self, source, languages):
        return iter(())

    def requests(self, sample):
        return iter(())


variants = (Mine(),)
"""


def test_only_a_regression_has_status_1(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "own" / "tasks").mkdir(parents=True)
    (tmp_path / "own" / "tasks" / "ocrbench.py").write_text(BROKEN)
    words = ("compare", runs["good"], runs["good"])
    own = {"TOWEREVAL_PATH": str(tmp_path / "own")}
    line = error_line(towereval(*words, cwd=tmp_path, **own), 4)
    assert line.startswith("error: AttributeError: two lines (not foreseen; TOWEREVAL_TRACEBACK=1")
    traced = towereval(*words, cwd=tmp_path, TOWEREVAL_TRACEBACK="1", **own)
    assert traced.returncode == 4
    assert "in corpus" in traced.stderr
    assert traced.stderr.startswith("Traceback")


def test_a_report_that_nobody_reads_to_its_end_is_no_regression(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = ["compare", runs["good"], runs["good"], "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-u", "-c", MAIN, *map(str, words)],
        stdout=writer,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env=surroundings(),
        timeout=180,
    )
    os.close(writer)
    assert done.returncode == 4


def test_every_format_says_the_same(runs: dict[str, Path], tmp_path: Path) -> None:
    words = ("compare", runs["good"], runs["bad"], "--format")
    content = json.loads(towereval(*words, "json", cwd=tmp_path).stdout)
    rows = content["comparisons"]
    worse = [row for row in rows if row["verdict"] == "regression"]
    junit = towereval(*words, "junit", cwd=tmp_path)
    assert junit.returncode == 1
    root = ET.fromstring(junit.stdout)
    assert len(list(root.iter("testcase"))) == len(rows)
    assert len(list(root.iter("failure"))) == len(worse) > 0
    markdown = towereval(*words, "markdown", cwd=tmp_path).stdout
    assert markdown.count("**regression**") == len(worse)
    summary = tmp_path / "summary.md"
    github = towereval(*words, "github", cwd=tmp_path, GITHUB_STEP_SUMMARY=str(summary))
    assert github.stdout.count("::error title=towereval%3A regression::") == len(worse)
    assert summary.read_text() == markdown
    assert towereval(*words, "xml", cwd=tmp_path).returncode == 2


def test_alpha_margin_and_metrics_can_be_set(runs: dict[str, Path], tmp_path: Path) -> None:
    words = ("compare", runs["good"], runs["good"], "--format", "json")
    asked = ("--alpha", 0.01, "--margin", 0.05, "--metrics", "chrf")
    content = json.loads(towereval(*words, *asked, cwd=tmp_path).stdout)
    assert (content["alpha"], content["margin"]) == (0.01, 0.05)
    gated = {row["metric"] for row in content["comparisons"] if row["gated"]}
    assert gated == {"chrf", "accuracy"}
    done = towereval(*words, "--metrics", "teds", cwd=tmp_path)
    assert "unknown metric 'teds'" in error_line(done, 2)


def test_a_baseline_stands_for_its_run(runs: dict[str, Path], tmp_path: Path) -> None:
    done = towereval("baseline", runs["good"], "good.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "good.json\n")
    assert towereval("compare", "good.json", runs["good"], cwd=tmp_path).returncode == 0
    assert towereval("compare", "good.json", runs["bad"], cwd=tmp_path).returncode == 1


def test_hostile_names_in_a_baseline_are_shown_harmlessly(
    runs: dict[str, Path], tmp_path: Path
) -> None:
    """Languages and models are what a file says; a colour, a bell and a link stay text."""
    towereval("baseline", runs["good"], "good.json", cwd=tmp_path)
    content = json.loads((tmp_path / "good.json").read_text())
    hostile = "[red]de[/red]\x1b]8;;http://x\x07\u202e" + "x" * 10_000
    languages = content["tasks"]["multi30k"]["languages"]
    languages[hostile] = languages.pop("de")
    del content["digest"]
    content |= {"model": hostile}
    content["digest"] = digest(content)
    (tmp_path / "good.json").write_text(json.dumps(content))
    for kind in ("table", "markdown", "github", "junit", "json"):
        done = towereval("compare", "good.json", "good.json", "--format", kind, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, ""), kind
        assert not {"\x1b", "\x07", "\u202e"} & set(done.stdout), kind
