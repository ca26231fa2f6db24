"""A finished run as it is read back: what was asked and the rows that came of it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_args

from towereval.errors import StoreError
from towereval.manifest import SCHEMA, read_manifest
from towereval.spoken import Spoken, read
from towereval.types import Better, Result, digest

# As BCP-47 writes it; the star is the mean over all.
LANGUAGE_CODE = r"\*|[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*"
_TEXTS = ("task", "variant", "split", "language", "metric", "signature", "run_id")
_OTHER_TEXTS = ("group", "note", "data")
_COUNTS = ("task_version", "n", "n_failed", "n_unscored")
_MOST = 2**53  # what arrays and other programs' numbers hold
_LARGEST = 1e9  # no score is near it
_WAYS = ", ".join(get_args(Better))
_NUMBERS = ("value", "ci_low", "ci_high")
_KNOWN = frozenset(field.name for field in fields(Result))
_NEEDED = frozenset(field.name for field in fields(Result) if field.default is MISSING)


@dataclass(frozen=True, slots=True)
class Run:
    """`created` is when the rows were written, ISO 8601 with its offset.

    `unasked` requests had not been asked by then: the run was broken off. `spoken`: in which
    languages its free texts are.
    """

    folder: Path
    model: str
    run_id: str
    created: str
    manifest: Mapping[str, Any]
    rows: tuple[Result, ...]
    unasked: int = 0
    spoken: tuple[Spoken, ...] = ()

    @property
    def checkpoint(self) -> str:
        """The checkpoint's hub id or folder; a built or logged model's name."""
        respondent = self.manifest.get("respondent")
        name = respondent.get("model") if isinstance(respondent, Mapping) else None
        return name if isinstance(name, str) else ""

    @property
    def limit(self) -> int | None:
        """How many samples a language the run was cut to; None for all. Raises `StoreError`."""
        limit = self.manifest.get("limit")
        if limit is not None and type(limit) is not int:
            raise StoreError(f"{self.folder}/manifest.json: limit is {limit!r:.60}, no count")
        return limit


def read_run(folder: Path) -> Run:
    """Raises `StoreError` for what is no run, is not finished, or that no scoring has written."""
    manifest = read_manifest(folder)
    file = folder / "results.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{folder} has no results.json: finish it with towereval run") from error
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise StoreError(f"{file}: schema {found!r}, this towereval reads {SCHEMA}")
    rows = content.get("results")
    if not isinstance(rows, list):
        raise StoreError(f"{file}: results must be a list of rows")
    # Whoever means to forge a number can reckon this again; a slip of the hand cannot.
    if content.get("digest", own := digest(rows)) != own:
        raise StoreError(
            f"{file}: its rows are not those that were written: score it again with towereval"
            f" score {folder}"
        )
    run = Run(
        folder,
        _text(file, content, "model"),
        _text(file, content, "run_id"),
        _text(file, content, "created"),
        manifest,
        tuple(_row(f"{file}, row {index}", raw) for index, raw in enumerate(rows, start=1)),
        unasked=_unasked(file, content),
        spoken=_spoken(file, content),
    )
    _check(file, run)
    return run


def _check(file: Path, run: Run) -> None:
    """Whether the rows can have come from the run. Raises `StoreError`."""
    for name, value in (("model", run.model), ("run_id", run.run_id)):
        if run.manifest.get(name) != value:
            raise StoreError(
                f"{file}: {name} is {value!r:.80}, manifest.json says"
                f" {run.manifest.get(name)!r:.80}: score it again with towereval score"
            )
    for index, row in enumerate(run.rows, start=1):
        if fault := _fault(row, run.run_id):
            raise StoreError(
                f"{file}, row {index}: {fault}; score it again with towereval score {run.folder}"
            )


def _unasked(file: Path, content: Mapping[str, Any]) -> int:
    count = content.get("unasked", 0)
    if type(count) is not int or count < 0:
        raise StoreError(f"{file}: unasked must be a count, found {count!r:.60}")
    return count


def _spoken(file: Path, content: Mapping[str, Any]) -> tuple[Spoken, ...]:
    """None in what was scored before there was any."""
    found = content.get("spoken", [])
    if not isinstance(found, list):
        raise StoreError(f"{file}: spoken must be a list, found {found!r:.60}")
    return tuple(read(f"{file}, spoken {index}", each) for index, each in enumerate(found, start=1))


def _text(file: Path, content: Mapping[str, Any], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise StoreError(f"{file}: {name} must be a text, found {value!r:.60}")
    return value


def _row(where: str, raw: object) -> Result:
    if not isinstance(raw, dict):
        raise StoreError(f"{where}: a row is an object, found {type(raw).__name__}")
    if wrong := (_NEEDED - raw.keys()) | (raw.keys() - _KNOWN):
        raise StoreError(f"{where}: {', '.join(sorted(map(str, wrong)))} is missing or unknown")
    for name in (*_TEXTS, *_OTHER_TEXTS):
        value = raw.get(name, "")
        if not isinstance(value, str) or (name in _TEXTS and not value):
            raise StoreError(f"{where}: {name} must be a text, found {value!r:.60}")
    for name in _COUNTS:
        if type(raw[name]) is not int or not 0 <= raw[name] <= _MOST:
            raise StoreError(f"{where}: {name} must be a count, found {raw[name]!r:.60}")
    for name in _NUMBERS:
        number = raw[name]
        if number is not None and not _is_score(number):
            raise StoreError(f"{where}: {name} must be a number or null, found {number!r:.60}")
    if (better := raw.get("better", "larger")) not in get_args(Better):
        raise StoreError(f"{where}: better must be one of {_WAYS}, found {better!r:.60}")
    languages = raw.get("languages", [])
    if not isinstance(languages, list) or not all(isinstance(code, str) for code in languages):
        raise StoreError(f"{where}: languages must be a list of codes, found {languages!r:.60}")
    return Result(**{**raw, "languages": tuple(languages)})


def _is_score(value: object) -> bool:
    # JSON's integers have no end, and what is near a float's cannot be drawn.
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= _LARGEST


def _fault(row: Result, run_id: str) -> str:
    """What no scoring gives, "" for a row without fault."""
    for code in (row.language, *row.languages):
        if not re.fullmatch(LANGUAGE_CODE, code):
            return f"{code!r:.80} is no language code"
    if row.run_id != run_id:
        return f"it is of run {row.run_id!r:.80}"
    if (row.ci_low is None) != (row.ci_high is None):
        return "half an interval"
    if row.value is None:
        return "" if row.ci_low is None else "an interval without a value"
    if row.n == 0:
        return f"a value of {row.value} from no sample"
    if (
        row.ci_low is not None
        and row.ci_high is not None
        and not row.ci_low <= row.value <= row.ci_high
    ):
        return f"the value {row.value} is not within {row.ci_low} to {row.ci_high}"
    return ""
