"""lmms-eval's tasks here: what is shown and how it is scored equals lmms-eval's own evaluator.

Needs an interpreter that has lmms-eval (`towereval setup lmms-eval` makes one), and
TOWEREVAL_LMMS_EVAL_PYTHON to name it; the data are made.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bridges import lmms_data
from towereval import plugins
from towereval.bridges import lmms_tasks
from towereval.bridges.lmms_languages import languages_of
from towereval.bridges.lmms_tasks import NOT_INSTALLED, LmmsTask
from towereval.data.folder import FolderSource
from towereval.data.hub import HubSource
from towereval.data.media import cache_folder, decode_image
from towereval.environments import LMMS_EVAL_PYTHON
from towereval.errors import DataError, EngineError, ScoringFailed, Unscorable, UsageError
from towereval.types import Image, Response, Sample, Text

PYTHON = os.environ.get(LMMS_EVAL_PYTHON, "")
EVALUATOR = Path(__file__).with_name("their_evaluator.py")
WORDS = lmms_data.WORDS
served = pytest.mark.skipif(not PYTHON, reason=f"{LMMS_EVAL_PYTHON} names no interpreter")


@dataclass(frozen=True)
class Case:
    """A task as it is named here, its local data, and what replaces its YAML's data there."""

    reference: str
    data: Path | None
    config: dict[str, Any]


def write_task(folder: Path, name: str = "signs", **parts: str) -> Path:
    """A task of a user's own, in the format of lmms-eval."""
    folder.mkdir(parents=True, exist_ok=True)
    fitting = {"kind": "generate_until", "decoding": lmms_data.DECODING, "more": "", **parts}
    (folder / f"{name}.yaml").write_text(lmms_data.YAML.format(name=name, **fitting))
    (folder / "code.py").write_text(lmms_data.CODE)
    with (folder / "rows.jsonl").open("w") as rows:
        for number, _ in enumerate(WORDS):
            file = folder / f"{number}.png"
            file.write_bytes(lmms_data.picture(number))
            row = {"file": file.name, "question": f"What says {number}?", "answer": "halt"}
            tongue = ("German", "French")[number % 2]
            rows.write(json.dumps({**row, "tongue": tongue, "cut": number == 4}) + "\n")
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lmms")


