"""A finished run as it is read back: what was asked and the rows that came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from math import isfinite
from pathlib import Path
from typing import Any

from towereval.errors import StoreError
from towereval.store import SCHEMA, read_manifest
from towereval.types import Result

_TEXTS = ("task", "variant", "split", "language", "metric", "signature", "run_id")
_OTHER_TEXTS = ("group", "note", "data")
_COUNTS = ("task_version", "n", "n_failed", "n_unscored")
_NUMBERS = ("value", "ci_low", "ci_high")
_KNOWN = frozenset(field.name for field in fields(Result))
_NEEDED = frozenset(field.name for field in fields(Result) if field.default is MISSING)


@dataclass(frozen=True, slots=True)
class Run:
    """`created` is when the rows were written, ISO 8601 with its offset."""

    folder: Path
    model: str
    run_id: str
    created: str
    manifest: Mapping[str, Any]
    rows: tuple[Result, ...]

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
    """Raises `StoreError` for what is no run, is not finished, or was edited into nonsense."""
    manifest = read_manifest(folder)
    file = folder / "results.json"
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{folder} has no results.json: finish it with towereval run") from error
    except (OSError, ValueError) as error:
        raise StoreError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else type(content).__name__
        raise StoreError(f"{file}: schema {found!r}, this towereval reads {SCHEMA}")
    rows = content.get("results")
    if not isinstance(rows, list):
        raise StoreError(f"{file}: results must be a list of rows")
    return Run(
        folder,
        _text(file, content, "model"),
        _text(file, content, "run_id"),
        _text(file, content, "created"),
        manifest,
        tuple(_row(f"{file}, row {index}", raw) for index, raw in enumerate(rows, start=1)),
    )


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
        if type(raw[name]) is not int or raw[name] < 0:
            raise StoreError(f"{where}: {name} must be a count, found {raw[name]!r:.60}")
    for name in _NUMBERS:
        number = raw[name]
        finite = type(number) in (int, float) and isfinite(number)
        if number is not None and not finite:
            raise StoreError(f"{where}: {name} must be a number or null, found {number!r:.60}")
    languages = raw.get("languages", [])
    if not isinstance(languages, list) or not all(isinstance(code, str) for code in languages):
        raise StoreError(f"{where}: languages must be a list of codes, found {languages!r:.60}")
    return Result(**{**raw, "languages": tuple(languages)})
