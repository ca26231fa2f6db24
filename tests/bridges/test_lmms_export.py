"""Our tasks in lmms-eval: a folder that is written there is asked and scored as it is here.

What is written is tested by itself; what lmms-eval makes of it needs an interpreter that has
lmms-eval, named by TOWEREVAL_LMMS_EVAL_PYTHON, where towereval is found as if it were installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from pyarrow import parquet

from tests.bridges.test_lmms_tasks import EVALUATOR, PYTHON, pixels, served
from tests.test_cli import error_line, towereval
from tests.test_replay import record, replayed
from towereval import plugins
from towereval.bridges.lmms_export import Written, export_task
from towereval.data.folder import FolderSource
from towereval.errors import DataError, UsageError
from towereval.grading import Scoring
from towereval.plan import SAMPLES, Plan
from towereval.run import Outcome, rescore, run
from towereval.store import Store
from towereval.types import Image, Request, Response, Sample, Text, digest

ROOT = Path(__file__).parents[2]
TASKS = ("multi30k", "ocrbench", "textvqa", "alm_bench@towervision-text", "cc_ocr", "m5_vgr")
METRICS = ("bleu", "chrf", "accuracy", "relaxed_accuracy", "vqa_accuracy", "exact_match")
METRICS += ("macro_f1", "micro_f1")
# Why each of the others cannot be asked or scored there.
REFUSED = {
    "alm_bench@official": "none of its metrics scores an answer by itself (judge: another model",
    "commute": "it compares log-likelihoods",
    "m3exam@cyclic": "it asks 4 questions about a sample",
    "mmbench": "questions about a sample, their format one",
    "mme": "it asks 2 questions about a sample",
    "multi30k+picture-use": "it is a diagnosis",
    "alm_bench+wrong-picture": "it is a diagnosis",
    "vimul_bench": "it shows clips",
    "xm3600@with-and-without-image": "none of its metrics scores an answer by itself",
}


@dataclass(frozen=True)
class Case:
    """A task that was exported, and a run of the same answers here."""

    written: Written
    outcome: Outcome
    samples: dict[str, list[Sample]]
    answers: dict[str, list[str]]

    @property
    def name(self) -> str:
        return self.written.name.removeprefix("towereval_").rpartition("_")[0]

    def statistics(self, metric: str) -> dict[str, dict[str, list[float]]]:
        """By language and sample, of those that have any."""
        found: dict[str, dict[str, list[float]]] = {code: {} for code in self.samples}
        with Store(self.outcome.folder, reading=True) as store:
            for one in store.scores(self.name, metric):
                if one.values:
                    found[one.language][one.sample_id] = list(one.values)
        return found

    def values(self, metric: str) -> dict[str, float | None]:
        """By language, "*" for the mean over them."""
        wanted = (self.name, metric, "")
        rows = [r for r in self.outcome.results if (r.task, r.metric, r.group) == wanted]
        return {row.language: row.value for row in rows}


def answered(sample: Sample, request: Request) -> Response:
    """Right, half of it, right amid blanks, thought about, or wrong; the same ones each time."""
    right = sample.references[0] if sample.references else "?"
    kind = int(digest([sample.id, sample.language])[:8], 16) % 5
    thought = f"<think>Hm.</think>{right}"
    told = (right, right[: len(right) // 2], f" \n{right}  ", thought, "nothing of the kind")
    return Response(request.key, told[kind], token_count=3)


def sample_plan(reference: str) -> Plan:
    return Plan("", (reference,), split="sample")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("export")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWEREVAL_CACHE", str(folder / "cache"))
        yield folder


@pytest.fixture(scope="module")
def cases(place: Path) -> dict[str, Case]:
    found = {}
    recorded = record(place / "recorded", TASKS, answered, adapter="generic")
    # Language fidelity is not exported, and its identifier takes seconds to load.
    outcome = run(replayed(recorded, place / "results", TASKS, predict_only=True))
    outcome = rescore(outcome.folder, Scoring(metrics=METRICS))
    for reference in TASKS:
        task = plugins.load_task(reference)
        samples: dict[str, list[Sample]] = {}
        answers: dict[str, list[str]] = {}
        for sample in task.samples(FolderSource(SAMPLES / task.name), task.languages):
            (request,) = task.requests(sample)
            samples.setdefault(sample.language, []).append(sample)
            answers.setdefault(sample.language, []).append(answered(sample, request).text)
        written = export_task(sample_plan(reference), place / "tasks")
        found[reference] = Case(written, outcome, samples, answers)
    return found


def read_yaml(file: Path) -> dict[str, Any]:
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda loader, node: f"!{loader.construct_scalar(node)}")
    found: dict[str, Any] = Loader(file.read_text(encoding="utf-8")).get_single_data()
    return found


def hooks(file: Path) -> ModuleType:
    """As lmms-eval loads a file that a YAML names."""
    specification = importlib.util.spec_from_file_location("hooks", file)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def documents(case: Case, language: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = parquet.read_table(
        case.written.folder / f"{language}.parquet"
    ).to_pylist()
    return found


# --- what is written ---


def test_a_yaml_says_what_the_task_is_and_how_to_answer(cases: dict[str, Case]) -> None:
    case = cases["multi30k"]
    folder = case.written.folder
    assert case.written.counts == {"cs": 8, "de": 8, "fr": 8}
    assert set(case.written.left_out) == {"xcomet_xl", "language_fidelity"}
    german = read_yaml(folder / "de.yaml")
    assert german["task"] == "towereval_multi30k_towervision_de"
    assert german["dataset_kwargs"] == {"data_files": {"test": "de.parquet"}}
    assert german["generation_kwargs"] == {
        "max_new_tokens": 128,
        "temperature": 0.0,
        "do_sample": False,
        "until": [],  # else lmms-eval adds a blank line
    }
    assert [metric["metric"] for metric in german["metric_list"]] == ["bleu", "chrf"]
    group = read_yaml(folder / "group.yaml")
    assert group["group"] == case.written.name == "towereval_multi30k_towervision"
    assert group["task"] == [f"{group['group']}_{code}" for code in ("cs", "de", "fr")]
    rows = {row.metric: row for row in case.outcome.results if row.language == "de"}
    about = german["metadata"]["towereval"]
    assert german["metadata"]["version"] == group["metadata"]["version"] == 1
    assert (about["task"], about["language"]) == ("multi30k@towervision", "de")
    assert about["data"] == rows["bleu"].data
    assert about["signatures"] == {name: rows[name].signature for name in ("bleu", "chrf")}


@pytest.mark.parametrize("reference", TASKS)
def test_prompts_pictures_and_scores_are_the_tasks(cases: dict[str, Case], reference: str) -> None:
    case = cases[reference]
    theirs = hooks(case.written.folder / "hooks.py")
    for code, samples in case.samples.items():
        rows = documents(case, code)
        assert [row["id"] for row in rows] == [sample.id for sample in samples]
        for row, sample in zip(rows, samples, strict=True):
            (message,) = theirs.messages(row)
            shown, ours = message["content"], sample.prompt[0].parts
            for there, here in zip(shown, ours, strict=True):
                if isinstance(here, Text):
                    assert there == {"type": "text", "text": here.text}
            pictures = [part for part in ours if isinstance(part, Image)]
            assert len(theirs.pictures(row)) == len(pictures) >= 1
            assert theirs.text(row) == shown[-1]["text"]
            assert theirs.references(row) == list(sample.references)
            for part in pictures:
                copied = case.written.folder / "pictures" / part.sha256
                assert copied.read_bytes() == Path(part.source).read_bytes()
    config = read_yaml(next(case.written.folder.glob("de.yaml"), case.written.folder / "en.yaml"))
    for metric in config["metric_list"]:
        name, function = metric["metric"], metric["aggregation"].removeprefix("!hooks.")
        for code, expected in case.statistics(name).items():
            answers = [text.strip() for text in case.answers[code]]  # as lmms-eval hands them over
            pairs = zip(documents(case, code), answers, strict=True)
            judged = {row["id"]: theirs.judged(row, [text]).get(name) for row, text in pairs}
            scored = {row: one for row, one in judged.items() if one}
            assert {row: one["statistics"] for row, one in scored.items()} == expected
            value = getattr(theirs, function)(list(scored.values()))
            assert value == pytest.approx(case.values(name)[code], abs=1e-9)


def test_some_answers_are_right_and_some_wrong(cases: dict[str, Case]) -> None:
    for reference, metric in (("textvqa", "vqa_accuracy"), ("cc_ocr", "macro_f1")):
        values = [one for by in cases[reference].statistics(metric).values() for one in by.values()]
        assert len({value[0] for value in values}) > 1


def test_another_rule_than_was_exported_is_refused(cases: dict[str, Case], tmp_path: Path) -> None:
    text = (cases["ocrbench"].written.folder / "hooks.py").read_text()
    for changed in (
        text.replace("version=1,", "version=2,"),
        text.replace("'accuracy|", "'accuracy|other|"),
    ):
        assert changed != text
        (tmp_path / "hooks.py").write_text(changed)
        with pytest.raises(UsageError, match="export it again with this one"):
            hooks(tmp_path / "hooks.py")


# --- what is refused ---


@pytest.mark.parametrize("reference", REFUSED)
def test_what_cannot_be_asked_or_scored_there_is_refused(tmp_path: Path, reference: str) -> None:
    with pytest.raises(UsageError, match="cannot be exported to lmms-eval") as error:
        export_task(sample_plan(reference), tmp_path / "tasks")
    assert REFUSED[reference] in str(error.value)
    assert not list(tmp_path.glob("tasks/*"))


@pytest.mark.parametrize("name", sorted(plugins.names("tasks")))
def test_a_variant_that_is_not_refused_is_exported(tmp_path: Path, name: str) -> None:
    for task in plugins.load_tasks(name):
        reference = f"{name}@{task.variant}"
        if not {reference, name} & set(REFUSED):
            written = export_task(sample_plan(reference), tmp_path)
            found = task.samples(FolderSource(SAMPLES / name), task.languages)
            assert written.counts == Counter(sample.language for sample in found)


def test_an_export_is_whole_or_not_there(tmp_path: Path) -> None:
    plan = Plan("", ("ocrbench",), data={"ocrbench": tmp_path})
    with pytest.raises(DataError, match=r"no test\.jsonl or test\.parquet"):
        export_task(plan, tmp_path / "tasks")
    assert list((tmp_path / "tasks").iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file/towereval_ocrbench_official cannot be written"):
        export_task(sample_plan("ocrbench"), tmp_path / "file")


def test_the_command(tmp_path: Path) -> None:
    form = ("--format", "lmms-eval", "--output", "tasks")
    data = f"multi30k={SAMPLES / 'multi30k'}"
    words = ("export-task", "multi30k", *form, "--languages", "de", "--data", data)
    done = towereval(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == [
        "note: xcomet_xl is left out: a learned model scores",
        "note: language_fidelity is left out: it reads all answers together",
    ]
    assert done.stdout.splitlines() == [
        "tasks/towereval_multi30k_towervision: 8 documents, 1 languages",
        "--include_path tasks --tasks towereval_multi30k_towervision",
    ]
    with pytest.raises(UsageError, match="towereval_multi30k_towervision is there already: remove"):
        export_task(sample_plan("multi30k"), tmp_path / "tasks")
    refused = towereval("export-task", "commute", *form, "--split", "sample", cwd=tmp_path)
    assert "commute@official cannot be exported to lmms-eval: it" in error_line(refused, 2)


# --- what lmms-eval makes of it ---


@pytest.fixture(scope="module")
def theirs(place: Path, cases: dict[str, Case]) -> dict[str, Any]:
    """What their evaluator shows, and makes of the same answers."""
    tasks = {
        f"{case.written.name}_{code}": {"config": {}, "answers": answers}
        for case in cases.values()
        for code, answers in case.answers.items()
    }
    groups = [case.written.name for case in cases.values()]
    asked = {"include": [str(place / "tasks")], "tasks": tasks, "groups": groups}
    (place / "asked.json").write_text(json.dumps(asked))
    done = subprocess.run(
        [PYTHON, "-W", "ignore", EVALUATOR, place / "asked.json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HOME": str(place / "hub")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@served
@pytest.mark.parametrize("reference", TASKS)
def test_their_evaluator_gives_our_scores(
    cases: dict[str, Case], theirs: dict[str, Any], reference: str
) -> None:
    case = cases[reference]
    metrics = read_yaml(case.written.folder / "group.yaml")["aggregate_metric_list"]
    for code, samples in case.samples.items():
        found = theirs[f"{case.written.name}_{code}"]
        assert found["shown"] == [
            [
                ["text", part.text] if isinstance(part, Text) else ["image", pixels(part)]
                for part in sample.prompt[0].parts
                if isinstance(part, Text | Image)
            ]
            for sample in samples
        ]
        for metric in (each["metric"] for each in metrics):
            logged = {
                one["doc"]["id"]: one[metric]["statistics"]
                for one in found["samples"]
                if metric in one
            }
            assert logged == case.statistics(metric)[code]
            value = case.values(metric)[code]
            assert found["results"].get(f"{metric},none") == pytest.approx(value, abs=1e-9)
    for metric in (each["metric"] for each in metrics):
        mean = theirs[case.written.name]["results"][f"{metric},none"]
        ours = case.values(metric)
        if len(case.samples) > 1:
            assert mean == pytest.approx(ours["*"], abs=1e-9)


@served
@pytest.mark.engine
def test_their_command_with_our_model_gives_the_numbers_of_a_run(
    tmp_path: Path, place: Path, cases: dict[str, Case], installed: dict[str, str]
) -> None:
    name = f"{cases['multi30k'].written.name}_de"
    command = [PYTHON, "-W", "ignore", "-m", "lmms_eval", "--model", "towereval"]
    command += ["--model_args", "model=tiny,engine=transformers", "--output_path", "logs"]
    command += ["--include_path", str(place / "tasks"), "--tasks", name, "--log_samples"]
    done = subprocess.run(
        command, env=installed, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert list((tmp_path / "logs").rglob("*_results.json")), done.stderr[-3000:]
    (results,) = (tmp_path / "logs").rglob("*_results.json")
    theirs = json.loads(results.read_text())["results"][name]
    plan = Plan("tiny", ("multi30k",), ("de",), split="sample", engine="transformers")
    asked = run(replace(plan, output=tmp_path / "results", predict_only=True))
    rows = rescore(asked.folder, Scoring(metrics=("bleu", "chrf"))).results
    ours = {row.metric: row.value for row in rows if row.value is not None}
    assert set(ours) == {"bleu", "chrf"}
    for metric, value in ours.items():
        assert value > 0
        assert theirs[f"{metric},none"] == pytest.approx(value, abs=1e-9)
