"""Runs and baselines as `compare` reads them: what cannot be trusted is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.test_replay import mixed, record, replayed, right
from towereval.compare import Settings, Verdict, compare
from towereval.errors import StoreError, UsageError
from towereval.measured import read, write_baseline
from towereval.run import run
from towereval.store import Store
from towereval.types import Request, Response, Sample, digest

TASKS = ("multi30k", "ocrbench")


def finished(folder: Path, answer: Callable[[Sample, Request], Response] = mixed) -> Path:
    recorded = record(folder / "recorded", TASKS, answer)
    return run(replayed(recorded, folder / "results", TASKS)).folder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return finished(tmp_path_factory.mktemp("made"))


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A finished run that a test may spoil."""
    return Path(shutil.copytree(made, tmp_path / "run"))


def edit(file: Path, change: Callable[[Any], object]) -> None:
    content = json.loads(file.read_text())
    if file.name == "results.json":
        content.pop("digest", None)  # of rows that are about to be others
    change(content)
    file.write_text(json.dumps(content))


# --- runs -----------------------------------------------------------------------------------------


def test_a_run_has_every_samples_statistics(made: Path) -> None:
    found = read(made)
    assert (found.model, found.run_id, found.split) == ("made", made.name, "sample")
    assert list(found.tasks) == ["multi30k", "ocrbench"]
    task = found.tasks["multi30k"]
    assert list(task.signatures) == ["bleu", "chrf", "language_fidelity"]  # no xcomet_xl
    german = task.languages["de"]
    assert len(german.samples) == len(german.clusters) == 8
    assert all(len(one) == 10 for one in german.statistics["bleu"])
    assert set(german.statistics["xcomet_xl"]) == {None}
    assert (
        german.data
        == json.loads((made / "manifest.json").read_text())["data"]["multi30k"]["digests"]["de"]
    )
    # Captions are parallel; OCRBench's pictures are its own.
    assert german.clusters == task.languages["fr"].clusters


def test_a_run_passes_against_itself_and_a_worse_one_does_not(made: Path, tmp_path: Path) -> None:
    assert compare(read(made), read(made)).verdict is Verdict.PASS
    best = read(finished(tmp_path, right))
    assert compare(best, read(made)).verdict is Verdict.REGRESSION
    assert compare(read(made), best).verdict is not Verdict.REGRESSION


@pytest.mark.parametrize("path", ["nowhere", "."])
def test_no_run_is_a_wrong_request(tmp_path: Path, path: str) -> None:
    with pytest.raises(UsageError, match="no run"):
        read(tmp_path / path)


def test_unanswered_requests_are_no_run_to_judge(folder: Path) -> None:
    with Store(folder) as store:
        [key] = store._db.execute("SELECT key FROM questions LIMIT 1").fetchone()
        assert list(store.add_responses([Response(key, error="out of memory")]))
    with pytest.raises(StoreError, match=r"1 requests have no answer: resume the run; 1x out of m"):
        read(folder)


def test_a_run_without_results_or_store_is_not_finished(folder: Path) -> None:
    (folder / "results.json").unlink()
    with pytest.raises(StoreError, match=r"no results\.json"):
        read(folder)
    (folder / "run.sqlite").unlink()
    with pytest.raises(StoreError, match=r"lost its run\.sqlite"):
        read(folder)


def test_a_manifest_without_its_tasks_is_refused(folder: Path) -> None:
    edit(folder / "manifest.json", lambda content: content["tasks"][0].pop("version"))
    with pytest.raises(StoreError, match=r"manifest\.json does not name its tasks: KeyError"):
        read(folder)


@pytest.mark.parametrize(
    "data", [[], "x", {"ocrbench": "x"}, {"ocrbench": {"digests": ["x"]}}, None]
)
def test_a_manifest_that_lists_its_data_otherwise_is_refused(folder: Path, data: object) -> None:
    edit(folder / "manifest.json", lambda content: content.update(data=data))
    with pytest.raises(StoreError, match=r"manifest\.json: \w+ is no object"):
        read(folder)


@pytest.mark.parametrize(
    ("stats", "what"),
    [
        ("[9,9", r"run\.sqlite: a score is '\[9,9', no list of numbers"),
        ('["a"]', "no list of numbers"),
        ("[NaN]", "no list of numbers"),
        ("3", "no list of numbers"),
        ("[1.0, 2.0]", r"ocrbench accuracy: run\.sqlite has statistics of another shape"),
    ],
)
@pytest.mark.parametrize("rows", ["sample % 3", "1"])
def test_scores_that_no_metric_has_written_are_refused(
    folder: Path, stats: str, what: str, rows: str
) -> None:
    with Store(folder) as store:
        query = f"UPDATE scores SET stats = ? WHERE metric = 'accuracy' AND {rows}"
        store._db.execute(query, (stats,))
    if rows == "1" and stats == "[1.0, 2.0]":
        what = "ocrbench accuracy en is"  # all are of one shape: their mean is another
    with pytest.raises(StoreError, match=what):
        read(folder)


