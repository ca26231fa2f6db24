"""What holds for every task: its names, one prompt a sample, and how missing data is told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.plan import SAMPLES, Plan
from towereval.progress import Silence
from towereval.run import collect
from towereval.store import Store
from towereval.types import Prompt, Request, Sample, Task, Text

FIDELITY = "language_fidelity"
IFL = [FIDELITY, f"{FIDELITY}_without_image", "image_fidelity_loss"]
COCO = ["cider", "rouge_l", "chrf"]
SMPQA = ["accuracy", "relaxed_accuracy", "character_accuracy", "yes_rate"]
LABELS = ["accuracy", "relaxed_accuracy"]
LETTERS = ["relaxed_accuracy", "accuracy"]
MME = ["perception_score", "cognition_score", "accuracy", "accuracy_plus"]
POPE = ["accuracy", "f1", "yes_rate"]
CIRCULAR = ["circular_accuracy", "accuracy"]
# Task@variant, the default variant first: version, number of languages, metrics, needs.
TASKS = {
    "alm_bench@towervision": (1, 23, ["accuracy"], {"generate"}),
    "alm_bench@towervision-text": (1, 23, ["exact_match"], {"generate"}),
    "alm_bench@official": (1, 23, ["judge", FIDELITY], {"generate"}),
    "babel_imagenet_mc@centurio": (1, 20, LETTERS, {"generate"}),
    "cc_ocr@towervision": (1, 7, ["macro_f1", "micro_f1"], {"generate"}),
    "commute@official": (1, 6, ["contrastive_accuracy"], {"score"}),
    "cvqa@centurio": (1, 31, LETTERS, {"generate"}),
    "m3exam@centurio": (1, 7, LETTERS, {"generate"}),
    "m3exam@cyclic": (1, 7, CIRCULAR, {"generate"}),
    "m5_vgr@centurio": (1, 12, LABELS, {"generate"}),
    "m5_vlod@centurio": (1, 12, LETTERS, {"generate"}),
    "marvl@centurio": (1, 6, LABELS, {"generate"}),
    "maxm@centurio": (1, 7, LABELS, {"generate"}),
    "mmbench@official": (1, 1, CIRCULAR, {"generate"}),
    "mmbench@lrm": (1, 10, CIRCULAR, {"generate"}),
    "mme@official": (1, 1, MME, {"generate"}),
    "mme@lrm": (1, 10, MME, {"generate"}),
    "mtvqa@centurio": (1, 9, LABELS, {"generate"}),
    "mtvqa@official": (1, 9, ["accuracy"], {"generate"}),
    "multi30k@towervision": (1, 3, ["xcomet_xl", "bleu", "chrf", FIDELITY], {"generate"}),
    "ocrbench@official": (1, 1, ["accuracy"], {"generate"}),
    "ocrbench@towervision": (1, 1, ["accuracy"], {"generate"}),
    "pope@official": (1, 1, POPE, {"generate"}),
    "pope@lrm": (1, 10, POPE, {"generate"}),
    "seedbench@official": (1, 1, ["accuracy"], {"generate"}),
    "seedbench@lrm": (1, 10, ["accuracy"], {"generate"}),
    "smpqa@centurio": (2, 11, SMPQA, {"generate"}),
    "smpqa@towereval": (1, len(LANGUAGES) - 1, SMPQA, {"generate"}),
    "textvqa@validation": (1, 1, ["vqa_accuracy"], {"generate"}),
    "vimul_bench@towereval": (1, 14, ["accuracy", "judge", FIDELITY], {"generate"}),
    "xgqa@centurio": (1, 8, LABELS, {"generate"}),
    "xm3600@centurio": (1, 36, [*COCO, FIDELITY, f"{FIDELITY}_judged"], {"generate"}),
    "xm3600@with-and-without-image": (1, 36, IFL, {"generate"}),
    "xmmmu@centurio": (1, 7, LETTERS, {"generate"}),
    "xvnli@centurio": (1, 5, LABELS, {"generate"}),
}
# Every column that a task reads.
COLUMNS = {
    "alm_bench@towervision": [
        *("Question_Type", "file_name", "ID", "Category", "Language", "Image_Url"),
        *("Translated_Question", "Translated_Answer"),
    ],
    "alm_bench@towervision-text": ["Translated_Question", "Translated_Answer"],
    "alm_bench@official": [
        *("Question_Type", "file_name", "ID", "Language", "Image_Url"),
        *("Translated_Question", "Translated_Answer"),
    ],
    "babel_imagenet_mc@centurio": ["image", "choices", "answer"],
    "cc_ocr@towervision": ["split", "answer", "image", "image_name", "question"],
    "commute@official": ["source", "correct_translation", "incorrect_translation", "image"],
    "cvqa@centurio": ["image", "ID", "Subset", "Question", "Options", "Label"],
    "m3exam@centurio": [
        *("question_text", "options", "answer_text", "background_description"),
        *("subject_category", *(f"image_{number}" for number in range(10))),
    ],
    "m3exam@cyclic": ["options"],
    "m5_vgr@centurio": ["hypothesis", "label", "left_img", "right_img"],
    "m5_vlod@centurio": ["hypothesis", "label", "images"],
    "marvl@centurio": ["hypothesis", "label", "left_img", "right_img"],
    "maxm@centurio": ["image_id", "image", "question", "answers"],
    "mmbench@official": [
        *("index", "image", "hint", "question", "answer", "category"),
        *("A", "B", "C", "D"),
    ],
    "mmbench@lrm": ["index"],
    "mme@official": ["question_id", "image", "question", "answer", "category"],
    "mme@lrm": ["question"],
    "mtvqa@centurio": ["image", "id", "lang", "qa_pairs"],
    "mtvqa@official": ["lang"],
    "multi30k@towervision": ["image", "en", "cs", "de", "fr"],
    "ocrbench@official": ["image", "question", "question_type", "answer", "dataset"],
    "ocrbench@towervision": ["dataset"],
    "pope@official": ["image", "question", "answer", "category"],
    "pope@lrm": ["question"],
    "seedbench@official": [
        *("image", "question", "answer", "choice_a", "choice_b", "choice_c", "choice_d"),
        *("data_type", "question_id", "question_type_id"),
    ],
    "seedbench@lrm": ["question"],
    "smpqa@centurio": [
        *("language", "plot", "image", "question_ground", "answer_ground"),
        *("questions_name", "answer_name"),
    ],
    "smpqa@towereval": ["language"],
    "textvqa@validation": ["image", "image_id", "question", "question_id", "answers"],
    "vimul_bench@towereval": ["mint_video_id", "question", "option", "answer"],
    "xgqa@centurio": ["image_id", "image", "question", "answer"],
    "xm3600@centurio": ["image_id", "captions", "image"],
    "xm3600@with-and-without-image": ["image_id", "captions", "image"],
    "xmmmu@centurio": [
        *("id", "question", "question_type", "options", "answer", "image_1"),
    ],
    "xvnli@centurio": ["flikr30k_id", "image", "hypothesis", "label"],
}


def asked(task: Task, folder: Path, languages: Sequence[str] = ()) -> list[tuple[Sample, Request]]:
    source = FolderSource(folder)
    return [
        (sample, request)
        for sample in task.samples(source, languages or task.languages)
        for request in task.requests(sample)
    ]


def keep(folder: Path, wanted: Callable[[str], bool]) -> int:
    """Drop the other columns from all rows; how many there were in a row, at most."""
    dropped = 0
    for file in folder.rglob("*.jsonl"):
        rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
        kept = [{name: row[name] for name in row if wanted(name)} for row in rows]
        dropped = max(dropped, len(rows[0]) - len(kept[0]))
        file.write_text("".join(json.dumps(row) + "\n" for row in kept))
    return dropped


def test_the_tasks_their_variants_and_their_metrics() -> None:
    """A change here can move a published number: raise the task's version with it."""
    found = {
        f"{task.name}@{task.variant}": (
            task.version,
            len(task.languages),
            [metric.name for metric in task.metrics],
            task.needs,
        )
        for name in plugins.names("tasks")
        for task in plugins.load_tasks(name)
    }
    assert list(found.items()) == list(TASKS.items())


