"""Runs of other harnesses' logs whose scores are taken as they were logged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from towereval import __version__
from towereval.as_logged import LoggedTask, packed
from towereval.errors import DataError
from towereval.grading import Scoring
from towereval.plan import described, folder_name
from towereval.progress import Silence
from towereval.provenance import describe
from towereval.run import Outcome, publish
from towereval.store import Store
from towereval.types import Decoding, Prompt, Request, Response, Sample, digest


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model said, or the log-probability of a `continuation`; or why there is neither."""

    text: str = ""
    logprob: float | None = None
    continuation: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """One sample of a log. `scores` has a number, or why there is none, by metric.

    `content` is whatever tells this document from another with the same id: what models were asked
    is compared by it.
    """

    id: str
    language: str
    prompt: Prompt
    references: tuple[str, ...]
    answers: tuple[Answer, ...]
    scores: Mapping[str, float | str]
    content: object
    choices: tuple[str, ...] = ()
    group: str = ""
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class About:
    """What a log says of itself. `started` is ISO 8601 with its offset; `limit` None: it is whole.

    `languages_by` is the rule that gave the languages; `split` is "sample" for our bundled samples.
    `settings` is everything else on the model's side that can change an answer.
    """

    file: Path
    harness: str
    version: str
    model: str
    started: str
    limit: int | None
    languages_by: str
    split: str = "full"
    settings: Mapping[str, Any] = field(default_factory=dict)
    notices: tuple[str, ...] = ()


class TaskLog(Protocol):
    """One task's log; its documents may be read again and again."""

    @property
    def about(self) -> About: ...
    @property
    def task(self) -> LoggedTask: ...

    def documents(self) -> Iterator[Document]:
        """Raises `DataError`."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A run made of logs."""

    outcome: Outcome
    model: str
    notices: tuple[str, ...]


def write_run(logs: Sequence[TaskLog], *, model: str, output: Path) -> Taken:
    """One run of the newest log of each task. Raises `DataError`, `StoreError`.

    `model` "" takes the name from the logs.
    """
    model = _model(logs, model)
    logs, notices = _newest(logs)
    harness = logs[0].about.harness
    respondent = {
        "model": logs[0].about.model or model,
        "engine": " ".join(filter(None, (harness, logs[0].about.version))),
        "logs": {log.about.file.name: _sha256(log.about.file) for log in logs},
        "settings": {log.task.name: dict(log.about.settings) for log in logs},
    }
    folder = output / folder_name(model) / f"{harness}-{digest(respondent)[:10]}"
    manifest = _manifest(model, logs, respondent, folder.name)
    tasks = [log.task for log in logs]
    with Store(folder) as store:
        store.write_manifest({**manifest, "data": {}})
        digests: dict[str, dict[str, list[str]]] = {task.name: {} for task in tasks}
        try:
            store.replace_samples(_samples(logs, manifest["respondent_digest"], digests))
        except RecursionError as error:
            raise DataError(
                f"{logs[0].about.file}: a sample of its run is nested too deep"
            ) from error
        store.write_manifest({**manifest, "data": _data(logs, digests)})
        with closing(store.add_responses(_responses(logs, manifest["respondent_digest"]))) as kept:
            for _ in kept:
                pass
        results, _ = publish(store, tasks, str, Silence(), Scoring())
        failures, lost = tuple(store.failures()), tuple(store.lost_samples())
    notices += [f"{log.task.name}: {told}" for log in logs for told in _told(log.about)]
    return Taken(Outcome(folder, results, 0, failures, lost), model, tuple(notices))


def _newest(logs: Iterable[TaskLog]) -> tuple[list[TaskLog], list[str]]:
    found: dict[str, TaskLog] = {}
    notices = []
    for log in sorted(logs, key=lambda log: (log.about.started, log.about.file.name)):
        if old := found.get(log.task.name):
            old_file, new_file = old.about.file.name, log.about.file.name
            notices.append(f"{log.task.name}: {old_file} is left out, {new_file} is newer")
        found[log.task.name] = log
    return [found[name] for name in sorted(found)], notices


