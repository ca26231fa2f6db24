"""What others read is valid by their schemas, holds every row, and no text in it does harm."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from huggingface_hub import parse_eval_result_entries
from pyarrow import parquet

from tests.finished_run import ROW, finished, renamed
from tests.test_cli import error_line, towereval
from towereval import plugins
from towereval.bridges.eval_results import write_files
from towereval.bridges.every_eval_ever import Statement, record, write_record
from towereval.bridges.lmms_eval import import_logs
from towereval.bridges.tables import COLUMNS, write_csv, write_parquet
from towereval.errors import StoreError, UsageError
from towereval.printable import CELL
from towereval.results import Run, read_run

SCHEMAS = Path(__file__).parent / "schemas"
RECORD = SCHEMAS / "every_eval_ever" / "eval.schema.json"
STATED = Statement("the towereval authors", "other")
HOSTILE = '=HYPERLINK("x")\n<script>alert(1)</script>\u202e\x00"\\#: &a - {b}\u2028\x85'
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def check(content: object, file: Path) -> None:
    jsonschema.Draft7Validator(json.loads(file.read_text(encoding="utf-8"))).validate(content)


def with_manifest(folder: Path, **change: Any) -> Run:
    file = folder / "manifest.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    return read_run(folder)


def on_the_hub(tmp_path: Path, *rows: dict[str, Any], model: str = "org/m") -> Run:
    data = {"ocrbench": {"source": "hub", "commits": {"echo840/OCRBench": COMMIT}, "digests": {}}}
    respondent = {"model": "org/m", "engine": "vllm 0.32.0, torch 2.13.0", "dtype": "bfloat16"}
    return with_manifest(
        finished(tmp_path, model, "r1", *rows), data=data, respondent=respondent, engine="vllm"
    )


def every_kind() -> list[dict[str, Any]]:
    """A row for each metric of each variant of each task, and the macro mean's."""
    return [
        {
            "task": name,
            "variant": task.variant,
            "metric": metric.name,
            "language": language,
            "value": 0.25 * metric.scale,
            "ci_low": 0.0,
            "ci_high": metric.scale,
            "languages": task.languages if language == "*" else (),
        }
        for name in plugins.names("tasks")
        for task in plugins.load_tasks(name)
        for metric in task.metrics
        for language in (task.languages[0], "*")
    ]


# --- Every Eval Ever ---


def test_every_row_is_in_a_valid_record(tmp_path: Path) -> None:
    rows = every_kind()
    made = record(read_run(finished(tmp_path, "org/m", "r1", *rows)), STATED)
    check(made, RECORD)
    assert made["schema_version"] == "0.3.0"
    results = made["evaluation_results"]
    assert len(results) == len(rows) > 20
    assert len({result["evaluation_result_id"] for result in results}) == len(rows)
    for result, row in zip(results, rows, strict=True):
        metric = result["metric_config"]
        assert result["score_details"]["score"] == row["value"]
        assert metric["metric_parameters"]["language"] == row["language"]
        if row["metric"] == "image_fidelity_loss":  # a difference may be below 0: it has no bounds
            assert not {"min_score", "max_score", "metric_unit"} & metric.keys()
            continue
        assert metric["max_score"] == 4 * row["value"]
        assert metric["metric_unit"] == ("proportion" if metric["max_score"] == 1 else "points")


def test_a_record_says_what_the_run_knows(tmp_path: Path) -> None:
    made = record(
        on_the_hub(tmp_path, {"note": "wilson-cluster; 2 doubtful", "n_failed": 3}), STATED
    )
    check(made, RECORD)
    assert made["model_info"]["id"] == "org/m"
    assert made["model_info"]["developer"] == "org"
    assert made["model_info"]["inference_engine"] == {"name": "vllm", "version": "0.32.0"}
    assert made["model_info"]["additional_details"]["deployment_type"] == "self_deployed"
    assert made["model_info"]["additional_details"]["model_availability"] == "unknown"
    named = Statement("us", "first_party", "utter-project/TowerVision-2B")
    about = record(on_the_hub(tmp_path / "b"), named)["model_info"]
    assert about["additional_details"]["model_availability"] == "open_weights"
    assert made["retrieved_timestamp"] == "1767225600"
    (result,) = made["evaluation_results"]
    assert result["evaluation_name"] == "towereval.ocrbench.official.en"
    assert result["source_data"]["hf_repo"] == "echo840/OCRBench"
    assert result["source_data"]["samples_number"] == 103
    assert result["source_data"]["additional_details"]["revision"] == COMMIT
    uncertainty = result["score_details"]["uncertainty"]
    assert uncertainty["confidence_interval"] == {
        "lower": 0.4,
        "upper": 0.6,
        "confidence_level": 0.95,
        "method": "wilson-cluster",
    }
    assert uncertainty["num_samples"] == 100
    assert result["score_details"]["details"]["n_failed"] == "3"