@pytest.mark.parametrize("reference", TASKS)
def test_languages_are_known_and_named_once(reference: str) -> None:
    task = plugins.load_task(reference)
    assert len(set(task.languages)) == len(task.languages)
    assert set(task.languages) <= set(LANGUAGES)


@pytest.mark.parametrize("reference", TASKS)
def test_metrics_of_a_task_are_told_apart(reference: str) -> None:
    metrics = plugins.load_task(reference).metrics
    assert len({metric.name for metric in metrics}) == len(metrics)
    assert len({metric.signature for metric in metrics}) == len(metrics)


@pytest.mark.parametrize("reference", TASKS)
def test_a_prompt_is_one_user_turn_the_pictures_first(reference: str) -> None:
    """A sample's prompt is that of its first request."""
    task = plugins.load_task(reference)
    first: dict[tuple[str, str], Prompt] = {}
    for sample, request in asked(task, SAMPLES / task.name):
        first.setdefault((sample.language, sample.id), request.prompt)
        (message,) = request.prompt
        *shown, text = message.parts
        assert message.role == "user"
        assert isinstance(text, Text)
        assert shown or request.prompt != sample.prompt  # a second request may go without
        assert not any(isinstance(part, Text) for part in shown)
        assert request.sample_id == sample.id
        assert first[sample.language, sample.id] == sample.prompt


