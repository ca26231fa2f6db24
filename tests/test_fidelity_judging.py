"""LF+ through a judge: with a run of xm3600, and of any stored run by `towereval fidelity`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.chat_server import Asked, ChatServer, Reply, refusal
from tests.test_cli import towereval
from tests.test_replay import record, replayed
from towereval.judging import JudgePlan
from towereval.run import run
from towereval.types import Request, Response, Sample

NEITHER = '{"consistent": false, "language": "en", "issues": ["other_language"]}'
GERMAN, ENGLISH = "Ein brauner Hund läuft über die Wiese.", "A brown dog runs on a meadow."


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def judged(asked: Asked) -> str | Reply:
    """German is consistent; asked in French it says so in words, in Czech the server fails."""
    if "French" in asked.text:
        return "It looks fine to me."
    if "Czech" in asked.text:
        return refusal(500, "out of order", Retry_After="0")
    right = GERMAN in asked.text
    issues = [] if right else ["other_language"]
    return json.dumps({"consistent": right, "language": "de" if right else "en", "issues": issues})


@pytest.fixture
def judge() -> Iterator[ChatServer]:
    with ChatServer(judged) as server:
        yield server


def half(sample: Sample, request: Request) -> Response:
    return Response(
        request.key, GERMAN if sample.id == "cd6357efdd966de8" else f"{ENGLISH} {sample.id}"
    )


def test_xm3600_is_judged_with_the_run(judge: ChatServer, tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["xm3600"], half)
    engine = {"base_url": judge.url}
    plan = replayed(recorded, tmp_path / "out", ["xm3600"], languages=("cs", "de", "fr"))
    outcome = run(replace(plan, judge=JudgePlan("j", "openai", engine)))
    rows = {
        row.language: row for row in outcome.results if row.metric == "language_fidelity_judged"
    }
    german, french, czech = rows["de"], rows["fr"], rows["cs"]
    assert (german.value, german.n) == (0.5, 2)
    assert "|judge:j@" in german.signature
    assert (french.n_unscored, french.n_failed) == (2, 0)
    assert "no verdict in JSON: 'It looks fine to me.'" in french.note
    assert (czech.n_unscored, czech.n_failed) == (0, 2)  # a fault of the judge's, asked again
    count = len(judge.asked)
    judge.script = lambda asked: judged(asked) if "Czech" not in asked.text else NEITHER
    again = run(replace(plan, judge=JudgePlan("j", "openai", engine)))
    assert len(judge.asked) == count + 2
    [czech] = [
        row
        for row in again.results
        if (row.metric, row.language) == ("language_fidelity_judged", "cs")
    ]
    assert (czech.value, czech.n) == (0.0, 2)


def test_any_stored_run_is_judged_by_the_command(judge: ChatServer, tmp_path: Path) -> None:
    def german(sample: Sample, request: Request) -> Response:
        return Response(request.key, GERMAN if int(sample.id) % 2 else ENGLISH)

    recorded = record(tmp_path / "recorded", ["multi30k"], german)
    plan = replayed(recorded, tmp_path / "out", ["multi30k"], languages=("de", "fr"))
    folder = run(plan).folder
    before = (folder / "results.json").read_bytes()
    words = ("--judge", "j", "--judge-engine", "openai")
    at = ("--judge-engine-args", f"base_url={judge.url}")
    done = towereval("fidelity", folder, *words, *at, cwd=tmp_path, no_proxy="127.0.0.1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert any(line.split()[:3] == ["multi30k", "de", "50.0%"] for line in lines)
    assert any(line.split()[:3] == ["multi30k", "fr", "-"] for line in lines)
    assert "unscored: the judge gave no verdict in JSON" in done.stdout
    assert lines[-1].startswith("language_fidelity_judged|prompt:1|")
    assert "|judge:j@" in lines[-1]
    count = len(judge.asked)
    towereval("fidelity", folder, *words, *at, cwd=tmp_path, no_proxy="127.0.0.1")
    assert len(judge.asked) == count  # its verdicts were kept
    assert (folder / "results.json").read_bytes() == before
