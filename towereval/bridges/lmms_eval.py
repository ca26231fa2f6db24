"""lmms-eval's sample logs as a run: their answers, our metrics.

A log has the data set's rows and the answers, but no pictures. Each row goes through our own task,
whose prompt is compared with the one that was logged: an answer to another question is no answer to
ours.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from towereval import __version__, plugins
from towereval.environment import describe
from towereval.errors import DataError
from towereval.grading import Scoring
from towereval.progress import Silence
from towereval.run import Outcome, described, folder_name, now, publish
from towereval.store import Store
from towereval.types import (
    Dataset,
    Image,
    Request,
    Response,
    Sample,
    Source,
    Task,
    Text,
    Video,
    digest,
)

# Their task -> our task and language; `None` takes the language from the name's end.
TASKS = {
    "alm-bench": ("alm_bench@towervision-text", None),
    "cc-ocr-multi-lan": ("cc_ocr@towervision", None),
    "ocrbench": ("ocrbench@towervision", "en"),
    "multi30k": ("multi30k@towervision", None),
}
FAILED = "[LMMS_EVAL_REQUEST_FAILED"


@dataclass(frozen=True, slots=True)
class Log:
    """One task's sample log. `stamp` orders the runs of a folder."""

    file: Path
    stamp: str
    name: str
    task: Task
    language: str


@dataclass(frozen=True, slots=True)
class Imported:
    outcome: Outcome
    logs: tuple[Log, ...]
    notices: tuple[str, ...]


class LogSource:
    """A `Source` of one logged row; its picture is known by where it stood, not by its pixels."""

    def __init__(self, log: Log, index: int, row: Mapping[str, Any]) -> None:
        self.place, self.index = f"{log.name}/{index}", index
        # Media are dropped from logs, and CC-OCR's name of the picture is kept beside the row.
        results = row.get("ocr_results") or {}
        absent = {"image": None, "file_name": None, "image_name": results.get("image_name")}
        self.row = {**absent, **row["doc"]}

    def rows(self, dataset: Dataset) -> Iterator[tuple[int, Mapping[str, Any]]]:
        yield self.index, self.row

    def image(self, value: object) -> Image:
        return Image("", digest(self.place))

    def video(self, value: object) -> Video:
        return Video("", digest(self.place))


def import_logs(folder: Path, *, model: str, output: Path) -> Imported:
    """Write a run of everything below `folder` that we have a task for. Raises `DataError`."""
    logs, notices = find_logs(folder)
    respondent = {"model": model, "engine": "lmms-eval", "logs": _digests(logs)}
    # The sample logs alone decide the run: importing them twice is one run.
    run_folder = output / folder_name(model) / f"lmms-eval-{digest(respondent)[:10]}"
    tasks = list({log.task.name: log.task for log in logs}.values())
    with Store(run_folder) as store:
        store.write_manifest(_manifest(model, tasks, logs, respondent, run_folder.name))
        different: dict[str, int] = {}
        store.replace_samples(_samples(logs, digest(respondent)))
        for _ in store.add_responses(_responses(logs, digest(respondent), different)):
            pass
        notices += [
            f"{name}: {count} logged prompts differ from ours; their answers are scored as they are"
            for name, count in different.items()
        ]
        results, _ = publish(store, tasks, str, Silence(), Scoring())
        failures, lost = tuple(store.failures()), tuple(store.lost_samples())
        outcome = Outcome(run_folder, results, 0, failures, lost)
    return Imported(outcome, tuple(logs), tuple(notices))