def test_the_sample_split_and_a_cut_run_say_so(tmp_path: Path) -> None:
    run = with_manifest(finished(tmp_path, "m", "r1", {"split": "sample"}), limit=5)
    made = record(run, STATED)
    check(made, RECORD)
    (result,) = made["evaluation_results"]
    assert result["evaluation_name"] == "towereval.ocrbench.official.sample.en"
    assert result["source_data"]["source_type"] == "other"
    assert result["source_data"]["additional_details"]["limit"] == "5 samples a language"


def test_rows_without_a_value_are_left_out(tmp_path: Path) -> None:
    empty = {"value": None, "ci_low": None, "ci_high": None}
    run = read_run(finished(tmp_path, "m", "r1", {}, empty))
    assert len(record(run, STATED)["evaluation_results"]) == 1
    with pytest.raises(UsageError, match="nothing to export"):
        record(read_run(finished(tmp_path, "m", "r2", empty)), STATED)


def test_bounds_are_never_guessed(tmp_path: Path) -> None:
    rows = ({"metric": "of_a_plugin"}, {"task": "gone"}, {"value": 50.0})
    made = record(read_run(finished(tmp_path, "m", "r1", *rows)), STATED)
    check(made, RECORD)
    assert all("max_score" not in one["metric_config"] for one in made["evaluation_results"])


def test_the_same_run_gives_the_same_file(tmp_path: Path) -> None:
    run = on_the_hub(tmp_path)
    first = write_record(run, STATED, tmp_path / "a")
    assert first == write_record(run, STATED, tmp_path / "a")
    assert first.relative_to(tmp_path / "a").parts[:4] == ("data", "towereval", "org", "m")
    assert write_record(run, Statement("us", "other", "other/name"), tmp_path).parts[-3:-1] == (
        *("other", "name"),
    )
    with pytest.raises(StoreError, match="cannot be written"):
        write_record(run, STATED, run.folder / "results.json")


def test_a_folder_of_this_machine_stays_here(tmp_path: Path) -> None:
    folder = finished(tmp_path, "m", "r1")
    renamed(folder, "/home/someone/secret/checkpoint-9")
    data = {"ocrbench": {"source": "/home/someone/data"}}
    file = write_record(with_manifest(folder, data=data), STATED, tmp_path / "out")
    assert "someone" not in file.read_text()
    assert file.parent.name == "checkpoint-9"


@pytest.mark.parametrize("created", ["yesterday", "2026-13-01T00:00:00+00:00"])
def test_a_date_that_is_none_is_named(tmp_path: Path, created: str) -> None:
    run = read_run(finished(tmp_path, "m", "r1", created=created))
    with pytest.raises(StoreError, match="is no date"):
        record(run, STATED)


@pytest.mark.skipif(
    importlib.util.find_spec("every_eval_ever") is None, reason="needs the package every_eval_ever"
)
def test_our_copy_of_the_schema_is_theirs() -> None:
    found = importlib.util.find_spec("every_eval_ever")
    assert found is not None and found.origin is not None
    theirs = Path(found.origin).parent / "schemas" / "eval.schema.json"
    assert theirs.read_bytes() == RECORD.read_bytes()


# --- the hub ---


def entries(files: tuple[Path, ...]) -> list[dict[str, Any]]:
    """Every file's entries, checked by our schema and read by the hub's own client."""
    found: list[dict[str, Any]] = []
    for file in files:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
        check(content, SCHEMAS / "eval_results.schema.json")
        assert len(parse_eval_result_entries(content)) == len(content)
        found += content
    return found


def test_every_row_is_an_entry(tmp_path: Path) -> None:
    rows = every_kind()
    run = read_run(finished(tmp_path, "m", "r1", *rows))
    given = {name: f"org/{name}" for name in plugins.names("tasks")}
    files = write_files(run, tmp_path, given, "https://example.org/run")
    assert {file.parent for file in files} == {tmp_path / ".eval_results"}
    found = entries(files)
    assert sorted(entry["value"] for entry in found) == sorted(row["value"] for row in rows)
    keys = {(entry["dataset"]["id"], entry["dataset"]["task_id"]) for entry in found}
    assert len(keys) == len(rows)
    assert all(entry["source"]["url"] == "https://example.org/run" for entry in found)
    variants = {(row["task"], row["variant"]) for row in rows}
    assert len(files) == len(variants)  # the hub wants one file a variant