def _model(logs: Sequence[TaskLog], given: str) -> str:
    """Raises `DataError` where the logs name none, or several."""
    named = {log.about.model: log.about.file for log in logs}
    if len(named) > 1:
        told = " and ".join(f"{file} is of {name!r:.200}" for name, file in [*named.items()][:2])
        raise DataError(f"logs of several models: {told}; import them one by one")
    if not (model := given or logs[0].about.model):
        raise DataError(f"{logs[0].about.file} does not say whose answers it has: give --model")
    return model


def _told(about: About) -> Iterator[str]:
    if about.limit is not None:
        yield f"its run was cut to {about.limit} samples; so is this one"
    yield f"languages by {about.languages_by}"
    yield from about.notices


def _samples(
    logs: Sequence[TaskLog], respondent: str, digests: dict[str, dict[str, list[str]]]
) -> Iterator[tuple[str, Sample, list[Request]]]:
    """All samples; puts a digest of each, by task and language, into `digests`."""
    for log in logs:
        name = log.task.name
        for document in log.documents():
            asked = [document.id, document.references, document.choices, document.content]
            digests[name].setdefault(document.language, []).append(digest(asked))
            try:
                meta = packed(document.scores)
            except ValueError as error:
                raise DataError(
                    f"{log.about.file}: sample {document.id!r:.80}: {error}; score it again with"
                    f" {log.about.harness}"
                ) from error
            sample = Sample(
                document.id,
                document.language,
                document.prompt,
                document.references,
                document.choices,
                document.group,
                document.cluster,
                meta,
            )
            yield name, sample, _requests(log, document, respondent)


def _requests(log: TaskLog, document: Document, respondent: str) -> list[Request]:
    """A log does not hold all that was asked, pictures above all: each sample's are its own.

    Nor does it tell how many tokens an answer could have.
    """
    whose = digest([respondent, log.task.name, document.language, document.id])
    return [
        Request(
            document.id,
            document.prompt,
            Decoding(max_tokens=0, seed=number),
            answer.continuation,
            whose,
        )
        for number, answer in enumerate(document.answers)
    ]


def _responses(logs: Sequence[TaskLog], respondent: str) -> Iterator[Response]:
    for log in logs:
        for document in log.documents():
            requests = _requests(log, document, respondent)
            for request, answer in zip(requests, document.answers, strict=True):
                yield Response(request.key, answer.text, answer.logprob, error=answer.error)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _data(
    logs: Sequence[TaskLog], digests: Mapping[str, Mapping[str, list[str]]]
) -> dict[str, dict[str, Any]]:
    return {
        log.task.name: {
            "source": f"{log.about.harness} logs",
            "logs": {log.about.file.name: log.about.started},
            "languages_by": log.about.languages_by,
            # Logs are in the order in which samples were done.
            "digests": {
                code: digest(sorted(each))[:16] for code, each in digests[log.task.name].items()
            },
        }
        for log in logs
    }


def _manifest(
    model: str, logs: Sequence[TaskLog], respondent: dict[str, Any], run_id: str
) -> dict[str, Any]:
    limits = [log.about.limit for log in logs if log.about.limit is not None]
    return {
        "run_id": run_id,
        "model": model,
        # A run of ours on the bundled samples, exported and taken back, stays one.
        "split": "sample" if any(log.about.split == "sample" for log in logs) else "full",
        "languages": [],
        "limit": min(limits, default=None),
        "seed": 0,
        "tasks": [{**described(log.task), "languages": list(log.task.languages)} for log in logs],
        "engine": f"{logs[0].about.harness} logs",
        "respondent": respondent,
        "respondent_digest": digest(respondent),
        "towereval": __version__,
        "environment": describe(),
        "started": max(log.about.started for log in logs),
    }
