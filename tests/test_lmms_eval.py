"""lmms-eval's sample logs become runs: their answers, our tasks, our metrics, and no surprises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.test_cli import error_line, towereval
from towereval.bridges.lmms_eval import Imported, find_logs, import_logs
from towereval.bridges.logged import compare
from towereval.errors import DataError, StoreError
from towereval.run import rescore
from towereval.store import Store

ASK = (
    "For the given Multiple Choice Question Answer below, analyze the question and answer strictly"
    " from one of the options below. Strictly answer the choice only. No additional text. "
)
READ = "Please output only the text of the picture."
STAMP = "20260101_120000"


def row(doc_id: int, doc: Mapping[str, Any], prompt: str, answer: str, **more: Any) -> str:
    content = {
        "doc_id": doc_id,
        "doc": doc,
        "target": "",
        "arguments": {"0": "max_new_tokens"},
        "resps": [[answer]],
        "filtered_resps": [answer],
        "doc_hash": "0" * 64,
        "input": prompt,
        **more,
    }
    return json.dumps(content, ensure_ascii=False)


def alm(doc_id: int, answer: str, *, language: str = "German", prompt: str = "") -> str:
    doc = {
        "ID": f"000_{doc_id}",
        "Language": language,
        "Category": "Tools",
        "Question_Type": "Multiple Choice Questions",
        "Translated_Question": "Womit misst man?",
        "Translated_Answer": "Lot (Optionen: Lot, Waage, Uhr)",
        "Image_Url": f"https://example.invalid/{doc_id}.png",
    }
    return row(doc_id, doc, prompt or f"{ASK}Womit misst man?\nLot\nWaage\nUhr", answer)


def reading(doc_id: int, answer: str, truth: str | None, split: str = "French") -> str:
    doc = {"index": doc_id, "question": READ, "answer": truth, "split": split}
    ending = "\nAnswer by providing the text directly."
    named = {"ocr_results": {"index": doc_id, "image_name": f"{split}_{doc_id}.jpg"}}
    return row(doc_id, doc, READ + ending, answer, **named)


def ocr(doc_id: int, answer: str, group: str = "Road Signs") -> str:
    doc = {
        "dataset": "made",
        "question": "What is written?",
        "question_type": group,
        "answer": ["HALT"],
    }
    return row(doc_id, doc, "What is written?", answer)


def caption(doc_id: int, answer: str) -> str:
    doc = {
        "en": "Two boats lie on the beach.",
        "de": "Zwei Boote liegen am Strand.",
        "fr": "Deux bateaux sont sur la plage.",
        "cs": "Na pláži leží dvě lodě.",
    }
    ask = "Translate the following source text from English to German:\n"
    return row(doc_id, doc, ask + doc["en"], answer)


def log(folder: Path, name: str, *rows: str | bytes, stamp: str = STAMP) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{stamp}_samples_{name}.jsonl"
    lines = [line if isinstance(line, bytes) else line.encode() for line in rows]
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    say(file, len(rows))
    return file


def say(file: Path, rows: float | None, **more: Any) -> None:
    """What lmms-eval writes beside a log: how many rows it has, whose it is, how it was cut."""
    stamp, _, name = file.stem.partition("_samples_")
    about = file.with_name(f"{stamp}_results.json")
    content = json.loads(about.read_text()) if about.exists() else {}
    content.setdefault("n-samples", {})[name] = {"original": 1000, "effective": rows}
    content |= {"model_name": "org/theirs", "config": {"limit": None}, **more}
    about.write_text(json.dumps(content))


def imported(tmp_path: Path, output: str = "results") -> Imported:
    return import_logs(tmp_path / "logs", model="theirs", output=tmp_path / output)


def values(found: Imported) -> dict[tuple[str, str, str], tuple[float | None, int, int]]:
    return {
        (row.language, row.group, row.metric): (row.value, row.n, row.n_failed)
        for row in found.outcome.results
    }


# --- what becomes of a log ---


def test_each_kind_of_log_is_scored_by_our_task(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    log(logs / "alm", "alm-bench-de", alm(0, "Lot"), alm(1, "Uhr"), alm(2, "lot"), alm(3, "Lot"))
    log(logs / "cc", "cc-ocr-multi-lan-fr", reading(0, "rue du port", "rue du port"))
    log(logs / "ocr", "ocrbench", ocr(0, "It says halt."), ocr(1, "none", group="Digits"))
    log(logs / "m30k", "multi30k-de", *(caption(i, "Zwei Boote liegen am Strand.") for i in (0, 1)))
    found = imported(tmp_path)
    assert found.notices == ()
    numbers = values(found)
    assert numbers["de", "", "exact_match"] == (0.5, 4, 0)
    assert numbers["fr", "", "macro_f1"] == (pytest.approx(1.0), 1, 0)
    assert numbers["en", "", "accuracy"] == (0.5, 2, 0)
    assert numbers["en", "Road Signs", "accuracy"] == (1.0, 1, 0)
    assert numbers["en", "Digits", "accuracy"] == (0.0, 1, 0)
    assert numbers["de", "", "bleu"] == (pytest.approx(100.0), 2, 0)
    variants = {row.task: row.variant for row in found.outcome.results}
    assert variants == {
        "alm_bench": "towervision-text",
        "cc_ocr": "towervision",
        "multi30k": "towervision",
        "ocrbench": "towervision",
    }
    assert {row.split for row in found.outcome.results} == {"full"}


def test_the_manifest_says_where_the_answers_are_from(tmp_path: Path) -> None:
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"))
    found = imported(tmp_path)
    manifest = json.loads((found.outcome.folder / "manifest.json").read_text())
    assert (manifest["model"], manifest["engine"]) == ("theirs", "lmms-eval logs")
    name = f"{STAMP}_samples_ocrbench.jsonl"
    [row] = [row for row in found.outcome.results if not row.group]
    assert len(row.data) == 16
    about = {"source": "lmms-eval logs", "logs": {name: STAMP}, "digests": {"en": row.data}}
    assert manifest["data"] == {"ocrbench": about}
    assert list(manifest["respondent"]["logs"]) == [name]
    assert manifest["limit"] is None
    assert manifest["tasks"][0]["variant"] == "towervision"


def test_a_row_that_our_task_leaves_out_is_left_out(tmp_path: Path) -> None:
    log(tmp_path / "logs", "cc-ocr-multi-lan-fr", reading(0, "a", "a"), reading(1, "b", None))
    assert values(imported(tmp_path))["fr", "", "macro_f1"] == (pytest.approx(1.0), 1, 0)


def test_answers_keep_their_line_separators(tmp_path: Path) -> None:
    odd = "Lot\u2028\x85\x0b\r"
    log(tmp_path / "logs", "alm-bench-de", alm(0, odd), alm(1, "Lot"))
    found = imported(tmp_path)
    assert values(found)["de", "", "exact_match"] == (0.5, 2, 0)
    with Store(found.outcome.folder) as store:
        replies = [replies[0] for *_, replies in store.answered("alm_bench")]
    assert [reply and reply.text for reply in replies] == [odd, "Lot"]


def test_two_rows_about_pictures_that_a_log_does_not_hold_are_two_questions(tmp_path: Path) -> None:
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), ocr(1, "no"), ocr(2, "halt"))
    assert values(imported(tmp_path))["en", "", "accuracy"] == (pytest.approx(2 / 3), 3, 0)


def test_a_failed_request_is_a_failed_request(tmp_path: Path) -> None:
    failed = "[LMMS_EVAL_REQUEST_FAILED after 3 retries] timed out"
    log(tmp_path / "logs", "alm-bench-de", alm(0, "Lot"), alm(1, failed), alm(2, "Uhr"))
    found = imported(tmp_path)
    assert values(found)["de", "", "exact_match"] == (0.5, 2, 1)
    assert found.outcome.failures == ((failed, 1),)


def test_an_answer_to_another_prompt_is_no_answer(tmp_path: Path) -> None:
    others = [alm(number, "Lot", prompt="Was?") for number in (1, 2)]
    log(tmp_path / "logs", "alm-bench-de", alm(0, "Lot"), *others)
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"))
    found = imported(tmp_path)
    assert found.notices == (
        "alm-bench-de: 2 logged prompts differ from ours; their answers are not scored",
    )
    assert values(found)["de", "", "exact_match"] == (1.0, 1, 2)
    assert found.outcome.failures == (("asked with another prompt than ours", 2),)
    done = towereval("import", "lmms-eval", "logs", "--model", "theirs", cwd=tmp_path)
    assert done.returncode == 4
    assert "failed 2x: asked with another prompt than ours" in done.stderr


# --- which logs are read ---


def test_the_newest_log_of_a_task_wins_and_the_other_is_named(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    log(logs / "z-first", "alm-bench-de", alm(0, "Lot"), stamp="20250901_000000")
    log(logs / "a-second", "alm-bench-de", alm(0, "Uhr"), stamp="20250902_000000")
    log(logs / "a-second", "alm-bench-fr", alm(0, "Lot"), stamp="20250901_000000")
    found = imported(tmp_path)
    assert found.notices == (
        "alm-bench-de: 20250901_000000_samples_alm-bench-de.jsonl is left out,"
        " 20250902_000000_samples_alm-bench-de.jsonl is newer",
    )
    assert values(found)["de", "", "exact_match"] == (0.0, 1, 0)
    assert [each.stamp for each in found.logs] == ["20250902_000000", "20250901_000000"]


@pytest.mark.parametrize(
    "name", ["mmmu_val", "alm-bench", "alm-bench-xx", "ocrbench-de", "ocrbench_v2", "multi30k-it"]
)
def test_a_log_of_a_task_that_we_have_not_is_named(tmp_path: Path, name: str) -> None:
    log(tmp_path / "logs", name, "not even JSON")
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"))
    found = imported(tmp_path)
    assert found.notices == (f"{STAMP}_samples_{name}.jsonl: towereval has no task {name!r}",)
    assert {row.task for row in found.outcome.results} == {"ocrbench"}


@pytest.mark.parametrize("name", ["", "mmmu_val"])
def test_a_folder_without_any_log_of_ours_is_an_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "logs").mkdir()
    if name:
        log(tmp_path / "logs", name, "{}")
    with pytest.raises(DataError, match=r"logs: no \*_samples_\*\.jsonl of a task that towereval"):
        imported(tmp_path)
    with pytest.raises(DataError, match="nowhere: no such folder"):
        find_logs(tmp_path / "nowhere")
    assert not (tmp_path / "results").exists()


# --- torn logs ---


def without(line: str, *names: str, **changes: Any) -> str:
    content = {**json.loads(line), **changes}
    return json.dumps({key: value for key, value in content.items() if key not in names})


WHOLE = ocr(1, "Straße")
TORN: dict[str, str | bytes] = {
    "cut": WHOLE[:-20],
    "cut within a character": WHOLE.encode()[: WHOLE.encode().index(b"\xc3") + 1],
    "blank": "",
    "not an object": "[1, 2]",
    "two rows in one line": WHOLE + WHOLE,
    "no doc_id": without(WHOLE, "doc_id"),
    "doc_id is a word": without(WHOLE, doc_id="first"),
    "no doc": without(WHOLE, "doc"),
    "doc is a text": without(WHOLE, doc="x"),
    "no answer": without(WHOLE, "filtered_resps"),
    "no answers": without(WHOLE, filtered_resps=[]),
    "answers are a text": without(WHOLE, filtered_resps="halt"),
    "answers are lists": without(WHOLE, filtered_resps=[["halt"]]),
    "answer is null": without(WHOLE, filtered_resps=[None]),
    "no prompt": without(WHOLE, "input"),
    "prompt is null": without(WHOLE, input=None),
}


@pytest.mark.parametrize("fault", TORN)
def test_a_torn_line_is_named_by_file_and_line(tmp_path: Path, fault: str) -> None:
    file = log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), TORN[fault], ocr(2, "halt"))
    with pytest.raises(DataError) as error:
        imported(tmp_path)
    assert str(error.value).startswith(f"{file}:2: torn or not a sample log: ")
    assert "\n" not in str(error.value)
    assert not list((tmp_path / "results").rglob("results.json"))


def test_a_torn_log_that_is_mended_is_imported(tmp_path: Path) -> None:
    file = log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), WHOLE[:-9])
    with pytest.raises(DataError, match=":2: torn"):
        imported(tmp_path)
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), WHOLE)
    assert values(imported(tmp_path))["en", "", "accuracy"] == (0.5, 2, 0)
    assert file.exists()


def test_a_row_without_a_column_is_named(tmp_path: Path) -> None:
    doc = {key: value for key, value in json.loads(WHOLE)["doc"].items() if key != "question_type"}
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), without(WHOLE, doc=doc))
    with pytest.raises(DataError, match="row 1 has no column 'question_type'"):
        imported(tmp_path)


def test_a_row_that_is_logged_twice_is_refused(tmp_path: Path) -> None:
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), ocr(0, "no"))
    with pytest.raises(StoreError, match="ocrbench: two samples have the id '0' in en"):
        imported(tmp_path)


# --- again ---


def test_importing_twice_gives_the_same_folder_and_rows(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    log(logs, "alm-bench-de", *(alm(i, ("Lot", "Uhr", "lot")[i % 3]) for i in range(12)))
    log(logs, "ocrbench", *(ocr(i, ("halt", "go")[i % 2]) for i in range(12)))
    first = imported(tmp_path)
    rows = json.loads((first.outcome.folder / "results.json").read_text())["results"]
    second = imported(tmp_path)
    assert second.outcome == first.outcome
    assert json.loads((first.outcome.folder / "results.json").read_text())["results"] == rows
    assert len(list((tmp_path / "results").rglob("results.json"))) == 1
    assert rescore(first.outcome.folder).results == first.outcome.results
    elsewhere = imported(tmp_path, "elsewhere")
    assert elsewhere.outcome.results == first.outcome.results


def test_other_answers_are_another_run(tmp_path: Path) -> None:
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"))
    first = imported(tmp_path)
    log(tmp_path / "logs", "ocrbench", ocr(0, "no"))
    second = imported(tmp_path)
    assert first.outcome.folder != second.outcome.folder
    assert values(first)["en", "", "accuracy"] == (1.0, 1, 0)
    assert values(second)["en", "", "accuracy"] == (0.0, 1, 0)


# --- their numbers beside ours ---


def logged(folder: Path, content: Any) -> None:
    file = folder / f"{STAMP}_results.json"
    old = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**old, **content} if isinstance(content, dict) else content))


def test_logged_numbers_are_compared_where_we_have_them(tmp_path: Path) -> None:
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"), ocr(1, "no"))
    numbers = {"alias": "x", "ocrbench_accuracy,none": 0.5, "other,none": {"deep": 2, "why": "no"}}
    logged(tmp_path / "logs", {"results": {"ocrbench": numbers}})
    found = imported(tmp_path)
    same, other = compare(found.outcome.folder, found.logs, found.outcome.results)
    assert (same.metric, same.logged, same.ours, same.agrees) == ("accuracy", 0.5, 0.5, True)
    assert (other.metric, other.logged, other.ours, other.agrees) == ("other.deep", 2.0, None, True)
    logged(tmp_path / "logs", {"results": {"ocrbench": {"ocrbench_accuracy,none": 0.5 + 1e-8}}})
    [different] = compare(found.outcome.folder, found.logs, found.outcome.results)
    assert not different.agrees


def test_aggregates_that_are_no_metric_of_ours_are_recomputed(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    log(logs, "alm-bench-de", *(alm(i, ("Lot", "Uhr", "Lot", "Lot")[i]) for i in range(4)))
    # 3 of 4 words found by an answer of 3, then 0 of 1 by an answer of 2.
    rows = (reading(0, "rue du port", "rue du vieux port"), reading(1, "la mer", "quai"))
    log(logs, "cc-ocr-multi-lan-fr", *rows)
    ocr_results = {"macro_recall": 0.375, "macro_precision": 0.5}
    ocr_results |= {"micro_recall": 0.6, "micro_precision": 0.6}
    # Three hits of four: the sample's deviation is 1/2, over the root of four.
    exact = {"exact_match,none": 0.75, "exact_match_stderr,none": 0.25}
    results = {"alm-bench-de": exact, "cc-ocr-multi-lan-fr": {"ocr_results,none": ocr_results}}
    logged(logs, {"results": results})
    found = imported(tmp_path)
    compared = compare(found.outcome.folder, found.logs, found.outcome.results)
    assert len(compared) == 6
    for row in compared:
        assert row.ours == pytest.approx(row.logged, abs=1e-8), row.metric


@pytest.mark.parametrize("content", [None, {}, {"results": {}}, {"results": []}])
def test_missing_logged_numbers_are_an_error(tmp_path: Path, content: Any) -> None:
    log(tmp_path / "logs", "ocrbench", ocr(0, "halt"))
    found = imported(tmp_path)
    if content is not None:
        logged(tmp_path / "logs", content)
    with pytest.raises(DataError, match=r"_results\.json: no logged results of ocrbench"):
        compare(found.outcome.folder, found.logs, found.outcome.results)


def test_the_command_shows_notes_failures_and_the_comparison(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    file = log(logs, "mmmu_val", "{}")
    log(logs, "ocrbench", ocr(0, "halt"), ocr(1, "no"))
    words = ("import", "lmms-eval", "logs", "--model", "theirs")
    done = towereval(*words, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == f"note: {file.name}: towereval has no task 'mmmu_val'\n"
    [file] = tmp_path.glob("results/theirs/*/results.json")
    assert done.stdout.splitlines()[-1] == str(file.relative_to(tmp_path))
    for value, status in ((0.5, 0), (0.4, 4)):
        logged(logs, {"results": {"ocrbench": {"ocrbench_accuracy,none": value}}})
        assert towereval(*words, "--verify", cwd=tmp_path).returncode == status
    log(logs, "ocrbench", ocr(0, "halt"), ocr(1, "[LMMS_EVAL_REQUEST_FAILED] no"))
    assert towereval(*words, cwd=tmp_path).returncode == 4
    log(logs, "ocrbench", WHOLE[:50])
    done = towereval(*words, cwd=tmp_path)
    assert "jsonl:1: torn or not a sample log" in error_line(done, 4)


# --- the authors' own logs ---

CHECKPOINTS = ("towerp_2b_base_english", "towerp_2b_instruct", "towerp_9b_instruct")
THEIRS = {
    "exact_match,none": ("alm_bench", "exact_match"),
    "ocrbench_accuracy,none": ("ocrbench", "accuracy"),
    "ocr_results,none": ("cc_ocr", "macro_f1"),
}


def numbers_of(folder: Path) -> dict[tuple[str, str, str], float]:
    """(our task, language, metric) -> what they logged; of two runs the newer."""
    found = {}
    for file in sorted(folder.rglob("*_results.json"), key=lambda file: file.name):
        for name, row in json.loads(file.read_text())["results"].items():
            language = "en" if name == "ocrbench" else name.rpartition("-")[2]
            for key, value in row.items():
                if key in THEIRS and name != "cc-ocr-multi-lan":
                    task, metric = THEIRS[key]
                    number = value["macro_f1_score"] if isinstance(value, dict) else value
                    found[task, language, metric] = number
    return found


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_the_authors_logs_give_the_authors_numbers(
    shared: Path, tmp_path: Path, checkpoint: str
) -> None:
    folder = shared / "data" / "towervision_logs" / checkpoint
    found = import_logs(folder, model=checkpoint, output=tmp_path)
    ours = {
        (row.task, row.language, row.metric): row for row in found.outcome.results if not row.group
    }
    theirs = numbers_of(folder)
    assert len(theirs) == 9 + 7 + 1
    for line, value in theirs.items():
        row = ours[line]
        assert row.value == pytest.approx(value, rel=0, abs=1e-9), line
        assert row.ci_low is not None
        assert row.ci_high is not None
        assert row.ci_low <= value <= row.ci_high
        assert (row.n_failed, row.n_unscored) == (0, 0)
    assert {ours["multi30k", language, "bleu"].n for language in ("cs", "de", "fr")} == {1000}
    compared = compare(found.outcome.folder, found.logs, found.outcome.results)
    assert {row.metric for row in compared if row.ours is None} <= {"xcomet_xl"}
    assert len(compared) == 9 * 2 + 7 * 6 + 1 + 3
    assert [row for row in compared if not row.agrees] == []
    assert not [notice for notice in found.notices if "is newer" not in notice]
