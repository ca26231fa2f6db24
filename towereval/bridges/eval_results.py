"""A run as the hub's `.eval_results/*.yaml`: what a model's page and a benchmark's board show.

Fields: https://huggingface.co/docs/hub/eval-results. There is no place for a language, a metric or
an interval: each number is a task of its own, and its notes say the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from towereval.data.media import write_atomically
from towereval.errors import StoreError, UsageError
from towereval.printable import visible
from towereval.results import Run
from towereval.store import storable
from towereval.types import Result

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)
_URL = re.compile(r"https?://\S+")


def write_files(
    run: Run, output: Path, datasets: Mapping[str, str], source_url: str = ""
) -> tuple[Path, ...]:
    """One file a task and variant below `output`/.eval_results, where a model's repository has it.

    `datasets` gives a task's data set on the hub where the run does not know it. Raises
    `UsageError` for a run that is not on the whole benchmark: its numbers are not the benchmark's.
    """
    if limit := run.limit:
        raise UsageError(
            f"{run.folder}: cut to {limit} samples a language, not a benchmark's score"
        )
    groups: dict[tuple[str, str], list[Result]] = {}
    for row in run.rows:
        if row.split != "full":
            raise UsageError(f"{run.folder}: {row.task} is on the bundled samples, not on its data")
        if row.value is not None:
            groups.setdefault((row.task, row.variant), []).append(row)
    if not groups:
        raise UsageError(f"{run.folder}: no row has a value, so there is nothing to export")
    for task, repo in datasets.items():
        if not _HUB_ID.fullmatch(repo):
            raise UsageError(f"--dataset {task}={repo!r:.100}: wanted ORG/NAME")
    if source_url and not _URL.fullmatch(source_url):
        raise UsageError(f"--source-url {source_url!r:.100}: wanted http:// or https://")
    if unknown := set(datasets) - {task for task, _ in groups}:
        raise UsageError(f"--dataset {min(unknown)}=...: the run has no such task")
    content = {
        output / ".eval_results" / _file_name(task, variant): "".join(
            _entry(run, row, *_dataset(run, task, datasets), source_url) for row in rows
        )
        for (task, variant), rows in groups.items()
    }
    for file, text in content.items():
        try:
            write_atomically(file, text.encode())
        except OSError as error:
            raise StoreError(f"{file}: cannot be written: {error}") from error
    return tuple(content)


def _dataset(run: Run, task: str, given: Mapping[str, str]) -> tuple[str, str]:
    """The data set's hub id and commit, "" where it is given by hand."""
    if task in given:
        return given[task], ""
    data = run.manifest.get("data")
    entry = data.get(task) if isinstance(data, Mapping) else None
    commits = entry.get("commits") if isinstance(entry, Mapping) else None
    if not isinstance(commits, Mapping) or not commits:
        raise UsageError(
            f"{run.folder} does not say which data set of the hub {task} is:"
            f" give --dataset {task}=ORG/NAME"
        )
    repo, commit = next(iter(commits.items()))
    return str(repo), str(commit)


def _entry(run: Run, row: Result, dataset: str, revision: str, source_url: str) -> str:
    lines = ["- dataset:", f"    id: {_quoted(dataset)}", f"    task_id: {_quoted(_task_id(row))}"]
    if revision:
        lines.append(f"    revision: {_quoted(revision)}")
    lines += [f"  value: {_decimal(row.value or 0.0)}", f"  date: {_quoted(run.created)}"]
    if source_url:
        lines += ["  source:", f"    url: {_quoted(source_url)}", '    name: "towereval"']
    lines.append(f"  notes: {_quoted('; '.join(_notes(row)))}")
    return "\n".join(lines) + "\n"


def _task_id(row: Result) -> str:
    """What the benchmark's eval.yaml has to call this number."""
    language = "all" if row.language == "*" else row.language
    parts = [row.variant, row.metric, *filter(None, [row.group]), language]
    return "-".join(_slug(part) for part in parts)


def _notes(row: Result) -> Iterator[str]:
    yield f"{row.task}@{row.variant} version {row.task_version}"
    yield f"mean over {' '.join(row.languages)}" if row.language == "*" else row.language
    if row.ci_low is not None and row.ci_high is not None:
        yield f"95% interval {_decimal(row.ci_low)} to {_decimal(row.ci_high)}"
    yield f"n {row.n}, failed {row.n_failed}, unscored {row.n_unscored}"
    yield row.signature


def _file_name(task: str, variant: str) -> str:
    return f"{_slug(task)}_{_slug(variant)}.yaml"


def _slug(text: str) -> str:
    return re.sub(r"[^\w.]+", "_", text)[:100].strip("_.") or "other"


def _quoted(text: str) -> str:
    """A double-quoted scalar, in which YAML and JSON agree once nothing invisible is left."""
    return json.dumps(storable(visible(text)), ensure_ascii=False)


def _decimal(value: float) -> str:
    # YAML 1.1 takes 1e-05 for a text.
    text = f"{value:.12f}".rstrip("0")
    return f"{text}0" if text.endswith(".") else text