def find_logs(folder: Path) -> tuple[list[Log], list[str]]:
    """The newest log of each task and language, in order, and what else there was."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    newest: dict[str, Log] = {}
    notices: list[str] = []
    for file in sorted(folder.rglob("*_samples_*.jsonl"), key=lambda f: (f.name, f)):
        stamp, _, name = file.stem.partition("_samples_")
        log = _log(file, stamp, name)
        if log is None:
            notices.append(f"{file.name}: towereval has no task {name!r}")
            continue
        if old := newest.get(name):
            notices.append(f"{name}: {old.file.name} is left out, {file.name} is newer")
        newest[name] = log
    if not newest:
        raise DataError(f"{folder}: no *_samples_*.jsonl of a task that towereval has")
    return sorted(newest.values(), key=lambda log: (log.task.name, log.name)), notices


def read_log(log: Log) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their `doc_id`. Lines end with "\\n" alone: answers hold other separators."""
    with log.file.open("rb") as lines:  # decoded a line at a time: a tear may split a character
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
                index = int(row["doc_id"])
                for name, kind in (("doc", dict), ("filtered_resps", list), ("input", str)):
                    if not isinstance(row[name], kind):
                        raise ValueError(f"{name} is a {type(row[name]).__name__}")
                if not isinstance(row["filtered_resps"][0], str):
                    raise ValueError("filtered_resps holds no text")
            except (ValueError, KeyError, TypeError, IndexError) as error:
                reason = f"{type(error).__name__}: {error}"
                raise DataError(
                    f"{log.file}:{number}: torn or not a sample log: {reason}"
                ) from error
            yield index, row


def _log(file: Path, stamp: str, name: str) -> Log | None:
    for prefix, (reference, language) in TASKS.items():
        if language and name == prefix:
            return Log(file, stamp, name, plugins.load_task(reference), language)
        match = re.fullmatch(rf"{re.escape(prefix)}-([a-z]+)", name)
        if match and not language:
            task = plugins.load_task(reference)
            if match[1] in task.languages:
                return Log(file, stamp, name, task, match[1])
    return None


def _asked(log: Log, index: int, row: Mapping[str, Any]) -> Iterator[tuple[Sample, list[Request]]]:
    """The samples, none or one, that our task makes of a logged row."""
    source: Source = LogSource(log, index, row)
    try:
        for sample in log.task.samples(source, (log.language,)):
            yield sample, list(log.task.requests(sample))
    except KeyError as error:
        raise DataError(f"{log.file}: row {index} has no column {error}") from error


def _samples(logs: list[Log], respondent: str) -> Iterator[tuple[str, Sample, list[Request]]]:
    for log in logs:
        for index, row in read_log(log):
            for sample, requests in _asked(log, index, row):
                yield log.task.name, sample, [replace(r, respondent=respondent) for r in requests]


def _responses(logs: list[Log], respondent: str, different: dict[str, int]) -> Iterator[Response]:
    """Stored answers; counts in `different` the prompts that are not ours."""
    for log in logs:
        for index, row in read_log(log):
            for _, requests in _asked(log, index, row):
                for request in requests:
                    if _text(request) != row["input"]:
                        different[log.name] = different.get(log.name, 0) + 1
                    key = replace(request, respondent=respondent).key
                    text = row["filtered_resps"][0]
                    yield (
                        Response(key, error=text)
                        if text.startswith(FAILED)
                        else Response(key, text)
                    )


def _text(request: Request) -> str:
    parts = [part for message in request.prompt for part in message.parts]
    return "".join(part.text for part in parts if isinstance(part, Text))


def _digests(logs: list[Log]) -> dict[str, str]:
    digests = {}
    for log in logs:
        with log.file.open("rb") as stream:
            digests[log.file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def _manifest(
    model: str, tasks: list[Task], logs: list[Log], respondent: dict[str, Any], run_id: str
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "model": model,
        "split": "full",
        "languages": [],
        "limit": None,
        "seed": 0,
        "tasks": [described(task) for task in tasks],
        "engine": "lmms-eval logs",
        "respondent": respondent,
        "respondent_digest": digest(respondent),
        "data": {log.name: {"source": log.file.name, "logged": log.stamp} for log in logs},
        "towereval": __version__,
        "environment": describe(),
        "started": now(),
    }
