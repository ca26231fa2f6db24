"""A run is repeated from its manifest, and --locked refuses what is no longer what it was."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.reliability.killing import Bench, content
from tests.test_checkpoints import checkpoint
from tests.test_cli import error_line, replay, towereval
from tests.test_replay import record
from towereval.plan import SAMPLES


def only(output: Path) -> Path:
    [folder] = output.glob("*/*")
    return folder


def test_a_fresh_process_repeats_a_run_from_its_manifest_alone(tmp_path: Path) -> None:
    """Scripted answers follow from the requests' keys, so equal answers are equal questions."""
    bench = Bench(tmp_path)
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "multi30k", data)
    words = ("--tasks", "multi30k,commute", "--languages", "de,fr", "--limit", 5, "--seed", 3)
    given = ("--engine", "scripted", "--engine-args", "a=1", "--data", f"multi30k={data}")
    commute = tmp_path / "commute"
    shutil.copytree(SAMPLES / "commute", commute)
    model = checkpoint(tmp_path / "model")
    local = ("--data", f"commute={commute}", "--output", "first")
    bench.finish(("run", "--model", model, *words, *given, *local))
    first = only(tmp_path / "first")
    manifest = first / "manifest.json"
    shutil.move(manifest, tmp_path / "manifest.json")
    repeat = ("run", "--from-manifest", tmp_path / "manifest.json", "--locked")
    bench.finish((*repeat, "--output", "second"))
    shutil.move(tmp_path / "manifest.json", manifest)
    second = only(tmp_path / "second")
    assert second.name == first.name
    assert content(second) == content(first)


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """A finished run over a folder of one's own; the command's words but for --locked."""
    shutil.copytree(SAMPLES / "multi30k", tmp_path / "data")
    recorded = record(tmp_path / "recorded", ["multi30k"])
    done = towereval(*command(recorded, tmp_path), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return recorded


def command(recorded: Path, folder: Path, *more: object) -> tuple[object, ...]:
    given = ("--split", "full", "--data", f"multi30k={folder / 'data'}", "--tasks", "multi30k")
    return (*replay(recorded), *given, *more)


def test_locked_data_that_are_the_same_are_taken(tmp_path: Path, ran: Path) -> None:
    done = towereval(*command(ran, tmp_path, "--locked"), cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_locked_data_that_changed_are_refused_and_the_run_stays_as_it_was(
    tmp_path: Path, ran: Path
) -> None:
    folder = only(tmp_path / "results")
    before = content(folder)
    file = tmp_path / "data" / "test.jsonl"
    whole = file.read_text()
    file.write_text(whole.replace("T-Shirt", "Hemd", 1))  # a reference: what is asked is the same
    for _ in range(2):
        done = towereval(*command(ran, tmp_path, "--locked"), cwd=tmp_path)
        assert done.returncode == 4
        assert "error: --locked: multi30k: the digest of de was " in done.stderr
        assert "run without --locked" in done.stderr
    assert content(folder) == before
    file.write_text(whole)
    assert towereval(*command(ran, tmp_path, "--locked"), cwd=tmp_path).returncode == 0
    assert content(folder) == before


def test_another_respondent_is_refused(tmp_path: Path, ran: Path) -> None:
    manifest = only(tmp_path / "results") / "manifest.json"
    other = tmp_path / "other" / "manifest.json"
    other.parent.mkdir()
    changed = json.loads(manifest.read_text()) | {"respondent_digest": "0", "respondent": {"a": 1}}
    other.write_text(json.dumps(changed))
    done = towereval("run", "--from-manifest", other, "--locked", cwd=tmp_path)
    assert "--locked: a was 1 and is None" in error_line(done, 4)


def test_what_cannot_be_repeated_is_told(tmp_path: Path, ran: Path) -> None:
    fresh = towereval(*command(ran, tmp_path, "--locked", "--fresh"), cwd=tmp_path)
    assert "has no earlier start; name one by --from-manifest" in error_line(fresh, 2)
    (tmp_path / "manifest.json").write_text('{"schema": 1}')
    old = towereval("run", "--from-manifest", "manifest.json", cwd=tmp_path)
    assert "it does not say how the run was asked for" in error_line(old, 2)
    other = towereval("run", "--from-manifest", "results.json", cwd=tmp_path)
    assert "wants a run's manifest.json, not results.json" in error_line(other, 2)
    none = towereval("run", "--from-manifest", "no/manifest.json", cwd=tmp_path)
    assert "no is not a run: it has no manifest.json" in error_line(none, 4)


def test_the_command_line_wins_over_the_manifest(tmp_path: Path, ran: Path) -> None:
    manifest = only(tmp_path / "results") / "manifest.json"
    words = ("run", "--from-manifest", manifest, "--limit", 2, "--output", "limited")
    assert towereval(*words, cwd=tmp_path).returncode == 0
    limited = json.loads((only(tmp_path / "limited") / "manifest.json").read_text())
    assert (limited["limit"], limited["command"]["limit"]) == (2, 2)
    assert limited["command"]["tasks"] == ["multi30k"]
