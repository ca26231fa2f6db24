"""Logs of inspect_ai become runs with its scores, and what is wrong with a log is told.

The logs in made/ were written by inspect_ai 0.3.285 (make_inspect.py).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from towereval.bridges.find_logs import find_files, open_logs
from towereval.bridges.logged_runs import Taken, write_run
from towereval.compare import compare
from towereval.errors import DataError, UsageError
from towereval.leaderboard.build import build
from towereval.leaderboard.table import tabulate
from towereval.measured import read
from towereval.run import rescore
from towereval.store import Store

MADE = Path(__file__).with_name("made")


def taken(path: Path, output: Path, *, model: str = "", **languages: str) -> Taken:
    harness, files = find_files(path)
    return write_run(open_logs(harness, files, languages), model=model, output=output)


def values(found: Taken) -> dict[tuple[str, str], tuple[float | None, int, int, int]]:
    return {
        (row.metric, row.language): (row.value, row.n, row.n_failed, row.n_unscored)
        for row in found.outcome.results
    }


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Taken:
    return taken(MADE / "good.eval", tmp_path_factory.mktemp("good"))


# --- what becomes of a log ---


def test_scores_are_those_of_the_log(good: Taken) -> None:
    found = values(good)
    assert found["includes", "de"] == (pytest.approx(2 / 3), 3, 0, 0)
    assert found["includes", "fr"] == (0.5, 2, 1, 0)
    assert found["includes", "*"] == (pytest.approx(7 / 12), 5, 1, 0)
    assert found["pair.hit", "fr"] == (0.5, 2, 1, 0)
    assert found["pair.near", "de"] == (0.5, 3, 0, 0)
    # An error is a failed sample, NaN is how a scorer says that it cannot tell: neither is a zero.
    assert found["length", "fr"] == (4.0, 1, 1, 1)
    assert good.model == "mockllm/good"
    assert good.outcome.failures == (("inspect: ValueError('the picture cannot be read')", 1),)
    assert good.notices == (
        "inspect:weeks: languages by the column 'language'",
        "inspect:weeks: 1 samples have an error: they failed, and no score of theirs is taken",
    )


def test_signatures_say_whose_scores_they_are(good: Taken) -> None:
    signatures = {row.metric: row.signature for row in good.outcome.results}
    assert signatures == {
        "includes": "includes|inspect|task:2|mean|range:0-1",
        "length": "length|inspect|task:2|mean|range:open",
        "pair.hit": "pair.hit|inspect|task:2|mean|range:0-1",
        "pair.near": "pair.near|inspect|task:2|mean|range:0-1",
    }
    manifest = json.loads((good.outcome.folder / "manifest.json").read_text())
    assert manifest["engine"] == "inspect logs"
    assert manifest["respondent"]["engine"] == "inspect 0.3.285"
    assert manifest["started"].startswith("20")
    assert "custom_outputs" not in json.dumps(manifest)  # a model's arguments may hold a token


def test_samples_keep_questions_and_answers(good: Taken) -> None:
    with Store(good.outcome.folder, reading=True) as store:
        found = {
            sample.id: (sample, replies) for sample, replies, _ in store.scored("inspect:weeks")
        }
    sample, [reply] = found["q1"]
    assert reply is not None and reply.text == "weiss"
    assert sample.references == ("weiß", "weiss")
    assert [part.text for part in sample.prompt[0].parts] == ["Welche Farbe hat Schnee?"]
    asked = found["q5"][0].prompt[0].parts
    assert [type(part).__name__ for part in asked] == ["Text", "Image"]  # of which the hash is left


def test_a_run_of_a_log_is_scored_again_alike(good: Taken) -> None:
    assert rescore(good.outcome.folder).results == good.outcome.results


def test_epochs_count_as_their_mean(tmp_path: Path) -> None:
    found = taken(MADE / "epochs.eval", tmp_path)
    # The puppy is found in one epoch of two.
    assert found.outcome.results[0].metric == "includes"
    assert values(found)["includes", "de"] == (pytest.approx(5 / 6), 3, 0, 0)
    with Store(found.outcome.folder, reading=True) as store:
        texts = {
            s.id: [r.text for r in replies if r] for s, replies, _ in store.scored("inspect:weeks")
        }
    assert texts["q2"] == ["Kitten", "Welpe"]
    # That is what inspect itself says of it, and nothing is told to differ.
    assert found.notices == ("inspect:weeks: languages by the column 'language'",)


def test_two_models_logs_are_paired(tmp_path: Path) -> None:
    """One in an archive and one in JSON: what was asked is the same."""
    runs = [taken(MADE / name, tmp_path).outcome for name in ("whole.eval", "other.json")]
    assert runs[0].results[0].data == runs[1].results[0].data != ""
    report = compare(*(read(run.folder) for run in runs))
    by = {(each.metric, each.language): each for each in report.comparisons}
    assert by["includes", "de"].n == 3
    assert by["includes", "de"].discordant == 2
    assert by["length", "*"].own_unit
    assert next(each.metric for each in report.comparisons if each.gated) == "includes"


def test_a_log_with_failed_samples_is_not_compared(good: Taken) -> None:
    from towereval.errors import StoreError

    with pytest.raises(StoreError, match="ask them again there and import the logs; 1x inspect"):
        read(good.outcome.folder)


def test_the_newest_log_of_a_task_counts(tmp_path: Path) -> None:
    for name in ("good.eval", "whole.eval"):
        shutil.copy(MADE / name, tmp_path)
    found = taken(tmp_path, tmp_path / "results")
    assert "good.eval is left out, whole.eval is newer" in found.notices[0]
    shutil.copy(MADE / "other.json", tmp_path)
    with pytest.raises(DataError, match=r"logs of several models: .*mockllm.* import them one by"):
        taken(tmp_path, tmp_path / "results", model="x")


def test_languages_are_what_the_user_says(tmp_path: Path) -> None:
    found = taken(MADE / "whole.eval", tmp_path, weeks="gl")
    assert {row.language for row in found.outcome.results} == {"gl"}
    with pytest.raises(UsageError, match="--language 'german!' is no language code"):
        taken(MADE / "whole.eval", tmp_path, weeks="german!")


# --- logs that are not as inspect writes them ---


def changed(tmp_path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The log in JSON with something of it changed."""
    content = json.loads((MADE / "other.json").read_text())
    change(content)
    file = tmp_path / "changed.json"
    # As inspect does, not-a-number and infinity are written as they are called.
    file.write_text(json.dumps(content))
    return file