def test_an_entry_names_the_data_and_the_interval(tmp_path: Path) -> None:
    run = on_the_hub(tmp_path, {"value": 0.0000123, "ci_low": 0.0, "ci_high": 1.0})
    (entry,) = entries(write_files(run, tmp_path, {}))
    assert entry["dataset"] == {
        "id": "echo840/OCRBench",
        "task_id": "official-accuracy-en",
        "revision": COMMIT,
    }
    assert entry["value"] == pytest.approx(0.0000123)
    assert entry["date"] == "2026-01-01T00:00:00+00:00"
    assert "95% interval 0.0 to 1.0; n 100, failed 0, unscored 0" in entry["notes"]
    assert "source" not in entry


def test_what_is_not_the_benchmark_is_refused(tmp_path: Path) -> None:
    given = {"ocrbench": "echo840/OCRBench"}
    run = read_run(finished(tmp_path, "m", "r1", {"split": "sample"}))
    with pytest.raises(UsageError, match="bundled samples"):
        write_files(run, tmp_path, given)
    with pytest.raises(UsageError, match="cut to 5 samples"):
        write_files(read_run(finished(tmp_path, "m", "r2", limit=5)), tmp_path, given)
    failed = {"language": "*", "languages": ("en",), "n_failed": 3}
    with pytest.raises(UsageError, match="3 samples of ocrbench failed"):
        write_files(read_run(finished(tmp_path, "m", "r4", {}, failed)), tmp_path, given)
    run = read_run(finished(tmp_path, "m", "r3"))
    with pytest.raises(UsageError, match="give --dataset ocrbench=ORG/NAME"):
        write_files(run, tmp_path, {})
    with pytest.raises(UsageError, match="the run has no such task"):
        write_files(run, tmp_path, {**given, "orcbench": "a/b"})
    for wrong in ("OCRBench", "a/b\n- dataset:", "../../b", "a/b/c", "a/..", "-a/b", "ä/b"):
        with pytest.raises(UsageError, match="wanted ORG/NAME"):
            write_files(run, tmp_path, {"ocrbench": wrong})
    with pytest.raises(UsageError, match="wanted http:// or https://"):
        write_files(run, tmp_path, given, "javascript:alert(1)")
    assert not (tmp_path / ".eval_results").exists()


@pytest.mark.parametrize(
    ("task", "languages", "named"),
    [
        ("multi30k", ("cs", "de", "fr"), "all"),
        ("multi30k", ("fr", "de"), "mean_of_de_fr"),
        ("alm_bench", ("zh-Hans", "de"), "mean_of_de_zh_Hans"),
        ("gone", ("cs", "de"), "mean_of_cs_de"),  # what all are is not known
    ],
)
def test_only_the_mean_over_all_languages_is_called_all(
    tmp_path: Path, task: str, languages: tuple[str, ...], named: str
) -> None:
    mean = {"task": task, "variant": "towervision", "language": "*", "languages": languages}
    run = read_run(finished(tmp_path, "m", "r1", mean))
    (entry,) = entries(write_files(run, tmp_path, {task: "org/data"}))
    assert entry["dataset"]["task_id"] == f"towervision-accuracy-{named}"


# --- tables ---


def test_rows_are_read_back_from_csv_and_parquet(tmp_path: Path) -> None:
    rows = ({"value": None}, {"language": "*", "languages": ("de", "zh-Hans"), "value": -0.125})
    runs = [read_run(finished(tmp_path, model, "r1", *rows)) for model in ("a", "b")]
    write_csv(runs, tmp_path / "rows.csv")
    found = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text("utf-8"))))
    assert [row["model"] for row in found] == ["a", "a", "b", "b"]
    assert tuple(found[0]) == COLUMNS == ("model", "created", "limit", *asdict(ROW))
    assert [row["value"] for row in found] == ["", "-0.125"] * 2  # a number is no formula
    assert found[1]["languages"] == "de zh-Hans"
    write_parquet(runs, tmp_path / "rows.parquet")
    table = parquet.read_table(tmp_path / "rows.parquet").to_pylist()
    for row, run in zip(table[::2], runs, strict=True):
        first = {**asdict(run.rows[0]), "languages": []}
        assert row == {"model": run.model, "created": run.created, "limit": None, **first}
    assert table[3]["languages"] == ["de", "zh-Hans"]


