"""Folds the results of many runs into one board: what may share a line, and which run speaks.

A line is a task, variant, version, split, metric signature, language, group and state of the data:
what differs in any of these is not comparable and never shares a line. Of several runs of a model
the one that was asked last speaks, whenever it was scored; a run cut short by --limit does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from towereval.errors import StoreError, UsageError
from towereval.languages import select
from towereval.results import Run, read_run
from towereval.types import Result

Key: TypeAlias = tuple[object, ...]
FIDELITY = "language_fidelity"
# How a run came by its answers; what is not in it asked its model itself.
ORIGINS = {
    "replay": "replayed",
    **dict.fromkeys(("inspect logs", "lm-eval logs", "lmms-eval logs"), "imported"),
}


@dataclass(frozen=True, slots=True)
class Board:
    """`rows` holds, for each line in order, each model's row. `notices` say what was left out.

    `runs` are the runs that rows come from, by model and run id.
    """

    models: tuple[str, ...]
    rows: Mapping[Result, Mapping[str, Result]]
    notices: tuple[str, ...]
    runs: Mapping[tuple[str, str], Run]

    def lines(self, group: str = "") -> Iterator[tuple[Result, Mapping[str, Result]]]:
        """Lines of one group with the cells of the models that have them."""
        return ((line, cells) for line, cells in self.rows.items() if line.group == group)


def build(results: Path) -> Board:
    """Raises `UsageError` when there is no run below the folder, `StoreError` for a torn one."""
    notices: list[str] = []
    runs = []
    for file in sorted(results.rglob("results.json")):
        run = read_run(file.parent)
        if run.unasked:
            notices.append(f"{file.parent} is left out: {run.unasked} requests were not asked yet")
            continue
        if limit := run.manifest.get("limit"):
            notices.append(f"{file.parent} is left out: it was cut to {limit} samples a language")
            continue
        scored = scores(run)
        if run.rows and not scored.rows:
            notices.append(f"{file.parent} is left out: a diagnosis ranks nobody")
            continue
        runs.append(scored)
    if not runs:
        why = f" ({'; '.join(notices)})" if notices else ""
        raise UsageError(f"{results}: no finished run{why}; start with towereval run")
    return fold(runs, notices)


def scores(run: Run) -> Run:
    """The run without its diagnoses, such as picture use, which are no benchmarks' scores."""
    return replace(run, rows=tuple(row for row in run.rows if not row.diagnosis))


def fold(runs: list[Run], notices: list[str]) -> Board:
    """The board of runs; `notices` is added to."""
    lines: dict[Key, Result] = {}
    rows: dict[Key, dict[str, Result]] = {}
    for run in sorted(runs, key=lambda run: (started(run), run.created, run.run_id)):
        for row in run.rows:
            key = _key(row)
            lines[key] = _line(row)
            cells = rows.setdefault(key, {})
            old = cells.get(run.model)
            if old is None:
                cells[run.model] = row
            elif row.value is None and old.value is not None:
                notices.append(
                    f"{run.model}: {row.run_id} has no {row.metric} of {row.task} ({row.note}):"
                    f" {old.run_id}'s is kept"
                )
            else:
                notices.append(f"{run.model}: {row.run_id} replaces {old.run_id}")
                cells[run.model] = row
        notices += _unidentified(run)
    ordered = {lines[key]: rows[key] for key in sorted(rows, key=lambda key: _order(lines[key]))}
    models = sorted({run.model for run in runs})
    found = {(run.model, run.run_id): run for run in runs}
    return Board(tuple(models), ordered, tuple(dict.fromkeys(notices)), found)


def _unidentified(run: Run) -> Iterator[str]:
    """Whose language was never looked at, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for one in run.spoken:
        if one.fidelity is None and not one.undecided:
            found.setdefault((one.task, one.reason), []).append(one.language)
    for (task, reason), codes in found.items():
        yield f"{run.model}: no language fidelity of {task} in {', '.join(codes)}: {reason}"


def only(board: Board, wanted: Sequence[str]) -> Board:
    """The board in the languages of those codes and groups, with the means over no other.

    Raises `UnknownName` for what no line is in.
    """
    offered = sorted({line.language for line in board.rows} - {"*"})
    chosen = set(select(wanted, offered))
    rows = {
        line: cells
        for line, cells in board.rows.items()
        if chosen.issuperset(line.languages or (line.language,))
    }
    return replace(board, rows=rows)


def origin(run: Run) -> str:
    """`measured`, or `replayed` or `imported`: answers that were not asked for in this run."""
    return ORIGINS.get(str(run.manifest.get("engine", "")), "measured")


def started(run: Run) -> datetime:
    """When the run's model was last asked. Raises `StoreError`."""
    try:
        moment = datetime.fromisoformat(run.manifest["started"])
        if moment.tzinfo is None:
            raise ValueError("it has no offset from UTC")
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise StoreError(
            f"{run.folder}/manifest.json: no time at which it was started ({reason})"
        ) from error
    return moment


def _key(row: Result) -> Key:
    protocol = (row.task, row.variant, row.task_version, row.split, row.metric, row.signature)
    return (*protocol, row.language, row.languages, row.group, row.data)


def _line(row: Result) -> Result:
    """The row without what was measured."""
    return replace(
        row,
        value=None,
        ci_low=None,
        ci_high=None,
        n=0,
        n_failed=0,
        n_unscored=0,
        run_id="",
        note="",
    )


def _order(line: Result) -> tuple[object, ...]:
    last = line.language == "*"
    protocol = (line.task, line.variant, line.split, line.metric, line.group)
    languages = (last, line.language, line.languages)
    return (*protocol, line.task_version, line.signature, *languages, line.data)
