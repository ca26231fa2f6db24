"""One plan, one folder: what is asked, resumed, limited, counted, and written down."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.test_replay import RESPONDENT, mixed, record, replayed, right
from towereval import __version__
from towereval.engines import replay
from towereval.errors import DataError, EngineError, StoreError, UnknownName, UsageError
from towereval.grading import Scoring
from towereval.plan import SAMPLES, Plan, folder_name
from towereval.progress import Look
from towereval.run import rescore, run
from towereval.store import Store
from towereval.types import Decoding, Request, Response, Result, Sample

TASKS = ("alm_bench", "commute", "multi30k", "ocrbench")
FIELDS = {
    *("task", "variant", "task_version", "split", "language", "group", "metric", "value"),
    *("ci_low", "ci_high", "n", "n_failed", "n_unscored", "signature", "run_id", "languages"),
    *("note", "data", "better"),
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers to the bundled samples of four tasks, two of three of them right."""
    return record(tmp_path_factory.mktemp("run") / "recorded", TASKS)


@pytest.fixture
def plan(recorded: Path, tmp_path: Path) -> Callable[..., Plan]:
    def make(*tasks: str, **changes: Any) -> Plan:
        return replace(replayed(recorded, tmp_path / "results", tasks), **changes)

    return make


def written(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def values(results: Iterable[Result]) -> dict[tuple[str, ...], Any]:
    """Everything that was measured, by line."""
    return {
        (row.task, row.variant, row.language, row.group, row.metric): (
            *(row.value, row.ci_low, row.ci_high, row.n, row.n_failed, row.n_unscored),
            *(row.signature, sorted(row.languages)),
        )
        for row in results
    }


def whole(results: Iterable[Result], language: str, metric: str) -> Result:
    [row] = [
        row for row in results if (row.language, row.metric, row.group) == (language, metric, "")
    ]
    return row


# --- folders ---


def test_the_same_plan_finds_its_folder_and_asks_nothing(plan: Callable[..., Plan]) -> None:
    first = run(plan("multi30k", "commute"))
    results = written(first.folder, "results.json")
    second = run(plan("multi30k", "commute"))
    assert (first.asked, second.asked) == (24 + 48, 0)
    assert second.folder == first.folder
    assert second.results == first.results
    assert written(second.folder, "results.json")["results"] == results["results"]


def test_fresh_makes_a_new_folder_which_is_then_the_one(plan: Callable[..., Plan]) -> None:
    first = run(plan("commute"))
    fresh = run(plan("commute", fresh=True))
    assert fresh.folder.name == f"{first.folder.name}-2"
    assert fresh.asked == first.asked == 48
    again = run(plan("commute"))
    assert (again.folder, again.asked) == (fresh.folder, 0)
    assert run(plan("commute", fresh=True)).folder.name == f"{first.folder.name}-3"


def test_the_latest_folder_is_the_one_with_the_highest_number(plan: Callable[..., Plan]) -> None:
    first = run(plan("commute"))
    for number in ("9", "10", "2", "x", "11-old"):
        first.folder.with_name(f"{first.folder.name}-{number}").mkdir()
    assert run(plan("commute")).folder.name == f"{first.folder.name}-10"
    assert run(plan("commute", fresh=True)).folder.name == f"{first.folder.name}-11"


def test_another_plan_has_another_folder(
    plan: Callable[..., Plan], recorded: Path, tmp_path: Path
) -> None:
    data = tmp_path / "multi30k"
    shutil.copytree(SAMPLES / "multi30k", data)
    other = record(tmp_path / "other", ["multi30k"])
    manifest = written(other, "manifest.json")
    changed = {**manifest, "respondent_digest": "another"}
    (other / "manifest.json").write_text(json.dumps(changed))
    plans = [
        plan("multi30k"),
        plan("multi30k", "commute"),
        plan("multi30k", languages=("de",)),
        plan("multi30k", languages=("fr",)),
        plan("multi30k", limit=1),
        plan("multi30k", limit=2),
        plan("multi30k", seed=1),
        plan("multi30k", model="another"),
        plan("multi30k", split="full", data={"multi30k": data}),
        plan("multi30k", split="full", data={"multi30k": SAMPLES / "multi30k"}),
        plan("multi30k", engine_args={"run": str(other)}),
        plan("alm_bench"),
        plan("alm_bench@towervision-text"),
    ]
    folders = [run(replace(each, predict_only=True)).folder for each in plans]
    assert len(set(folders)) == len(plans)


def test_naming_the_first_variant_changes_nothing(plan: Callable[..., Plan]) -> None:
    assert run(plan("ocrbench")).folder == run(plan("ocrbench@official")).folder


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("tiny", "tiny"),
        ("org/Model-1.5B", "org--Model-1.5B"),
        ("generic:/models/x", "generic--models--x"),
        ("..", "model"),
        ("a b\n/../c", "a--b--..--c"),
        ("日本/モデル", "日本--モデル"),
    ],
)
def test_a_models_name_is_one_folders_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    found = folder_name(model)
    assert "/" not in found
    if model != "..":
        assert found == name
    (tmp_path / "step-1").mkdir()
    assert folder_name(str(tmp_path / "step-1")) == "step-1"
    assert folder_name("./step-1/") == "step-1"