@pytest.mark.parametrize(
    ("failed", "metrics", "what"),
    [
        ("accuracy", (), "ocrbench has no accuracy of every sample, it failed: no judge"),
        ("accuracy", ("bleu",), "ocrbench has no accuracy of every sample"),
        ("chrf", ("chrf",), "multi30k has no chrf of every sample"),
        ("chrf", ("bleu",), ""),
    ],
)
def test_a_metric_that_failed_matters_where_it_is_to_be_judged_by(
    folder: Path, failed: str, metrics: tuple[str, ...], what: str
) -> None:
    with Store(folder) as store:
        gone = "UPDATE scores SET stats = '[]', unscored = 'no judge', failed = 1 WHERE metric = ?"
        store._db.execute(gone, (failed,))
    edit(
        folder / "results.json",
        lambda c: c.update(results=[row for row in c["results"] if row["metric"] != failed]),
    )
    if what:
        with pytest.raises(StoreError, match=what):
            read(folder, metrics)
    else:
        found = read(folder, metrics)
        assert set(found.tasks["multi30k"].languages["de"].statistics["chrf"]) == {None}
        report = compare(found, found, Settings(metrics=metrics))
        assert report.verdict is Verdict.PASS


def row(content: dict[str, Any], metric: str, language: str) -> dict[str, Any]:
    [found] = [
        each
        for each in content["results"]
        if (each["metric"], each["language"], each["group"]) == (metric, language, "")
    ]
    return found


@pytest.mark.parametrize(
    ("change", "place"),
    [
        # An interval goes with its value: what is impossible is refused before.
        (
            lambda c: row(c, "accuracy", "en").update(value=0.99, ci_high=1.0),
            "ocrbench accuracy en is 0.99",
        ),
        (
            lambda c: row(c, "accuracy", "en").update(value=None, ci_low=None, ci_high=None),
            "ocrbench accuracy en is None",
        ),
        (
            lambda c: row(c, "bleu", "*").update(value=99.0, ci_high=100.0),
            r"multi30k bleu \* is 99.0 of 24",
        ),
        (lambda c: row(c, "bleu", "de").update(n=80), "multi30k bleu de is .* of 80 samples, but"),
        (lambda c: c["results"].remove(row(c, "chrf", "fr")), "multi30k chrf fr is None of 0"),
        (lambda c: row(c, "chrf", "fr").update(language="it"), "multi30k chrf fr is None of 0"),
        (
            lambda c: c["results"].append({**row(c, "chrf", "fr"), "language": "it"}),
            "multi30k chrf it is not in the run's store",
        ),
        (lambda c: row(c, "bleu", "de").update(variant="x"), "name other multi30ks: edited by"),
    ],
)
def test_results_that_do_not_follow_from_the_samples_are_refused(
    folder: Path, change: Callable[[Any], object], place: str
) -> None:
    edit(folder / "results.json", change)
    with pytest.raises(StoreError, match=place):
        read(folder)


# --- baselines ------------------------------------------------------------------------------------


def test_a_baseline_is_its_run_without_any_text(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "made.json"
    write_baseline(made, file)
    found, whole = read(file), read(made)
    assert compare(whole, found).comparisons == compare(whole, whole).comparisons
    assert compare(found, whole).verdict is Verdict.PASS
    with Store(made) as store:
        for task in TASKS:
            for _, sample, responses in store.answered(task):
                for text in (*sample.references, *(each.text for each in responses if each)):
                    assert len(text) < 12 or json.dumps(text)[1:-1] not in file.read_text()
                if sample.cluster:
                    assert sample.cluster == sample.id or sample.cluster not in file.read_text()
    write_baseline(made, tmp_path / "again.json")
    assert file.read_bytes() == (tmp_path / "again.json").read_bytes()


def test_an_edited_baseline_is_refused(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "made.json"
    write_baseline(made, file)
    edit(file, lambda content: content.update(model="better"))
    with pytest.raises(StoreError, match="edited after it was written"):
        read(file)


def part_of(content: Any) -> Any:
    return content["tasks"]["ocrbench"]["languages"]["en"]


@pytest.mark.parametrize(
    "change",
    [
        lambda c: part_of(c)["statistics"]["accuracy"].pop(),
        lambda c: part_of(c)["clusters"].pop(),
        lambda c: part_of(c)["statistics"]["accuracy"].__setitem__(0, ["1"]),
        lambda c: part_of(c)["statistics"]["accuracy"].__setitem__(0, [1e999]),
        lambda c: part_of(c)["statistics"]["accuracy"].__setitem__(0, [1, 1]),
        lambda c: part_of(c)["statistics"]["accuracy"].__setitem__(0, 1),
        lambda c: c["tasks"]["ocrbench"].pop("version"),
        lambda c: c["tasks"]["ocrbench"].update(version="1"),
        lambda c: c["tasks"]["ocrbench"].update(signatures=["accuracy"]),
        lambda c: part_of(c)["samples"].__setitem__(0, part_of(c)["samples"][1]),
        lambda c: part_of(c).update(data=3),
        lambda c: c.update(model=None),
        lambda c: c.update(tasks=3),
    ],
)
def test_a_baseline_made_by_others_is_checked_too(
    made: Path, tmp_path: Path, change: Callable[[Any], object]
) -> None:
    file = tmp_path / "made.json"
    write_baseline(made, file)

    def signed(content: Any) -> None:
        change(content)
        del content["digest"]
        content["digest"] = digest(content)

    edit(file, signed)
    with pytest.raises(UsageError, match="neither a run's folder nor a baseline"):
        read(file)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "\x00", "[" * 100_000, '{"schema": 1, "digest": "x"}', "1"]
)
def test_a_file_that_is_no_baseline_is_a_wrong_request(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises((UsageError, StoreError), match=r"neither a run's|edited after"):
        read(tmp_path / "file")


def test_a_baseline_cannot_be_written_where_there_is_no_folder(made: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        write_baseline(made, tmp_path / "file" / "made.json")
