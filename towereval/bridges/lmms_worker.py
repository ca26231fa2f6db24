"""lmms-eval's tasks, served from the environment that `towereval setup lmms-eval` makes.

Run by path under that environment's interpreter and with -I: it imports nothing of towereval, and
the lmms_eval.py beside it does not stand in for their package. One line of JSON a question, one a
reply, the end of the input ends it; {"error": text} says what went wrong. Questions name a task and
the folders to look for it in besides lmms-eval's own:

    {"ask": "describe", "task", "include"}          what their YAML says, without reading data
    {"ask": "members", "task", "include"}           the names of a group's or tag's tasks
    {"ask": "documents", ..., "first", "count", "media", "data"}   messages and decoding, in order
    {"ask": "score", ..., "data", "answers": {language: [[document, text], ...]}}
        by metric and language: a number or a reason for each answer, and their aggregate

Documents, messages, filters, scores and aggregates are made by their code, as their evaluator calls
it. `data` is a folder that stands in for the hub's data set, "" for none; `files`, beside it, a
digest of the task's files, without which a task that was edited would be served as it was.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TextIO

sys.path.append(str(Path(__file__).parent))  # behind their packages
from lmms_aggregates import aggregate  # type: ignore[import-not-found]
from lmms_decoding import decoding_of  # type: ignore[import-not-found]
from lmms_media import MediaCache, NotShown, Opened, shown  # type: ignore[import-not-found]
from lmms_yaml import Refused, files_of, find, members, metadata_of, read  # type: ignore[import-not-found]

# What their command strips from an answer before it is scored where a task says nothing else.
REASONING = [["<think>", "</think>"], ["<analysis>", "</analysis>"]]
# Their broken ones: a log-likelihood reaches the task as text, character by character.
BROKEN = ("loglikelihood", "multiple_choice")


class Served:
    """The tasks of one process, each with the data that it was asked for with."""

    def __init__(self) -> None:
        importlib.import_module("lmms_eval.tasks")  # else their metrics are not registered
        self._tasks: dict[tuple[Any, ...], tuple[Any, Path]] = {}
        self._opened = Opened()
        self._scored: tuple[str, dict[str, Any]] = ("", {})

    def describe(self, question: Mapping[str, Any]) -> dict[str, Any]:
        name, yaml = question["task"], find(question["task"], question["include"])
        config = read(yaml, "full")
        kind = config.get("output_type", "generate_until")
        _check_kind(name, kind, config)
        bare = _without_data(config)
        mean = importlib.import_module("lmms_eval.api.registry").get_aggregation("mean")
        metadata = metadata_of(config.get("metadata"))
        return {
            "version": importlib.import_module("importlib.metadata").version("lmms-eval"),
            "files": [str(file) for file in files_of(yaml)],
            "task_version": str(metadata.get("version", "")),
            "towereval": metadata.get("towereval", {}),
            "filters": [each["name"] for each in config.get("filter_list") or ()] or ["none"],
            "metrics": [
                {
                    "name": metric,
                    "mean": function is mean,
                    "higher": bool(bare.higher_is_better()[metric]),
                }
                for metric, function in bare.aggregation().items()
                if function.__name__ != "bypass_agg"
            ],
        }

    def members(self, question: Mapping[str, Any]) -> dict[str, Any]:
        return {"tasks": members(question["task"], question["include"])}

    def documents(self, question: Mapping[str, Any]) -> dict[str, Any]:
        task, yaml = self._task(question)
        media = MediaCache(Path(question["media"]), self._opened)
        documents, decoding = task.eval_docs, _decoding(task, yaml)
        last = min(question["first"] + question["count"], len(documents))
        found = []
        for number in range(question["first"], last):
            with self._opened.watched():
                document = documents[number]
                messages = [shown(each, media) for each in task.doc_to_messages(document)]
            found.append({"id": number, "messages": messages, **_about(task, document)})
        return {"documents": found, "of": len(documents), "decoding": decoding}

    def score(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """One task's metrics are asked for one after the other, about the same answers."""
        asked = json.dumps(question)
        if self._scored[0] != asked:
            self._scored = (asked, self._score(question))
        return self._scored[1]

    def _score(self, question: Mapping[str, Any]) -> dict[str, Any]:
        task, _ = self._task(question)
        items: dict[str, dict[str, list[Any]]] = {}
        reasons: dict[str, list[str]] = {}
        for language, answers in question["answers"].items():
            reasons[language] = []
            for document, text in answers:
                try:
                    results = _results(task, document, text)
                    reasons[language].append("")
                except Exception as error:  # noqa: BLE001 a task's code may raise anything
                    results = {}
                    reasons[language].append(f"{type(error).__name__}: {error}"[:300])
                for metric, value in results.items():
                    items.setdefault(metric, {}).setdefault(language, []).append(
                        (len(reasons[language]) - 1, value)
                    )
        metrics = {
            metric: {
                language: aggregate(task, metric, pairs, len(reasons[language]))
                for language, pairs in by_language.items()
            }
            for metric, by_language in items.items()
        }
        return {"metrics": metrics, "reasons": reasons}

    def _task(self, question: Mapping[str, Any]) -> tuple[Any, Path]:
        """With its data, downloaded or read from the folder that stands in for them; its YAML."""
        name, data = question["task"], question["data"]
        key = (name, *question["include"], data, question.get("files", ""))
        if key not in self._tasks:
            yaml = find(name, question["include"])
            config = read(yaml, "full")
            if data:
                config |= _local(Path(data), config)
            kind = importlib.import_module("lmms_eval.api.task").ConfigurableMessagesTask
            task = kind(config=config, model_name="towereval")
            if task.config.auto_strip_thinking and _reasoning_tags(task) is None:
                thinking = importlib.import_module("lmms_eval.filters.transformation")
                for ensemble in task._filters:
                    ensemble.filters.insert(0, thinking.StripThinkingFilter())
            self._tasks[key] = (task, yaml)
        return self._tasks[key]


