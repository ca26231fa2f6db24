"""lmms-eval's sample logs as a run: their answers, our metrics.

A log has the data set's rows and the answers, but no pictures. Each row goes through our own task,
whose prompt is compared with the one that was logged: an answer to another question is no answer to
ours, and fails. Whether a log is whole and whose it is stands in the run's results beside it.
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
from towereval.bridges.lmms_results import read_about
from towereval.data.columns import checked
from towereval.errors import DataError
from towereval.grading import Scoring
from towereval.plan import described, folder_name, now
from towereval.progress import Silence
from towereval.provenance import describe
from towereval.run import Outcome, publish
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
OTHER_PROMPT = "asked with another prompt than ours"


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
        results = row.get("ocr_results")
        named = results.get("image_name") if isinstance(results, dict) else None
        absent = {"image": None, "file_name": None, "image_name": named}
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
    limit, unsaid = _check_whole(logs)
    notices += unsaid
    respondent = {"model": model, "engine": "lmms-eval", "logs": _digests(logs)}
    # The sample logs alone decide the run: importing them twice is one run.
    run_folder = output / folder_name(model) / f"lmms-eval-{digest(respondent)[:10]}"
    tasks = list({log.task.name: log.task for log in logs}.values())
    manifest = {**_manifest(model, tasks, respondent, run_folder.name), "limit": limit}
    with Store(run_folder) as store:
        store.write_manifest({**manifest, "data": _data(logs, {})})
        asked: dict[str, dict[str, list[str]]] = {}
        store.replace_samples(_samples(logs, digest(respondent), asked))
        store.write_manifest({**manifest, "data": _data(logs, asked)})
        different: dict[str, int] = {}
        for _ in store.add_responses(_responses(logs, digest(respondent), different)):
            pass
        notices += [
            f"{name}: {count} logged prompts differ from ours; their answers are not scored"
            for name, count in different.items()
        ]
        results, _ = publish(store, tasks, str, Silence(), Scoring())
        failures, lost = tuple(store.failures()), tuple(store.lost_samples())
        outcome = Outcome(run_folder, results, 0, failures, lost)
    return Imported(outcome, tuple(logs), tuple(notices))


def find_logs(folder: Path) -> tuple[list[Log], list[str]]:
    """The newest log of each task and language, in order, and what else there was.

    Raises `DataError` where there is none, or where they are of several models.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder")
    newest: dict[str, Log] = {}
    models: dict[str, Path] = {}
    notices: list[str] = []
    for file in sorted(folder.rglob("*_samples_*.jsonl"), key=lambda f: (f.name, f)):
        stamp, _, name = file.stem.partition("_samples_")
        log = _log(file, stamp, name)
        if log is None:
            notices.append(f"{file.name}: towereval has no task {name!r}")
            continue
        about = read_about(file.parent, stamp)
        if about and about.model:
            models.setdefault(about.model, file)
        if old := newest.get(name):
            notices.append(f"{name}: {old.file.name} is left out, {file.name} is newer")
        newest[name] = log
    if len(models) > 1:
        told = " and ".join(f"{file} is of {name!r:.200}" for name, file in [*models.items()][:2])
        raise DataError(f"{folder} holds logs of several models: {told}; import them one by one")
    if not newest:
        raise DataError(f"{folder}: no *_samples_*.jsonl of a task that towereval has")
    return sorted(newest.values(), key=lambda log: (log.task.name, log.name)), notices


def _check_whole(logs: list[Log]) -> tuple[int | None, list[str]]:
    """The smallest count that a log's run was cut to, None where none was, and what nobody says.

    Raises `DataError` for a log that is not as long as its run says.
    """
    limits: list[int] = []
    notices: list[str] = []
    for log in logs:
        about = read_about(log.file.parent, log.stamp)
        with log.file.open("rb") as lines:
            found = sum(1 for _ in lines)
        wanted = about.rows.get(log.name) if about else None
        if wanted is None:
            silence = "does not say it" if about else "is not beside it"
            told = f"{log.stamp}_results.json {silence}"
            notices.append(f"{log.name}: nobody knows whether the log is whole: {told}")
        elif found < wanted:
            raise DataError(f"{log.file}: the log is cut: {found} of {wanted} rows")
        elif found > wanted:
            raise DataError(f"{log.file}: {found} rows, but its run had {wanted}")
        if about and (limit := about.cut_to(found)):
            limits.append(limit)
            notices.append(f"{log.name}: its run was cut to {limit} samples; so is this one")
    return min(limits, default=None), notices


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
            except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
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
            yield checked(sample), list(log.task.requests(sample))
    except KeyError as error:
        raise DataError(f"{log.file}: row {index} has no column {error}") from error
    except DataError as error:
        raise DataError(f"{log.file}: row {index}: {error}") from error


def _samples(
    logs: list[Log], respondent: str, asked: dict[str, dict[str, list[str]]]
) -> Iterator[tuple[str, Sample, list[Request]]]:
    """All samples; puts a digest of each, by task and language, into `asked`."""
    for log in logs:
        found = asked.setdefault(log.task.name, {}).setdefault(log.language, [])
        for index, row in read_log(log):
            for sample, requests in _asked(log, index, row):
                content = [sample.id, sample.language, sample.references]
                found.append(digest([*content, *(request.key for request in requests)]))
                yield log.task.name, sample, [replace(r, respondent=respondent) for r in requests]


def _responses(logs: list[Log], respondent: str, different: dict[str, int]) -> Iterator[Response]:
    """Stored answers; counts in `different` the prompts that are not ours."""
    for log in logs:
        for index, row in read_log(log):
            for _, requests in _asked(log, index, row):
                for request in requests:
                    key = replace(request, respondent=respondent).key
                    text = row["filtered_resps"][0]
                    if text.startswith(FAILED):
                        yield Response(key, error=text)
                    elif _text(request) != row["input"]:
                        different[log.name] = different.get(log.name, 0) + 1
                        yield Response(key, error=OTHER_PROMPT)
                    else:
                        yield Response(key, text)


def _text(request: Request) -> str:
    parts = [part for message in request.prompt for part in message.parts]
    return "".join(part.text for part in parts if isinstance(part, Text))


def _digests(logs: list[Log]) -> dict[str, str]:
    digests = {}
    for log in logs:
        with log.file.open("rb") as stream:
            digests[log.file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def _data(
    logs: list[Log], asked: Mapping[str, Mapping[str, list[str]]]
) -> dict[str, dict[str, Any]]:
    """By task where its rows are from, and a digest of what each language was asked."""
    data: dict[str, dict[str, Any]] = {}
    for log in logs:
        entry = data.setdefault(log.task.name, {"source": "lmms-eval logs", "logs": {}})
        entry["logs"][log.file.name] = log.stamp
    for name, found in asked.items():
        # Several GPUs log in the order in which they are done.
        data[name]["digests"] = {code: digest(sorted(each))[:16] for code, each in found.items()}
    return data


def _manifest(
    model: str, tasks: list[Task], respondent: dict[str, Any], run_id: str
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "model": model,
        "split": "full",
        "languages": [],
        "seed": 0,
        "tasks": [described(task) for task in tasks],
        "engine": "lmms-eval logs",
        "respondent": respondent,
        "respondent_digest": digest(respondent),
        "towereval": __version__,
        "environment": describe(),
        "started": now(),
    }
