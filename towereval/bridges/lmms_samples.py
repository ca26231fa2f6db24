"""A run as lmms-eval's sample logs, which its `--baseline` and its page of logs read.

    <model>/<time>_results.json
    <model>/<time>_samples_<task>-<variant>-<language>.jsonl

lmms-eval has no languages: each is a task of its own, as in its own YAMLs, and the mean over them a
group. Pictures are not in there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towereval.bridges.exported_samples import Exported, Outcome, outcomes, tasks_of
from towereval.bridges.lm_eval_rows import FAILED, OWN
from towereval.data.media import write_atomically
from towereval.errors import StoreError
from towereval.plan import folder_name
from towereval.results import Run
from towereval.store import Store, storable
from towereval.types import Better, digest

_HIGHER: Mapping[Better, bool | None] = {"larger": True, "smaller": False, "neither": None}


def write_logs(run: Run, output: Path) -> tuple[Path, ...]:
    """The same run gives the same files. Raises `UsageError`, `StoreError`."""
    tasks = tasks_of(run)
    folder = output / folder_name(run.model)
    stamp = _stamp(run)
    counts: dict[str, int] = {}
    files = []
    with Store(run.folder, reading=True) as store:
        for task in tasks:
            for language in task.languages:
                name = _name(task, language)
                rows = [*_rows(store, task, language)]
                counts[name] = len(rows)
                files.append(folder / f"{stamp}_samples_{name}.jsonl")
                _write(files[-1], "".join(rows))
    results = json.dumps(_results(run, tasks, counts, stamp), ensure_ascii=False, indent=2)
    _write(folder / f"{stamp}_results.json", f"{results}\n")
    return (folder / f"{stamp}_results.json", *files)


def _rows(store: Store, task: Exported, language: str) -> Iterator[str]:
    """Numbered as in the data set where our ids are its numbers, as in a file for lmms-eval."""
    found = [*outcomes(store, task, language)]
    ids = [one.sample.id for one in found]
    numbered = all(re.fullmatch(r"0|[1-9]\d{0,14}", name) for name in ids)
    first = next(iter(task.means), "")
    for place, one in enumerate(found):
        row = _row(one, int(one.sample.id) if numbered else place, first)
        yield json.dumps(row, ensure_ascii=False) + "\n"


def _row(one: Outcome, number: int, first: str) -> dict[str, Any]:
    """`score`, of the first metric, is what `--baseline` reads.

    Where there is none it would compare the answer with `target`, and call a failed sample wrong:
    so there is no target there either.
    """
    scored = first in one.scores
    texts = [f"{FAILED}] {one.error}"] if one.error else list(one.answers)
    return {
        "doc_id": number,
        **({"score": one.scores[first]} if scored else {}),
        "input": one.prompt,
        "target": next(iter(one.sample.references), "") if scored else "",
        "references": list(one.sample.references),
        "filtered_resps": texts,
        "doc_hash": digest([one.sample.id, one.prompt, one.media, one.sample.references]),
        "language": one.sample.language,
        OWN: one.own,
        **one.scores,
        **({"unscored": dict(one.unscored)} if one.unscored else {}),
    }


def _results(
    run: Run, tasks: list[Exported], counts: Mapping[str, int], stamp: str
) -> dict[str, Any]:
    named = [(_name(task, code), task, code) for task in tasks for code in task.languages]
    return {
        "results": {
            name: {"alias": name, **_values(task, language)} for name, task, language in named
        },
        "groups": {
            _name(task): {"alias": _name(task), **_values(task, "*")}
            for task in tasks
            if len(task.languages) > 1
        },
        "group_subtasks": {
            _name(task): [_name(task, code) for code in task.languages] for task in tasks
        },
        "configs": {name: _config(run, task, code) for name, task, code in named},
        "versions": {name: task.rows[0].task_version for name, task, _ in named},
        "n-shot": {name: 0 for name, *_ in named},
        "higher_is_better": {
            name: {key: _HIGHER[row.better] for key, row in task.metrics().items()}
            for name, task, _ in named
        },
        "n-samples": {
            name: {"original": count, "effective": count} for name, count in counts.items()
        },
        "config": {"model": "towereval", "model_args": "", "limit": run.limit},
        "date": stamp,
        "model_source": "towereval",
        "model_name": run.model,
    }


def _values(task: Exported, language: str) -> dict[str, float]:
    found = {f"{name},none": task.value(name, language) for name in task.metrics()}
    return {name: value for name, value in found.items() if value is not None}


def _config(run: Run, task: Exported, language: str) -> dict[str, Any]:
    signatures = {name: row.signature for name, row in task.metrics().items()}
    about = {
        "language": language,
        "task": task.name,
        "variant": task.variant,
        "run_id": run.run_id,
        "split": task.rows[0].split,
        "signatures": signatures,
    }
    return {
        "task": _name(task, language),
        "num_fewshot": 0,
        "output_type": "generate_until",
        # What tells one protocol from another when it is read again.
        "metric_list": sorted(signatures.items()),
        "metadata": [{"version": task.rows[0].task_version, "towereval": about}],
    }


def _name(task: Exported, language: str = "") -> str:
    parts = [task.name, task.variant, language]
    return "-".join(re.sub(r"[^\w.+-]+", "-", part) for part in parts if part)


def _stamp(run: Run) -> str:
    try:
        moment = datetime.fromisoformat(run.created)
    except ValueError as error:
        raise StoreError(
            f"{run.folder}/results.json: created {run.created!r:.60}: {error}"
        ) from error
    return (moment if moment.tzinfo is None else moment.astimezone(UTC)).strftime("%Y%m%d_%H%M%S")


def _write(file: Path, text: str) -> None:
    try:
        write_atomically(file, storable(text).encode())
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error
