"""Failed requests: asked again when told to, counted against --max-failed, shown beside."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable
from pathlib import Path

import pytest

from tests.test_cli import error_line, replay, towereval
from tests.test_replay import asked, record, replayed, right
from towereval import plugins
from towereval.engines import replay as engine
from towereval.run import run
from towereval.store import Store
from towereval.types import Request, Response, Sample


def one_lost(sample: Sample, request: Request) -> Response:
    if (sample.language, sample.id) == ("de", "1"):
        return Response(request.key, error="DataError: a.png: truncated")
    return right(sample, request)


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of 48 samples of CoMMuTE has failed requests."""
    return record(tmp_path_factory.mktemp("failed") / "recorded", ["commute"], one_lost)


@pytest.mark.parametrize(
    ("words", "status"),
    [("", 4), ("--max-failed 0", 4), ("--max-failed 1%", 4), ("--max-failed 5%", 0)],
)
def test_the_share_that_may_fail(tmp_path: Path, failing: Path, words: str, status: int) -> None:
    done = towereval(*replay(failing, "--tasks", "commute", *words.split()), cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert "failed 2x: DataError: a.png: truncated" in done.stderr
    [folder] = tmp_path.glob("results/made/*")
    again = towereval("score", folder, *words.split(), cwd=tmp_path)
    assert again.returncode == status


def test_a_language_without_any_answer_is_too_much_of_every_share(tmp_path: Path) -> None:
    def answer(sample: Sample, request: Request) -> Response:
        if sample.language == "de":
            return Response(request.key, error="EngineError: out of memory")
        return right(sample, request)

    lost = record(tmp_path / "lost", ["commute"], answer)
    words = replay(lost, "--tasks", "commute", "--max-failed", "90%")
    assert towereval(*words, cwd=tmp_path).returncode == 4


def test_a_share_that_is_none_is_refused(tmp_path: Path, failing: Path) -> None:
    for share in ("many", "120%", "-1"):
        words = replay(failing, "--tasks", "commute", "--max-failed", share)
        told = error_line(towereval(*words, cwd=tmp_path), 2)
        assert f"--max-failed is a share such as 1% or 0.01, not '{share}'" in told


def test_the_score_with_the_failed_as_wrong_stands_beside(tmp_path: Path, failing: Path) -> None:
    task = plugins.load_task("commute")
    of_german = [sample.id for _, sample, _ in asked(task) if sample.language == "de"]
    words = replay(failing, "--tasks", "commute")
    done = towereval(*words, cwd=tmp_path)
    [file] = tmp_path.glob("results/made/*/results.json")
    rows = {row["language"]: row for row in json.loads(file.read_text())["results"]}
    assert (rows["de"]["value"], rows["de"]["n_failed"]) == (1.0, 1)
    as_wrong = (len(of_german) - 1) / len(of_german)
    assert f"{as_wrong:.3f} with the failed as wrong" in rows["de"]["note"]
    languages = len(rows) - 1
    mean = (languages - 1 + as_wrong) / languages
    assert f"{mean:.3f} with the failed as wrong" in rows["*"]["note"]
    assert "failed as wrong" not in rows["fr"]["note"]
    assert f"commute contrastive_accuracy de: 1 failed; {rows['de']['note']}" in done.stdout


class Hesitating(engine.ReplayEngine):
    """Each request fails once, and the German ones twice."""

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        for request in requests:
            times = SEEN.get(request.key, 0)
            SEEN[request.key] = times + 1
            german = "German" in str(request.prompt)
            if times <= german:
                yield Response(request.key, error="EngineError: not now")
            else:
                yield from super().run([request])


SEEN: dict[str, int] = {}


@pytest.mark.parametrize(("retries", "left"), [(0, 24), (1, 8), (2, 0), (9, 0)])
def test_what_failed_is_asked_again_in_the_same_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, retries: int, left: int
) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"], right)
    monkeypatch.setattr(engine, "ReplayEngine", Hesitating)
    SEEN.clear()
    outcome = run(replayed(recorded, tmp_path / "results", ["multi30k"], retries=retries))
    assert sum(count for _, count in outcome.failures) == left
    assert outcome.lost == (("multi30k", 24, left),)
    most = min(1 + retries, 3)
    assert set(SEEN.values()) <= set(range(1, most + 1)), "none that was answered is asked again"
    with Store(outcome.folder) as store:
        assert store.count_unanswered() == left