def _without_data(config: Mapping[str, Any]) -> Any:
    """A task as far as it goes without downloading: its metrics and how they are aggregated."""
    module = importlib.import_module("lmms_eval.api.task")
    bare = object.__new__(module.ConfigurableMessagesTask)
    bare._config = module.TaskConfig(**config)
    bare._prepare_metric_and_aggregation()
    return bare


def _check_kind(name: str, kind: str, config: Mapping[str, Any]) -> None:
    if kind in BROKEN:
        raise Refused(
            f"{name} is a {kind} task: in lmms-eval 0.7 such tasks are scored wrongly or crash,"
            " because a log-likelihood reaches them as text"
        )
    if kind != "generate_until":
        raise Refused(f"{name} is a {kind} task: one question and one answer can be served")
    if config.get("repeats", 1) != 1:
        raise Refused(f"{name} asks each question {config['repeats']} times: that is not served")


def _local(folder: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    """What reads the split from `<split>.parquet` or `<split>.jsonl` of a folder."""
    split = config.get("test_split") or config.get("validation_split")
    for suffix, builder in (("parquet", "parquet"), ("jsonl", "json")):
        files = sorted(map(str, folder.glob(f"{split}*.{suffix}")))
        if files:
            kwargs = {"data_files": {split: files}}
            return {"dataset_path": builder, "dataset_name": None, "dataset_kwargs": kwargs}
    raise Refused(f"{folder}: no {split}.parquet and no {split}.jsonl")


def _decoding(task: Any, yaml: Path) -> dict[str, Any]:
    """With `until` as the task's author wrote it, not as their loader completes it."""
    name, given = task.config.task, task.config.generation_kwargs or {}
    written = read(yaml, "simple").get("generation_kwargs") or {}
    try:
        found: dict[str, Any] = decoding_of({**given, "until": written.get("until")})
    except ValueError as error:
        raise Refused(f"{name} {error}") from error
    return found


def _about(task: Any, document: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept beside a sample: its references, and the columns that are short texts."""
    try:
        target = task.doc_to_target(document)
    except Exception:  # noqa: BLE001 their evaluator tells of it when it scores; it is not shown
        target = []
    targets = target if isinstance(target, list | tuple) else [target]
    columns = {k: v for k, v in document.items() if isinstance(v, str) and len(v) <= 200}
    return {"references": [str(each) for each in targets], "columns": columns}


def _results(task: Any, number: int, text: str) -> dict[str, Any]:
    """As their evaluator: filters, reasoning stripped, then the task's own scoring.

    Without the retries around it: what fails would fail five times, two seconds apart.
    """
    strip = importlib.import_module("lmms_eval.api.reasoning").strip_reasoning_tags
    document = task.eval_docs_no_media[number]
    metadata = {"task": task.config.task, "doc_id": number, "repeats": 1, "split": ""}
    instance = importlib.import_module("lmms_eval.api.instance").Instance(
        request_type="generate_until", arguments=("",), idx=0, metadata=metadata, resps=[text]
    )
    tags = _reasoning_tags(task)
    found: dict[str, Any] = {}
    score = type(task).process_results.__wrapped__
    for ensemble in task._filters:
        ensemble.apply([instance], [document])
        answer = instance.filtered_resps[ensemble.name]
        if tags is not None and isinstance(answer, str):
            answer = strip(answer, tags)
        elif tags is not None and isinstance(answer, list):
            answer = [strip(each, tags) if isinstance(each, str) else each for each in answer]
        suffix = "" if ensemble.name == "none" else f".{ensemble.name}"
        results = score(task, document, [answer])
        found |= {f"{metric}{suffix}": value for metric, value in results.items()}
    return found


def _reasoning_tags(task: Any) -> list[list[str]] | None:
    parse = importlib.import_module("lmms_eval.api.reasoning").parse_reasoning_tags_config
    own = task.config.reasoning_tags
    found: list[list[str]] | None = parse(task_value=REASONING if own is None else own)
    return found


def _reply(served: Served, line: str) -> dict[str, Any]:
    question = json.loads(line)
    answer: Callable[[Any], dict[str, Any]] = getattr(served, question["ask"])
    try:
        return answer(question)
    except (Refused, NotShown) as reason:
        return {"error": str(reason)}
    except Exception as error:  # noqa: BLE001 whatever their code raises, our parent reports it
        cause = getattr(getattr(error, "last_attempt", None), "exception", lambda: None)() or error
        return {"error": f"{type(cause).__name__}: {cause}"[:1000], "theirs": True}


def main() -> None:
    # What was stdout is ours; what libraries print goes to stderr from now on.
    out: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    importlib.import_module("loguru").logger.remove()
    served = Served()
    for line in sys.stdin:
        print(json.dumps(_reply(served, line)), file=out, flush=True)


if __name__ == "__main__":
    main()