def test_a_long_name_is_still_a_folders_name(tmp_path: Path) -> None:
    names = [folder_name(text) for text in ("m" * 300, "m" * 301, "org/" + "模" * 100, "m" * 200)]
    assert len(set(names)) == 4
    for name in names:
        (tmp_path / name).mkdir()
    assert names[3] == "m" * 200


# --- what is asked ---


def test_limit_is_of_each_language(plan: Callable[..., Plan]) -> None:
    outcome = run(plan("commute", "multi30k", "ocrbench", limit=2))
    assert outcome.asked == 2 * (6 * 2 + 3 + 1)
    rows = [row for row in outcome.results if row.language != "*" and not row.group]
    assert {row.n + row.n_unscored for row in rows} == {2}
    assert whole(outcome.results, "*", "bleu").n == 6
    assert written(outcome.folder, "manifest.json")["limit"] == 2
    with Store(outcome.folder) as store:
        assert {sample.id for _, sample, _ in store.answered("multi30k")} == {"0", "1"}


def test_no_more_is_read_than_the_limit_wants(plan: Callable[..., Plan], tmp_path: Path) -> None:
    data = tmp_path / "ocrbench"
    shutil.copytree(SAMPLES / "ocrbench", data)
    file = data / "test.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:2], "{torn"]))
    local = {"data": {"ocrbench": data}, "split": "full"}
    assert run(plan("ocrbench", limit=2, **local)).asked == 2
    with pytest.raises(DataError, match="not JSON"):
        run(plan("ocrbench", **local))


def test_a_limit_above_what_there_is_takes_all(plan: Callable[..., Plan]) -> None:
    limited, full = run(plan("multi30k", limit=1000)), run(plan("multi30k"))
    assert values(limited.results) == values(full.results)


def test_languages_may_be_codes_and_groups(plan: Callable[..., Plan]) -> None:
    outcome = run(plan("alm_bench", "commute", languages=("cs", "unseen")))
    asked = {row.language for row in outcome.results if row.task == "alm_bench"}
    assert asked == {"cs", "da", "fi", "hu", "is", "sv", "*"}
    assert [row.language for row in outcome.results if row.task == "commute"] == ["cs"]
    rows = values(run(plan("alm_bench", "commute")).results)
    for line, measured in values(outcome.results).items():
        if line[2] != "*":
            assert measured[0] == rows[line][0]


@pytest.mark.parametrize("languages", [("de", "fr"), ("fr", "de"), ("fr", "de", "de")])
def test_languages_come_in_the_tasks_order(
    plan: Callable[..., Plan], languages: tuple[str, ...]
) -> None:
    results = run(plan("multi30k", languages=languages)).results
    assert [row.language for row in results if row.metric == "bleu"] == ["de", "fr", "*"]


def test_the_order_of_tasks_moves_no_number(plan: Callable[..., Plan]) -> None:
    one, other = run(plan(*TASKS)), run(plan(*reversed(TASKS)))
    assert values(one.results) == values(other.results)
    alone = [row for task in TASKS for row in run(plan(task)).results]
    assert values(alone) == values(one.results)


class Shuffled(replay.ReplayEngine):
    """An engine that looks far ahead and answers in an order of its own."""

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        answers = list(super().run(requests))
        random.Random(0).shuffle(answers)
        yield from answers


class Breaking(replay.ReplayEngine):
    """An engine that gives ten answers and can go on no more."""

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        for count, response in enumerate(super().run(requests), start=1):
            yield response
            if count == 10:
                raise EngineError("no memory is left")


def test_the_order_of_answers_moves_no_number(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = run(plan(*TASKS))
    monkeypatch.setattr(replay, "ReplayEngine", Shuffled)
    other = run(plan(*TASKS, output=tmp_path / "shuffled"))
    assert other.results == one.results
    for task in TASKS:
        export = f"samples/{task}.parquet"
        assert (other.folder / export).read_bytes() == (one.folder / export).read_bytes()


def test_a_broken_off_run_asks_only_what_is_missing(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(replay, "ReplayEngine", Breaking)
        for _ in range(2):
            with pytest.raises(EngineError, match="no memory is left"):
                run(plan("multi30k"))
    resumed = run(plan("multi30k"))
    assert resumed.asked == 24 - 2 * 10
    undisturbed = run(plan("multi30k", output=tmp_path / "undisturbed"))
    assert resumed.results == undisturbed.results


def test_predict_only_answers_and_a_later_run_scores(plan: Callable[..., Plan]) -> None:
    predicted = run(plan("multi30k", predict_only=True))
    assert (predicted.asked, predicted.results) == (24, ())
    assert not (predicted.folder / "results.json").exists()
    scored = run(plan("multi30k"))
    assert (scored.asked, scored.folder) == (0, predicted.folder)
    assert scored.results == rescore(predicted.folder).results != ()


def test_changed_data_is_asked_again_and_known_by_its_digest(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "multi30k", data)
    local = plan("multi30k", split="full", data={"multi30k": data})
    first = run(local)
    about = written(first.folder, "manifest.json")["data"]["multi30k"]
    assert about["source"] == str(data)
    bundled = written(run(plan("multi30k")).folder, "manifest.json")["data"]["multi30k"]
    assert bundled == {"source": "the bundled sample split", "digests": about["digests"]}
    file = data / "test.jsonl"
    file.write_text(file.read_text().replace("A boy in a red shirt", "A boy in a blue shirt"))
    second = run(local)
    assert second.folder == first.folder
    assert second.asked == 3
    assert second.failures == (("this request is not in the recorded run", 3),)
    about_second = written(second.folder, "manifest.json")["data"]["multi30k"]
    file.write_text(file.read_text().replace("T-Shirt", "Hemd"))  # a reference, not a question
    third = run(local)
    about_third = written(third.folder, "manifest.json")["data"]["multi30k"]
    assert len({str(each["digests"]) for each in (about, about_second, about_third)}) == 3


# --- failures ---


@pytest.fixture
def failing(tmp_path: Path) -> Path:
    """One request of each of two languages failed, and all of a third."""

    def answer(sample: Sample, request: Request) -> Response:
        lost = {"cs": ("0",), "de": ("1",)}.get(sample.language)
        if lost is None or sample.id in lost:
            return Response(request.key, error=f"ValueError: {sample.language}")
        return right(sample, request)

    return record(tmp_path / "failing", ["multi30k"], answer)


def test_failed_requests_are_counted_and_not_scored(
    plan: Callable[..., Plan], failing: Path
) -> None:
    outcome = run(plan("multi30k", engine_args={"run": str(failing)}))
    assert outcome.failures == (
        ("ValueError: fr", 8),
        ("ValueError: cs", 1),
        ("ValueError: de", 1),
    )
    for language in ("cs", "de"):
        row = whole(outcome.results, language, "bleu")
        assert (row.n, row.n_failed, row.n_unscored) == (7, 1, 0)
        assert row.value == pytest.approx(100.0)
    lost = whole(outcome.results, "fr", "bleu")
    assert (lost.value, lost.ci_low, lost.ci_high, lost.n, lost.n_failed) == (None,) * 3 + (0, 8)


def test_there_is_no_mean_over_languages_of_which_one_has_no_score(
    plan: Callable[..., Plan], failing: Path
) -> None:
    arguments = {"run": str(failing)}
    results = run(plan("multi30k", engine_args=arguments)).results
    assert "*" not in {row.language for row in results}
    results = run(plan("multi30k", engine_args=arguments, languages=("cs", "de"))).results
    assert whole(results, "*", "bleu").languages == ("cs", "de")
    assert whole(results, "*", "bleu").n_failed == 2


def test_failed_requests_are_asked_again(
    plan: Callable[..., Plan], failing: Path, recorded: Path
) -> None:
    lost = plan("multi30k", engine_args={"run": str(failing)})
    first = run(lost)
    mended = run(replace(lost, engine_args={"run": str(recorded)}))
    assert mended.folder == first.folder  # the same respondent, asked the same
    assert (mended.asked, mended.failures) == (10, ())
    assert whole(mended.results, "*", "bleu").n_failed == 0


def test_what_a_metric_cannot_judge_is_counted_apart(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    def answer(sample: Sample, request: Request) -> Response:
        said = right(sample, request)
        return replace(said, logprob=None) if sample.id == "0" else said

    mute = record(tmp_path / "mute", ["commute"], answer)
    outcome = run(plan("commute", engine_args={"run": str(mute)}))
    rows = [row for row in outcome.results if row.language != "*"]
    assert {(row.value, row.n, row.n_unscored, row.n_failed) for row in rows} == {(1.0, 3, 1, 0)}
    assert whole(outcome.results, "*", "contrastive_accuracy").n_unscored == 6
    assert outcome.failures == ()


# --- scoring again ---


def test_scoring_again_gives_the_same_rows_and_samples(plan: Callable[..., Plan]) -> None:
    outcome = run(plan(*TASKS))
    exports = {file: file.read_bytes() for file in (outcome.folder / "samples").iterdir()}
    rows = written(outcome.folder, "results.json")["results"]
    for file in (outcome.folder / "results.json", *exports):
        file.unlink()
    again = rescore(outcome.folder)
    assert again.results == outcome.results
    assert written(outcome.folder, "results.json")["results"] == rows
    assert {file: file.read_bytes() for file in exports} == exports
    assert len(exports) == len(TASKS)


def test_scoring_one_metric_again_keeps_the_others(plan: Callable[..., Plan]) -> None:
    outcome = run(plan("multi30k", "commute"))
    assert rescore(outcome.folder, Scoring(("bleu",))).results == outcome.results


def test_scoring_again_counts_the_failures(plan: Callable[..., Plan], failing: Path) -> None:
    outcome = run(plan("multi30k", engine_args={"run": str(failing)}))
    again = rescore(outcome.folder)
    assert (again.failures, again.results) == (outcome.failures, outcome.results)


def test_a_metric_that_the_run_has_not_is_named(plan: Callable[..., Plan]) -> None:
    outcome = run(plan("multi30k"))
    with pytest.raises(UnknownName, match=r"unknown metric 'blue'; did you mean bleu\?"):
        rescore(outcome.folder, Scoring(("blue",)))
    with pytest.raises(StoreError, match="is not a run"):
        rescore(outcome.folder.parent)


# --- results ---


def test_a_row_has_the_contracts_fields(plan: Callable[..., Plan]) -> None:
    outcome = run(plan(*TASKS))
    content = written(outcome.folder, "results.json")
    assert list(content) == [
        "schema",
        "run_id",
        "model",
        "created",
        "unasked",
        "speed",
        "determinism",
        "results",
        "digest",
        "spoken",
    ]
    assert (content["schema"], content["model"]) == (1, "made")
    assert content["run_id"] == outcome.folder.name
    rows = content["results"]
    assert rows == json.loads(json.dumps([asdict(row) for row in outcome.results]))
    signatures = {
        task["name"]: task["metrics"] for task in written(outcome.folder, "manifest.json")["tasks"]
    }
    for row in rows:
        assert set(row) == FIELDS
        assert row["split"] == "sample"
        assert row["run_id"] == outcome.folder.name
        assert row["task_version"] >= 1
        assert row["signature"] in signatures[row["task"]]
        assert row["signature"].startswith(row["metric"])
        assert (row["ci_low"] is None) == (row["ci_high"] is None)
        if row["ci_low"] is not None:
            assert row["ci_low"] <= row["value"] <= row["ci_high"]
        assert row["note"]
    assert {row["task"] for row in rows} == set(TASKS)


def test_local_data_is_the_full_split(plan: Callable[..., Plan]) -> None:
    local = plan("multi30k", split="full", data={"multi30k": SAMPLES / "multi30k"})
    assert {row.split for row in run(local).results} == {"full"}


@pytest.mark.parametrize(
    ("task", "metric"),
    [("alm_bench", "accuracy"), ("commute", "contrastive_accuracy"), ("multi30k", "chrf")],
)
def test_the_macro_row_is_the_unweighted_mean_of_the_languages_it_names(
    plan: Callable[..., Plan], task: str, metric: str
) -> None:
    rows = [row for row in run(plan(task)).results if row.metric == metric]
    *single, macro = rows
    assert macro.language == "*"
    assert macro.languages == tuple(row.language for row in single)
    assert macro.value == pytest.approx(sum(row.value or 0 for row in single) / len(single))
    assert macro.n == sum(row.n for row in single)
    assert {row.value for row in single} != {macro.value}
    assert all(row.languages == () for row in single)


def test_one_language_has_no_macro_row(plan: Callable[..., Plan]) -> None:
    rows = run(plan("multi30k", "ocrbench", languages=("de", "en"))).results
    assert {row.language for row in rows} == {"de", "en"}


def test_categories_come_before_the_whole_and_make_it_up(plan: Callable[..., Plan]) -> None:
    *categories, last = run(plan("ocrbench")).results
    assert last.group == ""
    assert [row.group for row in categories] == sorted(row.group for row in categories)
    assert len(categories) > 5
    assert all(row.group for row in categories)
    assert sum(row.n for row in categories) == last.n == 30
    hits = sum((row.value or 0) * row.n for row in categories)
    assert last.value == pytest.approx(hits / last.n)


# --- the manifest ---


def test_the_manifest_holds_all_that_repeats_the_run(
    plan: Callable[..., Plan], recorded: Path
) -> None:
    outcome = run(plan("multi30k", "alm_bench@towervision-text", languages=("de",), seed=0))
    manifest = written(outcome.folder, "manifest.json")
    given = {key: manifest[key] for key in ("schema", "model", "split", "languages", "limit")}
    assert given == {
        "schema": 1,
        "model": "made",
        "split": "sample",
        "languages": ["de"],
        "limit": None,
    }
    assert (manifest["seed"], manifest["engine"]) == (0, "replay")
    assert manifest["towereval"] == __version__
    assert manifest["run_id"] == outcome.folder.name
    assert manifest["respondent_digest"] == RESPONDENT
    names = [(task["name"], task["variant"], task["version"]) for task in manifest["tasks"]]
    assert names == [("multi30k", "towervision", 1), ("alm_bench", "towervision-text", 1)]
    assert all(task["metrics"] for task in manifest["tasks"])
    assert set(manifest["data"]["multi30k"]["digests"]) == {"de"}
    assert set(manifest["data"]) == {"multi30k", "alm_bench"}
    environment = manifest["environment"]
    assert {
        "python",
        "platform",
        "processor",
        "batch_invariant",
        "code",
        "cores",
        "gpus",
        "packages",
    } == set(environment)
    assert {"numpy", "pillow", "sacrebleu"} <= set(environment["packages"])
    assert manifest["started"].endswith("+00:00")


def test_the_manifest_is_there_before_the_data_is_read(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no test\.jsonl or test\.parquet"):
        run(plan("multi30k", split="full", data={"multi30k": tmp_path / "empty"}))
    [file] = (tmp_path / "results").rglob("manifest.json")
    assert written(file.parent, "manifest.json")["tasks"][0]["name"] == "multi30k"
    assert not (file.parent / "results.json").exists()


def test_the_manifest_is_whole_before_anything_is_asked(
    plan: Callable[..., Plan], recorded: Path, tmp_path: Path
) -> None:
    with Store(recorded), pytest.raises(StoreError, match="in use"):
        run(plan("multi30k"))
    [file] = (tmp_path / "results").rglob("manifest.json")
    assert set(written(file.parent, "manifest.json")["data"]) == {"multi30k"}


# --- what is refused before anything starts ---


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("multi30",)}, "unknown task 'multi30'; did you mean multi30k"),
        ({"tasks": ("multi30k@official",)}, "unknown variant of multi30k 'official'; known: tower"),
        ({"tasks": ("commute", "ocrbench", "ocrbench@towervision")}, "ocrbench is named twice"),
        ({"languages": ("gr",)}, "unknown language 'gr'"),
        ({"languages": ("ja",)}, "unknown language 'ja'"),  # known, but not to these tasks
        ({"engine": "replays"}, r"unknown engine 'replays'; did you mean replay, ray\?"),
        ({"data": {"commute": Path()}}, "commute is not among the tasks of this run"),
        ({"data": {"multi30k": Path()}}, "--split sample exclude each other"),
        ({"split": "full", "data": {"multi30k": Path("no/where")}}, "no/where: no such folder"),
    ],
)
def test_a_wrong_plan_is_refused_and_leaves_nothing(
    plan: Callable[..., Plan], tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(replace(plan("multi30k"), **changes))
    assert not (tmp_path / "results").exists()


def test_a_missing_column_is_named(plan: Callable[..., Plan], tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "multi30k", data)
    file = data / "test.jsonl"
    file.write_text(file.read_text().replace('"fr":', '"french":'))
    with pytest.raises(DataError, match=r"multi30k: row 0 of test, .* no column or value 'fr'"):
        run(plan("multi30k", split="full", data={"multi30k": data}))


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.counts: list[int] = []

    def found(self, count: int) -> None:
        self.left = count

    def stage(self, name: str, total: int | None, look: Look | None = None) -> None:
        self.stages.append((name, total))
        self.counts.append(0)

    def advance(self) -> None:
        self.counts[-1] += 1

    def answered(self, response: Response) -> None:
        self.advance()

    def ended(self) -> None:
        pass


def test_progress_is_told_stage_by_stage(plan: Callable[..., Plan]) -> None:
    first, second = Heard(), Heard()
    run(plan("ocrbench"), first)
    run(plan("ocrbench"), second)
    assert first.stages == [
        ("reading samples", None),
        ("starting replay", None),
        ("asking", 30),
        ("scoring", None),
    ]
    assert first.counts[0] == first.counts[2] == 30
    assert second.stages == [("nothing has changed", None)]


def test_the_recording_behind_these_tests_tells_right_from_wrong() -> None:
    request = Request("", (), Decoding(max_tokens=1))
    samples = [Sample(f"{number}", "de", (), references=("yes",)) for number in range(9)]
    assert {mixed(sample, request).text for sample in samples} == {"yes", "nothing of the kind"}


def test_a_run_whose_data_were_never_read_has_nothing_to_score(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    """It would be a finished run without a row."""
    data = tmp_path / "ocrbench"
    data.mkdir()
    (data / "test.jsonl").write_text("{torn")
    with pytest.raises(DataError):
        run(plan("ocrbench", data={"ocrbench": data}, split="full"))
    [manifest] = tmp_path.rglob("manifest.json")
    with pytest.raises(StoreError, match="has no samples to score: run it again"):
        rescore(manifest.parent)
    assert not (manifest.parent / "results.json").exists()


def test_answers_to_an_older_version_are_not_scored_as_todays(
    tmp_path: Path, recorded: Path
) -> None:
    outcome = run(replayed(recorded, tmp_path, ["commute"]))
    file = outcome.folder / "manifest.json"
    file.write_text(file.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(StoreError, match="commute was asked in version 0, this towereval has 1"):
        rescore(outcome.folder)


def test_a_judge_or_checkpoint_goes_without_naming_metrics(tmp_path: Path, recorded: Path) -> None:
    outcome = run(replayed(recorded, tmp_path, ["multi30k"]))
    with pytest.raises(UsageError, match="go without --metrics"):
        rescore(outcome.folder, Scoring(("bleu",), checkpoints={"xcomet_xl": "/model"}))


def test_results_of_what_was_there_before_are_dropped(tmp_path: Path, recorded: Path) -> None:
    outcome = run(replayed(recorded, tmp_path, ["commute"]))
    assert (outcome.folder / "results.json").exists()
    run(replayed(recorded, tmp_path, ["commute"], predict_only=True))
    assert not (outcome.folder / "results.json").exists()


def test_each_row_names_its_data(tmp_path: Path, recorded: Path) -> None:
    all_rows = run(replayed(recorded, tmp_path / "all", ["commute"])).results
    fewer = run(replayed(recorded, tmp_path / "de", ["commute"], languages=("de",))).results
    data = {row.language: row.data for row in all_rows if not row.group}
    assert len(set(data.values())) == len(data)
    assert data["*"] == "+".join(data[row.language] for row in all_rows if row.language != "*")
    assert [row.data for row in fewer] == [data["de"]]
