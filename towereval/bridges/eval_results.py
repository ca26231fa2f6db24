"""A run as the hub's `.eval_results/*.yaml`: what a model's page and a benchmark's board show.

Fields: https://huggingface.co/docs/hub/eval-results. There is no place for a language, a metric or
an interval: each number is a task of its own, and its notes say the rest.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from towereval import plugins
from towereval.bridges.hub_ids import is_hub_id
from towereval.data.media import write_atomically
from towereval.errors import StoreError, UsageError
from towereval.printable import visible
from towereval.results import Run
from towereval.store import storable
from towereval.types import WAYS, Result

_URL = re.compile(r"https?://\S+")


def write_files(
    run: Run, output: Path, datasets: Mapping[str, str], source_url: str = ""
) -> tuple[Path, ...]:
    """One file a task and variant below `output`/.eval_results, where a model's repository has it.

    `datasets` gives a task's data set on the hub where the run does not know it. Raises
    `UsageError` for a run that is not on the whole benchmark or has failures: its numbers are not
    the benchmark's. A mean over some of its languages is called by them.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    for row in _whole(run):
        groups.setdefault((row.task, row.variant), []).append(row)
    for task, repo in datasets.items():
        if not is_hub_id(repo):
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


def _whole(run: Run) -> list[Result]:
    """The rows that have a value. Raises `UsageError` where one is of a part of the benchmark."""
    if limit := run.limit:
        raise UsageError(
            f"{run.folder}: cut to {limit} samples a language, not a benchmark's score"
        )
    scores = [row for row in run.rows if not row.diagnosis]
    for row in scores:
        if row.split != "full":
            raise UsageError(f"{run.folder}: {row.task} is on the bundled samples, not on its data")
        if row.value is not None and row.n_failed:
            raise UsageError(
                f"{run.folder}: {row.n_failed} samples of {row.task} failed ({row.metric},"
                f" {row.language}), not a benchmark's score; the same run again asks them"
            )
    rows = [row for row in scores if row.value is not None]
    if not rows:
        raise UsageError(f"{run.folder}: no row has a value, so there is nothing to export")
    return rows


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
    parts = [row.variant, row.metric, *filter(None, [row.group])]
    return "-".join([*map(_slug, parts), _language(row)])


def _language(row: Result) -> str:
    """`all` is the mean over all of the task's languages, another mean is called by its own."""
    if row.language != "*":
        return _slug(row.language)
    try:
        languages = plugins.load_task(f"{row.task}@{row.variant}").languages
    except UsageError:
        languages = ()  # nobody knows here what all are
    if set(row.languages) == set(languages):
        return "all"
    return f"mean_of_{'_'.join(sorted(row.languages)).replace('-', '_')}"


def _notes(row: Result) -> Iterator[str]:
    yield f"{row.task}@{row.variant} version {row.task_version}"
    yield f"mean over {' '.join(row.languages)}" if row.language == "*" else row.language
    if row.ci_low is not None and row.ci_high is not None:
        yield f"95% interval {_decimal(row.ci_low)} to {_decimal(row.ci_high)}"
    yield f"n {row.n}, failed {row.n_failed}, unscored {row.n_unscored}"
    if row.better != "larger":
        yield WAYS[row.better].removeprefix(", ")
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
