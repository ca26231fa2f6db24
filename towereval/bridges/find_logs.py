"""Which harness wrote what lies at a path, and its logs as they are read here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from towereval.bridges import inspect_logs, lm_eval_logs
from towereval.bridges.logged_runs import TaskLog
from towereval.errors import DataError

WANTED = (
    "wanted samples_TASK_TIME.jsonl with results_TIME.json (lm_eval --log_samples),"
    " TIME_samples_TASK.jsonl with TIME_results.json (lmms-eval), or inspect's .eval or .json"
)


def find_files(path: Path) -> tuple[str, list[Path]]:
    """The harness and its log files, sorted. Raises `DataError` for none and for several."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    found: dict[str, list[Path]] = {}
    for file in files:
        if harness := _harness(file):
            found.setdefault(harness, []).append(file)
    if len(found) > 1:
        told = " and ".join(f"{files[0]} is {harness}'s" for harness, files in found.items())
        raise DataError(f"{path} holds logs of several harnesses: {told}; name a folder of one")
    if not found:
        raise DataError(f"{path}: no log of a harness; {WANTED}")
    return next(iter(found.items()))


def open_logs(harness: str, files: Sequence[Path], languages: Mapping[str, str]) -> list[TaskLog]:
    """`languages`: codes by task, "" for all. Raises `DataError`, `UsageError`."""
    return [*_opened(harness, files, languages)]


def _opened(harness: str, files: Sequence[Path], languages: Mapping[str, str]) -> Iterator[TaskLog]:
    open_log = inspect_logs.open_log if harness == inspect_logs.HARNESS else lm_eval_logs.open_log
    for file in files:
        try:
            yield open_log(file, languages)
        except RecursionError as error:
            raise DataError(f"{file}: a sample is nested too deep: log it again") from error


def _harness(file: Path) -> str:
    if file.suffix == ".eval":
        return inspect_logs.HARNESS
    if file.suffix == ".jsonl":
        return lm_eval_logs.harness_of(file)
    # A run's own files and results of the others are JSON as well.
    if file.suffix == ".json" and _begins_as_inspects(file):
        return inspect_logs.HARNESS
    return ""


def _begins_as_inspects(file: Path) -> bool:
    try:
        with file.open("rb") as stream:
            head = stream.read(4096)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    return head.lstrip().startswith(b"{") and b'"eval"' in head and b'"status"' in head