def test_a_cut_run_says_so_in_each_row(tmp_path: Path) -> None:
    run = read_run(finished(tmp_path, "m", "r1", limit=5))
    write_csv([run], tmp_path / "rows.csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text("utf-8")))
    write_parquet([run], tmp_path / "rows.parquet")
    assert row["limit"] == "5"
    assert parquet.read_table(tmp_path / "rows.parquet")["limit"].to_pylist() == [5]


# --- hostile texts ---


def test_hostile_texts_are_harmless(tmp_path: Path) -> None:
    folder = finished(tmp_path, "m", "r1", {"group": HOSTILE, "signature": HOSTILE * 20_000})
    run = read_run(renamed(folder, HOSTILE))

    file = write_record(run, STATED, tmp_path / "out")
    made = json.loads(file.read_text(encoding="utf-8"))
    check(made, RECORD)
    (result,) = made["evaluation_results"]
    assert result["metric_config"]["metric_parameters"]["group"] == HOSTILE
    assert len(file.relative_to(tmp_path / "out").parts) == 5
    assert all(part.isascii() and part.isprintable() for part in file.parts[-3:])

    files = write_files(run, tmp_path, {"ocrbench": "echo840/OCRBench"})
    (entry,) = yaml.safe_load(files[0].read_text(encoding="utf-8"))
    assert set(entry) == {"dataset", "value", "date", "notes"}
    assert entry["notes"].count(r'=HYPERLINK("x")\u000a<script>') == 20_000
    assert "\u202e" not in files[0].read_text(encoding="utf-8")

    write_csv([run], tmp_path / "rows.csv")
    text = (tmp_path / "rows.csv").read_text(encoding="utf-8")
    assert text.count("\n") == 2
    (found,) = csv.DictReader(io.StringIO(text))
    assert found["model"].startswith("'=HYPERLINK")
    assert len(found["signature"]) == CELL
    assert not set("\u202e\x00\u2028\x85") & set(text)

    write_parquet([run], tmp_path / "rows.parquet")
    assert parquet.read_table(tmp_path / "rows.parquet").to_pylist()[0]["model"] == HOSTILE


def test_a_lone_surrogate_breaks_no_file(tmp_path: Path) -> None:
    run = read_run(finished(tmp_path, "m", "r1", {"group": "a\ud800b"}))
    write_csv([run], tmp_path / "rows.csv")
    write_parquet([run], tmp_path / "rows.parquet")
    check(json.loads(write_record(run, STATED, tmp_path).read_text("utf-8")), RECORD)
    entries(write_files(run, tmp_path, {"ocrbench": "echo840/OCRBench"}))


# --- the command ---


def test_the_authors_runs_export_whole(shared: Path, tmp_path: Path) -> None:
    logs = shared / "data" / "towervision_logs" / "towerp_2b_instruct"
    run = import_logs(logs, model="towerp_2b_instruct", output=tmp_path).outcome.folder
    values = sum(row.value is not None for row in read_run(run).rows)
    command = ("export", run, "--output", "out", "--format")
    done = towereval(*command, "every-eval-ever", "--organization", "us", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr == "note: 3 rows without a value are left out\n"
    made = json.loads((tmp_path / done.stdout.strip()).read_text(encoding="utf-8"))
    check(made, RECORD)
    assert len(made["evaluation_results"]) == values > 40
    datasets = "alm_bench=a/alm,cc_ocr=a/cc,multi30k=a/m,ocrbench=a/o"
    done = towereval(*command, "eval-results", "--dataset", datasets, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    files = tuple(tmp_path / line for line in done.stdout.splitlines())
    assert len(entries(files)) == values


def test_the_command_writes_tables_of_many_runs(tmp_path: Path) -> None:
    runs = [finished(tmp_path, model, "r1", {}, {"value": None}) for model in "ab"]
    done = towereval("export", *runs, "--format", "csv", "--output", "x/rows.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "x/rows.csv\n", "")
    assert (tmp_path / "x" / "rows.csv").read_text().count("\n") == 5


@pytest.mark.parametrize("output", [".", "/"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_folder_where_a_file_is_wanted_has_status_2(
    tmp_path: Path, form: str, output: str
) -> None:
    run = finished(tmp_path, "a", "r1")
    done = towereval("export", run, "--format", form, "--output", output, cwd=tmp_path)
    assert f"{output} is a folder: name a file in it" in error_line(done, 2)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("every-eval-ever",), "give --organization NAME"),
        (("eval-results",), "export one run at a time"),
        (("every-eval-ever", "--model-id", "a/b"), "--model-id is of one model"),
    ],
)
def test_a_wrong_request_has_status_2(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    runs = [finished(tmp_path, model, "r1") for model in "ab"]
    done = towereval("export", *runs, "--output", "out", "--format", *words, cwd=tmp_path)
    assert message in error_line(done, 2)
    assert not (tmp_path / "out").exists()
