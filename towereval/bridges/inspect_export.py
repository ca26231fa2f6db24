"""A run as logs of inspect_ai: one `.eval` a task, for `inspect view` and `read_eval_log`.

Fields: https://inspect.aisi.org.uk/reference/inspect_ai.log.html, log format 2. Pictures are not in
there: a text says which there were. A failed sample has its error and no score; NaN is a score that
a scorer could not give.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towereval.bridges.exported_samples import Exported, Outcome, outcomes, tasks_of
from towereval.bridges.lm_eval_rows import OWN
from towereval.data.media import write_atomically
from towereval.errors import StoreError
from towereval.plan import folder_name
from towereval.results import Run
from towereval.store import Store, storable
from towereval.types import Text, digest

VERSION = 2
_OLDEST = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes


def write_logs(run: Run, output: Path) -> tuple[Path, ...]:
    """One file a task below a folder of the model. Raises `UsageError`, `StoreError`."""
    tasks = tasks_of(run)
    folder = output / folder_name(run.model)
    files = []
    with Store(run.folder, reading=True) as store:
        for task in tasks:
            created = _moment(run, run.created)
            name = re.sub(r"[^\w.+-]+", "-", f"{task.name}-{task.variant}")
            stamp = created.replace(":", "-").replace("+", "-")
            files.append(folder / f"{stamp}_{name}_{_id(run, task, 'task')}.eval")
            _write(files[-1], _archive(run, task, store, created))
    return tuple(files)


def _archive(run: Run, task: Exported, store: Store, created: str) -> bytes:
    started = _moment(run, run.manifest.get("started"))
    stream = io.BytesIO()
    summaries: list[dict[str, Any]] = []
    counts = dict.fromkeys(task.metrics(), 0)
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, one in enumerate(outcomes(store, task), start=1):
            name = _sample_id(one, number, several=len(task.languages) > 1)
            sample = _sample(run, one, name, task)
            _add(archive, f"samples/{name}_epoch_1.json", sample)
            summaries.append(_summary(sample))
            for metric in one.scores:
                counts[metric] += 1
        head = {"version": VERSION, "eval": _spec(run, task, created, summaries)}
        plan = {"name": "plan", "steps": [], "config": {}}
        _add(archive, "_journal/start.json", {**head, "plan": plan})
        _add(archive, "summaries.json", summaries)
        header = {
            **head,
            "status": "success",
            "plan": plan,
            "results": _results(task, summaries, counts),
            "stats": {"started_at": started, "completed_at": created, "model_usage": {}},
        }
        _add(archive, "header.json", header)
    return stream.getvalue()


def _spec(
    run: Run, task: Exported, created: str, summaries: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    signatures = {name: row.signature for name, row in task.metrics().items()}
    about = {
        "language_column": "language",
        "languages": {code: code for code in task.languages},
        "task": task.name,
        "variant": task.variant,
        "run_id": run.run_id,
        "split": task.rows[0].split,
        "signatures": signatures,
    }
    return {
        "eval_id": _id(run, task, "eval"),
        "run_id": _id(run, task, "run"),
        "created": created,
        "task": f"{task.name}@{task.variant}",
        "task_id": _id(run, task, "task"),
        "task_version": task.rows[0].task_version,
        "task_args": {},
        "dataset": {
            "name": task.name,
            "samples": len(summaries),
            "sample_ids": [each["id"] for each in summaries],
            "shuffled": False,
        },
        "model": run.model,
        "model_args": {},
        "config": {"epochs": 1, **({"limit": len(summaries)} if run.limit else {})},
        "packages": {"towereval": str(run.manifest.get("towereval", ""))},
        "metadata": {"towereval": about},
        "scorers": [
            {"name": name, "options": {"signature": signature}, "metrics": [{"name": "mean"}]}
            for name, signature in signatures.items()
        ],
    }


def _sample(run: Run, one: Outcome, name: str, task: Exported) -> dict[str, Any]:
    answer = "\n".join(one.answers)
    said = {"role": "assistant", "content": answer, "source": "generate", "model": run.model}
    messages = [
        {"role": message.role, "content": _content(message.parts)} for message in one.sample.prompt
    ]
    found: dict[str, Any] = {
        "id": name,
        "epoch": 1,
        "input": messages,
        "target": list(one.sample.references),
        "messages": messages if one.error else [*messages, said],
        "output": {"model": run.model, "choices": [], "completion": ""},
        "scores": {} if one.error else _scores(one, task, answer),
        "metadata": {
            "language": one.sample.language,
            "task": task.name,
            "variant": task.variant,
            OWN: one.own,
        },
    }
    if one.sample.choices:
        found["choices"] = list(one.sample.choices)
    if one.error:
        found["error"] = {"message": one.error, "traceback": "", "traceback_ansi": ""}
    else:
        choice = {"message": said, "stop_reason": "stop"}
        found["output"] = {"model": run.model, "choices": [choice], "completion": answer}
    return found


def _content(parts: Sequence[object]) -> str:
    """A picture by the beginning of its SHA-256."""
    return "\n".join(
        part.text
        if isinstance(part, Text)
        else f"[{type(part).__name__.lower()} {getattr(part, 'sha256', '')[:16]}]"
        for part in parts
    )


def _scores(one: Outcome, task: Exported, answer: str) -> dict[str, Any]:
    scored = {name: {"value": value, "answer": answer} for name, value in one.scores.items()}
    reasons = {
        name: {"value": float("nan"), "answer": answer, "explanation": why, "reason": why}
        for name, why in one.unscored.items()
        if name in task.means
    }
    return {**scored, **reasons}


def _summary(sample: Mapping[str, Any]) -> dict[str, Any]:
    kept = ("id", "epoch", "input", "target", "choices", "metadata", "scores")
    found = {name: sample[name] for name in kept if name in sample}
    if "error" in sample:
        found["error"] = sample["error"]["message"]
    return {**found, "completed": True, "message_count": len(sample["messages"])}


def _results(
    task: Exported, summaries: Sequence[Mapping[str, Any]], counts: Mapping[str, int]
) -> dict[str, Any]:
    """Numbers by language, and over them, as they were published; `mean` is over all samples."""
    scores = []
    for name, row in task.metrics().items():
        numbers = {code: task.value(name, code) for code in task.languages}
        numbers["macro_mean"] = task.value(name, "*")
        values = [each["scores"][name]["value"] for each in summaries if name in each["scores"]]
        scored = [value for value in values if value == value]
        if scored:
            numbers = {"mean": sum(scored) / len(scored), **numbers}
        metrics = {
            key: {"name": key, "value": value}
            for key, value in numbers.items()
            if value is not None
        }
        about = {"signature": row.signature, "better": row.better}
        entry = {"name": name, "scorer": name, "params": about, "metrics": metrics}
        scores.append({**entry, "scored_samples": counts[name]})
    completed = sum("error" not in each for each in summaries)
    return {"total_samples": len(summaries), "completed_samples": completed, "scores": scores}


def _sample_id(one: Outcome, number: int, *, several: bool) -> str:
    """An id that is a file's name; ids repeat in other languages."""
    name = f"{one.sample.language}-{one.sample.id}" if several else one.sample.id
    return name if re.fullmatch(r"[\w@+=-][\w.@+=-]{0,99}", name) else f"sample-{number}"


def _id(run: Run, task: Exported, what: str) -> str:
    return digest([what, run.run_id, run.model, task.name, task.variant])[:22]


def _moment(run: Run, text: object) -> str:
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise StoreError(f"{run.folder}: {text!r:.60} is no date: {error}") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).isoformat(timespec="seconds")


def _add(archive: zipfile.ZipFile, name: str, content: object) -> None:
    info = zipfile.ZipInfo(name, _OLDEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, storable(json.dumps(content, ensure_ascii=False)).encode())


def _write(file: Path, data: bytes) -> None:
    try:
        write_atomically(file, data)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error
