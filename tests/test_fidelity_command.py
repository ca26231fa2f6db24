"""`towereval fidelity`: a stored run's languages, by a model that answers partly in English."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed
from towereval.answer_languages import signatures, spoken_in
from towereval.errors import StoreError
from towereval.metrics.fidelity import LanguageFidelity
from towereval.run import run
from towereval.types import Request, Response, Sample, digest

needs_lingua = pytest.mark.skipif(find_spec("lingua") is None, reason="needs the metrics extra")
ENGLISH = "This is an answer in plain English, whatever was asked."


def mostly(sample: Sample, request: Request) -> Response:
    """French is always answered in English, the other languages with the reference."""
    text = ENGLISH if sample.language == "fr" else sample.references[0]
    return Response(request.key, "" if sample.id == "0" else text)


@needs_lingua
def test_each_language_its_share_and_what_the_right_ones_score(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"], mostly)
    folder = run(replayed(recorded, tmp_path / "out", ["multi30k"])).folder
    rows = {row.language: row for row in spoken_in(folder)}
    assert list(rows) == ["cs", "de", "fr"]
    german, french = rows["de"], rows["fr"]
    assert (german.fidelity, german.wrong) == (1.0, ())
    assert german.n + german.undecided == french.n + french.undecided
    assert german.undecided >= 1  # the empty answer
    assert german.kept == {}
    assert (french.fidelity, french.wrong) == (0.0, (("en", french.n),))
    assert french.kept["chrf"].all < 50
    assert french.high is None or french.high < 0.6
    done = towereval("fidelity", folder, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"en {french.n}" in done.stdout
    assert "language_fidelity|identifier:lingua:" in done.stdout


@needs_lingua
def test_scores_keep_the_name_of_the_identifier_that_made_them(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"], mostly)
    folder = run(replayed(recorded, tmp_path / "out", ["multi30k"], languages=("de",))).folder
    file = folder / "results.json"
    content = json.loads(file.read_text().replace("identifier:lingua:2", "identifier:lingua:1"))
    file.write_text(json.dumps({**content, "digest": digest(content["results"])}))
    (told,) = signatures(folder, spoken_in(folder))
    assert "identifier:lingua:1" in told
    file.unlink()  # before it is scored answers are identified by what is installed
    (told,) = signatures(folder, spoken_in(folder))
    assert told == LanguageFidelity().signature


def test_a_run_without_free_answers_is_told(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["ocrbench"])
    folder = run(replayed(recorded, tmp_path / "out", ["ocrbench"])).folder
    line = error_line(towereval("fidelity", folder, cwd=tmp_path), 2)
    assert "none of its tasks (ocrbench)" in line


@pytest.mark.parametrize("tasks", ["", '"tasks": 5,', '"tasks": [{"name": "multi30k"}],'])
def test_a_manifest_without_tasks_is_one_line(tmp_path: Path, tasks: str) -> None:
    content = f'{{{tasks} "schema": 1, "model": "m", "run_id": "r"}}'
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(StoreError, match="does not name its tasks"):
        spoken_in(tmp_path)