def score(value: object) -> Callable[[dict[str, Any]], object]:
    return lambda log: log["samples"][0]["scores"]["includes"].update(value=value)


FAULTS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "infinite": (score(float("inf")), "sample 1 is no sample (ValueError: a score is inf)"),
    "huge": (score(1e300), "a score is 1e+300"),
    "no input": (lambda log: log["samples"][0].pop("input"), "KeyError: 'input'"),
    "no id": (lambda log: log["samples"][0].pop("id"), "KeyError: 'id'"),
    "input is a number": (lambda log: log["samples"][0].update(input=3), "TypeError"),
    "score is a text": (
        lambda log: log["samples"][0]["scores"].update(x="C"),
        "score 'x' is a str",
    ),
    "sample is a text": (lambda log: log["samples"].append("x"), "sample 7 is no object"),
    "twice": (lambda log: log["samples"].append(log["samples"][0]), "is there twice in epoch 1"),
    "cut": (lambda log: log["samples"].pop(), "5 of 6 samples are in it: copy it whole"),
    "no samples": (lambda log: log.update(samples=[]), "evaluate with --log-samples"),
    "unfinished": (lambda log: log.update(status="error"), "ended as 'error': finish it with insp"),
    "no task": (lambda log: log["eval"].pop("task"), "not what inspect writes: KeyError: 'task'"),
    "no date": (
        lambda log: log["eval"].update(created="now"),
        "not what inspect writes: ValueError",
    ),
    "an epoch less": (lambda log: log["eval"]["config"].update(epochs=2), "has not its 2 epochs"),
    "no scores": (
        lambda log: [sample.update(scores={}) for sample in log["samples"]],
        "no sample has a score: score it with inspect score",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_inspect_does_not_write_is_told(tmp_path: Path, fault: str) -> None:
    change, message = FAULTS[fault]
    file = changed(tmp_path, change)
    with pytest.raises(DataError) as error:
        taken(file, tmp_path / "results")
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()


def test_a_score_that_is_no_number_is_unscored(tmp_path: Path) -> None:
    found = taken(changed(tmp_path, score("B+")), tmp_path / "results")
    assert values(found)["includes", "de"] == (1.0, 2, 0, 1)
    assert "includes is 0.5 there, the mean of its samples' scores here 0.6" in found.notices[-1]


def test_another_reducer_is_told(tmp_path: Path) -> None:
    file = changed(tmp_path, lambda log: log["eval"]["config"].update(epochs_reducer=["mode"]))
    found = taken(file, tmp_path / "results")
    assert "epochs are reduced by mode there, by their mean here" in found.notices[-1]


def test_a_cut_run_stays_one(tmp_path: Path) -> None:
    def cut(log: dict[str, Any]) -> None:
        log["eval"]["config"]["limit"] = 4
        del log["samples"][4:]

    found = taken(changed(tmp_path, cut), tmp_path / "results")
    manifest = json.loads((found.outcome.folder / "manifest.json").read_text())
    assert manifest["limit"] == 4


def test_scores_that_are_no_shares_are_not_averaged_with_such(tmp_path: Path) -> None:
    taken(MADE / "whole.eval", tmp_path)
    table = tabulate(build(tmp_path))
    found = {one.metric: (one.points, one.averaged) for one in table.measures}
    assert found["length"] == (1.0, False)
    assert found["includes"] == (100.0, True)


def test_names_lead_nowhere(tmp_path: Path) -> None:
    file = changed(tmp_path, lambda log: log["eval"].update(task="../../x\n|<b>", model="../up"))
    found = taken(file, tmp_path / "results")
    assert found.outcome.folder.parent.parent == tmp_path / "results"
    assert {row.task for row in found.outcome.results} == {"inspect:x_b"}
    assert [each.name for each in found.outcome.folder.glob("samples/*")] == ["inspect:x_b.parquet"]
