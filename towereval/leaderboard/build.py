"""Folds the results of many runs into one leaderboard.

A line is a task, variant, version, split, metric signature, language and group: what differs in any
of these is not comparable and never shares a line. Of several runs of a model the newest speaks; a
run cut short by --limit does not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towereval.data.media import write_atomically
from towereval.errors import StoreError, UsageError
from towereval.store import SCHEMA, read_manifest
from towereval.types import Result


@dataclass(frozen=True, slots=True)
class Board:
    """`rows` holds, for each line in order, each model's row. `notices` say what was left out."""

    models: tuple[str, ...]
    rows: dict[Result, dict[str, Result]]
    notices: tuple[str, ...]

    def lines(self, group: str = "") -> Iterator[tuple[Result, dict[str, Result]]]:
        """Lines of one group with the cells of the models that have them."""
        return ((line, cells) for line, cells in self.rows.items() if line.group == group)

    def write(self, output: Path) -> None:
        content = {
            "schema": SCHEMA,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "models": list(self.models),
            "results": [
                {"model": model, **asdict(row)}
                for cells in self.rows.values()
                for model, row in cells.items()
            ],
        }
        data = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False).encode()
        try:
            write_atomically(output / "leaderboard.json", data + b"\n")
        except OSError as error:
            raise StoreError(f"{output}/leaderboard.json: cannot be written: {error}") from error


def build(results: Path) -> Board:
    """Raises `UsageError` when there is no run below the folder, `StoreError` for a torn one."""
    notices: list[str] = []
    runs = []
    for file in sorted(results.rglob("results.json")):
        content = _read(file)
        if limit := read_manifest(file.parent)["limit"]:
            notices.append(f"{file.parent} is left out: it was cut to {limit} samples a language")
            continue
        runs.append((content["created"], content))
    if not runs:
        why = f" ({'; '.join(notices)})" if notices else ""
        raise UsageError(f"{results}: no finished run{why}; start with towereval run")
    rows: dict[Result, dict[str, Result]] = {}
    for _, content in sorted(runs, key=lambda run: run[0]):
        for raw in content["results"]:
            row = Result(**{**raw, "languages": tuple(raw["languages"])})
            cells = rows.setdefault(_line(row), {})
            if old := cells.get(content["model"]):
                notices.append(f"{content['model']}: {row.run_id} replaces {old.run_id}")
            cells[content["model"]] = row
    models = sorted({model for cells in rows.values() for model in cells})
    ordered = dict(sorted(rows.items(), key=lambda item: _order(item[0])))
    return Board(tuple(models), ordered, tuple(dict.fromkeys(notices)))


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


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from error
    if content.get("schema") != SCHEMA:
        raise StoreError(f"{file}: schema {content.get('schema')!r}, this towereval reads {SCHEMA}")
    return content