@pytest.mark.parametrize("reference", TASKS)
def test_the_same_data_elsewhere_asks_the_same(reference: str, tmp_path: Path) -> None:
    """A stored answer is found again after the data was moved."""
    task = plugins.load_task(reference)
    shutil.copytree(SAMPLES / task.name, tmp_path / "moved")
    here, there = asked(task, SAMPLES / task.name), asked(task, tmp_path / "moved")
    assert [request.key for _, request in here] == [request.key for _, request in there]
    assert [sample.id for sample, _ in here] == [sample.id for sample, _ in there]


@pytest.mark.parametrize("reference", TASKS)
def test_one_language_is_asked_as_it_is_among_all(reference: str) -> None:
    task = plugins.load_task(reference)
    everything = asked(task, SAMPLES / task.name)
    for language in task.languages:
        keys = [request.key for sample, request in everything if sample.language == language]
        alone = asked(task, SAMPLES / task.name, [language])
        assert [request.key for _, request in alone] == keys


@pytest.mark.parametrize("reference", TASKS)
def test_no_two_samples_of_a_language_ask_the_same(reference: str) -> None:
    task = plugins.load_task(reference)
    keys = [(one.language, request.key) for one, request in asked(task, SAMPLES / task.name)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("reference", "column"), [(task, column) for task in TASKS for column in COLUMNS[task]]
)
def test_a_missing_column_is_named_with_the_task(
    tmp_path: Path, reference: str, column: str
) -> None:
    task = plugins.load_task(reference)
    folder = tmp_path / "data"
    shutil.copytree(SAMPLES / task.name, folder)
    assert keep(folder, lambda name: name != column) == 1
    plan = Plan("nobody", (reference,))
    with Store(tmp_path / "run") as store, pytest.raises(DataError) as raised:
        collect(store, plan, [task], {task.name: FolderSource(folder)}, "", Silence())
    told = str(raised.value)
    assert told.startswith(f"{task.name}: row ")
    assert told.endswith(f": the data has no column or value {column!r}")


@pytest.mark.parametrize("reference", TASKS)
def test_a_column_that_is_not_read_may_be_missing(tmp_path: Path, reference: str) -> None:
    task = plugins.load_task(reference)
    folder = tmp_path / "data"
    shutil.copytree(SAMPLES / task.name, folder)
    read = {column for name in TASKS for column in COLUMNS[name] if name.startswith(task.name)}
    keep(folder, lambda name: name in read)
    keys = [request.key for _, request in asked(task, folder)]
    assert keys == [request.key for _, request in asked(task, SAMPLES / task.name)]