@pytest.fixture(scope="module", autouse=True)
def hub(place: Path) -> Iterator[None]:
    """Where `datasets` of the worker keeps what it converts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HOME", str(place / "hub"))
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield


@pytest.fixture(scope="module")
def cases(place: Path) -> dict[str, Case]:
    folder = write_task(place / "tasks", more=lmms_data.LANGUAGES)
    parquet = {
        "ocrbench": ("test", lmms_data.ocrbench(place / "ocrbench")),
        "textvqa_val": ("validation", lmms_data.textvqa(place / "textvqa")),
        "cc_ocr_multi_lan_ocr": ("test", lmms_data.cc_ocr(place / "cc_ocr")),
    }
    found = {"signs": Case(f"lmms:{folder}/signs", None, {})}
    for name, (split, file) in parquet.items():
        kwargs = {"data_files": {split: [str(file)]}}
        config = {"dataset_path": "parquet", "dataset_name": None, "dataset_kwargs": kwargs}
        found[name] = Case(f"lmms:{name}", file.parent, config)
    return found


@pytest.fixture(scope="module")
def theirs(place: Path, cases: dict[str, Case]) -> dict[str, Any]:
    """What their evaluator shows and makes of `WORDS` as the answers to every task."""
    tasks = {n: {"config": case.config, "answers": list(WORDS)} for n, case in cases.items()}
    (place / "asked.json").write_text(
        json.dumps({"include": [str(place / "tasks")], "tasks": tasks})
    )
    command = [PYTHON, "-W", "ignore", EVALUATOR, place / "asked.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def samples_of(case: Case) -> tuple[LmmsTask, list[Sample]]:
    task = plugins.load_task(case.reference)
    assert isinstance(task, LmmsTask)
    source = FolderSource(case.data) if case.data else HubSource(task.name)
    return task, list(task.samples(source, task.languages))


def statistics(task: LmmsTask, metric: str, samples: list[Sample]) -> list[tuple[float, ...]]:
    (found,) = [each for each in task.metrics if each.name == metric]
    answered = [(s, [Response(f"{n}", WORDS[int(s.id)])]) for n, s in enumerate(samples)]
    scorer = found.over(iter(answered))
    return [scorer(*each) for each in answered]


def pixels(image: Image) -> str:
    return hashlib.sha256(decode_image(image).tobytes()).hexdigest()


def value(task: LmmsTask, metric: str, samples: list[Sample]) -> float:
    scored = statistics(task, metric, samples)
    return sum(each[0] for each in scored) / len(scored)


TASKS = ("signs", "ocrbench", "textvqa_val", "cc_ocr_multi_lan_ocr")


@served
@pytest.mark.parametrize("name", TASKS)
def test_what_is_shown_is_theirs(cases: dict[str, Case], theirs: dict[str, Any], name: str) -> None:
    _, samples = samples_of(cases[name])
    assert [sample.id for sample in samples] == [str(number) for number in range(len(WORDS))]
    for sample, shown in zip(samples, theirs[name]["shown"], strict=True):
        (message,) = sample.prompt
        ours = [
            ["text", part.text] if isinstance(part, Text) else ["image", pixels(part)]
            for part in message.parts
            if isinstance(part, Text | Image)
        ]
        assert ours == shown


@served
@pytest.mark.parametrize(
    ("name", "metric", "key"),
    [
        ("signs", "right", "right"),
        ("signs", "longest_score", "longest"),
        ("textvqa_val", "exact_match", "exact_match"),
        ("ocrbench", "ocrbench_accuracy_score", "ocrbench_accuracy"),
    ],
)
def test_each_samples_score_is_theirs(
    cases: dict[str, Case], theirs: dict[str, Any], name: str, metric: str, key: str
) -> None:
    task, samples = samples_of(cases[name])
    ours = [scored[0] for scored in statistics(task, metric, samples)]
    logged = [sample[key] for sample in theirs[name]["samples"]]
    assert ours == [one["score"] if isinstance(one, dict) else float(one) for one in logged]
    assert 0 < sum(ours) < len(ours)  # some are right and some wrong


@served
@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("signs", "right"),
        ("textvqa_val", "exact_match"),
        ("ocrbench", "ocrbench_accuracy"),
        ("cc_ocr_multi_lan_ocr", "macro_f1"),
    ],
)
def test_the_aggregate_is_theirs(
    cases: dict[str, Case], theirs: dict[str, Any], name: str, metric: str
) -> None:
    task, samples = samples_of(cases[name])
    by_language = [
        value(task, metric, [each for each in samples if each.language == language])
        for language in sorted({sample.language for sample in samples})
    ]
    logged = theirs[name]["results"][f"{metric},none"]
    assert sum(by_language) / len(by_language) == pytest.approx(logged, abs=1e-9)
    assert logged > 0


@served
def test_an_aggregate_that_adds_up_in_a_global_is_the_first_calls_each_time(
    cases: dict[str, Case], theirs: dict[str, Any]
) -> None:
    task, samples = samples_of(cases["signs"])
    longest = max(map(len, (w.rpartition(">")[2] for w in WORDS)))
    whole = statistics(task, "longest", [s for s in samples if s.language == "de"])
    again = statistics(task, "longest", [s for s in samples if s.language == "de"])
    assert whole == again
    # Of four answers, and of three without each: the second call in one process would say eight.
    germans = [len(WORDS[number].rpartition(">")[2]) for number in range(0, len(WORDS), 2)]
    aggregate = max(germans) + 0.04
    left = [max(germans[:i] + germans[i + 1 :]) + 0.03 for i in range(4)]
    pseudo = [4 * aggregate - 3 * each for each in left]
    moved = [each - sum(pseudo) / 4 + aggregate for each in pseudo]
    assert [each[0] for each in whole] == pytest.approx(moved)
    assert theirs["signs"]["results"]["longest,none"] == pytest.approx(longest + 0.08)


@served
def test_the_task_says_what_it_is(cases: dict[str, Case]) -> None:
    task, samples = samples_of(cases["signs"])
    assert task.name == "lmms:signs"
    assert task.variant.startswith("lmms-eval-0.7.3-")
    assert task.languages == ("de", "fr")
    right = task.metrics[0]
    assert right.signature.startswith("right|lmms-eval:0.7.3|task:3.0|files:")
    (request,) = task.requests(samples[0])
    assert (request.decoding.max_tokens, request.decoding.stop) == (12, ("###",))
    assert samples[0].references == ("halt",)
    assert not (Path.cwd() / "written.txt").exists()


@served
def test_a_picture_is_its_own_file_unless_the_task_changed_it(cases: dict[str, Case]) -> None:
    _, samples = samples_of(cases["signs"])
    folder = Path(cases["signs"].reference.partition(":")[2]).parent
    sources = [
        part.source for s in samples for part in s.prompt[0].parts if isinstance(part, Image)
    ]
    kept = [sources[number] != str(folder / f"{number}.png") for number in range(len(WORDS))]
    # The fourth lies on its side, which their task does not mend; the fifth is cut.
    assert [number for number, own in enumerate(kept) if own] == [3, 4]
    assert all(Path(sources[number]).is_relative_to(cache_folder()) for number in (3, 4))
    shared = samples_of(cases["textvqa_val"])[1]
    assert len({sample.cluster for sample in shared}) == len(shared) // 2


@served
def test_what_a_metric_cannot_say_is_said(cases: dict[str, Case]) -> None:
    task, samples = samples_of(cases["signs"])
    with pytest.raises(Unscorable, match=r"aggregate is no number: NoneType"):
        statistics(task, "written", samples)
    assert {one.name: one.better for one in task.metrics}["mistakes"] == "smaller"
    (right,) = [metric for metric in task.metrics if metric.name == "right"]
    answers = [(samples[0], [Response("a", "crash")]), (samples[2], [Response("b", "halt")])]
    answers.append((samples[4], [Response("")]))  # a failed request
    scorer = right.over(answers)
    with pytest.raises(ScoringFailed, match="ValueError: no judge for this"):
        scorer(*answers[0])
    assert scorer(*answers[1]) == (1.0,)
    with pytest.raises(Unscorable):
        scorer(*answers[2])


@served
@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ({"kind": "loglikelihood", "decoding": ""}, "is a loglikelihood task: in lmms-eval 0.7"),
        ({"kind": "multiple_choice", "decoding": ""}, "scored wrongly or crash"),
        ({"kind": "generate_until_multi_round"}, "one question and one answer"),
        ({"decoding": "repeats: 3"}, "asks each question 3 times"),
    ],
)
def test_what_cannot_be_served_is_refused(
    tmp_path: Path, parts: dict[str, str], fault: str
) -> None:
    folder = write_task(tmp_path / "tasks", "odd", **parts)
    with pytest.raises(UsageError, match=fault):
        plugins.load_task(f"lmms:{folder}/odd")


@served
@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("num_beams: 3", "num_beams=3"),
        ("temperature: 0.7\n  top_p: 0.9", "top_p=0.9"),
        ("repetition_penalty: 1.2", "repetition_penalty=1.2"),
    ],
)
def test_decoding_that_a_request_cannot_say_is_refused(
    tmp_path: Path, settings: str, fault: str
) -> None:
    folder = write_task(tmp_path / "tasks", decoding=f"generation_kwargs:\n  {settings}")
    task = plugins.load_task(f"lmms:{folder}/signs")
    with pytest.raises(DataError, match=fault):
        next(iter(task.samples(HubSource(""), task.languages)))


@served
def test_names_that_are_no_task(cases: dict[str, Case], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a group of tasks; name them: --tasks lmms:cc_ocr_mu"):
        plugins.load_task("lmms:cc_ocr")
    with pytest.raises(UsageError, match="lmms-eval has no task 'signs'"):
        plugins.load_task("lmms:signs")
    write_task(tmp_path / "tasks", "ocrbench")
    with pytest.raises(UsageError, match="lmms-eval has a ocrbench of its own"):
        plugins.load_task(f"lmms:{tmp_path}/tasks/ocrbench")
    with pytest.raises(UsageError, match="no such folder"):
        plugins.load_task("lmms:/nowhere/signs")


@served
def test_a_group_and_a_tag_are_their_tasks(tmp_path: Path) -> None:
    assert lmms_tasks.named("lmms:cc_ocr") == tuple(
        f"lmms:cc_ocr_{each}" for each in ("multi_scene_ocr", "multi_lan_ocr", "doc_parsing", "kie")
    )
    folder = write_task(tmp_path / "tasks", "signs")
    for name in ("plates", "menus"):
        write_task(folder, name, decoding=f"{lmms_data.DECODING}tag: printed")
    (folder / "group.yaml").write_text("group: town\ntask: [signs, printed, {task: signs}]\n")
    (folder / "changed.yaml").write_text("group: odd\ntask:\n  - {task: signs, repeats: 2}\n")
    at = f"lmms:{folder}"
    printed = (f"{at}/plates", f"{at}/menus")
    assert set(lmms_tasks.named(f"{at}/printed")) == set(printed)
    assert lmms_tasks.named(f"{at}/town")[0] == f"{at}/signs"
    assert set(lmms_tasks.named(f"{at}/town")[1:]) == set(printed)
    assert lmms_tasks.named(f"{at}/signs") == (f"{at}/signs",)
    with pytest.raises(UsageError, match="group odd changes settings of its tasks, as of signs"):
        lmms_tasks.named(f"{at}/odd")
    with pytest.raises(UsageError, match="lmms-eval has no task 'nowhere'"):
        lmms_tasks.named(f"{at}/nowhere")
    for other in ("ocrbench@official", "lmms:signs@lmms-eval-0.7.3-0"):
        assert lmms_tasks.named(other) == (other,)


@served
def test_other_files_are_another_variant(cases: dict[str, Case], tmp_path: Path) -> None:
    folder = write_task(tmp_path / "tasks")
    before = plugins.load_task(f"lmms:{folder}/signs")
    assert plugins.load_task(f"lmms:signs@{before.variant}") == before
    (shown,) = next(iter(before.samples(HubSource(""), before.languages))).prompt
    assert shown.parts[-1] == Text("What says 0? Short, please.")
    yaml = folder / "signs.yaml"
    yaml.write_text(yaml.read_text().replace("Short, please.", "Briefly."))
    after = plugins.load_task(f"lmms:{folder}/signs")
    assert after.variant != before.variant
    (shown,) = next(iter(after.samples(HubSource(""), after.languages))).prompt
    assert shown.parts[-1] == Text("What says 0? Briefly.")
    assert plugins.load_task(f"lmms:signs@{before.variant}") == before  # compared as it was
    with pytest.raises(DataError, match="its files have changed since"):
        next(iter(before.samples(HubSource(""), before.languages)))
    with pytest.raises(UsageError, match="lmms-eval has no task 'signs'"):
        plugins.load_task("lmms:signs@lmms-eval-0.7.3-0")


@served
def test_a_worker_that_dies_is_told_of_and_another_one_started(cases: dict[str, Case]) -> None:
    task, samples = samples_of(cases["signs"])
    lmms_tasks._worker(Path(PYTHON).absolute())._process.kill()
    with pytest.raises(EngineError, match="lmms-eval's worker was killed by signal 9"):
        samples_of(cases["signs"])
    assert samples_of(cases["signs"]) == (task, samples)


def test_without_lmms_eval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(LMMS_EVAL_PYTHON, raising=False)
    with pytest.raises(UsageError, match=f"^{NOT_INSTALLED}$"):
        plugins.load_task("lmms:mme")
    with pytest.raises(UsageError, match="unknown task 'harness:mme'"):
        plugins.load_task("harness:mme")


def test_a_folder_is_named_once() -> None:
    here = Path("tasks").absolute()
    assert lmms_tasks.within("lmms:mme", Path("tasks")) == f"lmms:{here}/mme"
    assert lmms_tasks.within("lmms:/there/mme", Path("tasks")) == "lmms:/there/mme"
    assert lmms_tasks.within("ocrbench@official", Path("tasks")) == "ocrbench@official"


def test_a_language_is_told_or_known_or_undetermined() -> None:
    assert languages_of("signs", {}) == ("", {"": "und"})
    assert languages_of("gqa-ru", {}) == ("", {"": "ru"})
    assert languages_of("gqa-ru", {"language": "uk"}) == ("", {"": "uk"})
    assert languages_of("cc_ocr_multi_lan_ocr", {})[1]["Korean"] == "ko"
    for wrong in ({"language": "German!"}, {"language_column": "tongue"}):
        with pytest.raises(UsageError, match=r"lmms:signs: metadata\.towereval"):
            languages_of("signs", wrong)
