"""What options' texts mean: lists, KEY=VALUE pairs, a file of options."""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from towereval.errors import UnknownName, UsageError


def names(text: str) -> tuple[str, ...]:
    """`a,b` -> ("a", "b")."""
    return tuple(name for part in text.split(",") if (name := part.strip()))


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """`k=v,l=w`, the option given once or several times."""
    found: dict[str, str] = {}
    for text in texts:
        key = ""
        for part in _split(text):
            key, equals, value = part.partition("=")
            if not equals or not key.strip():
                raise UsageError(f"{option} wants KEY=VALUE, found {part!r}")
            found[key.strip()] = value
    return found


def values(texts: Iterable[str], option: str) -> dict[str, Any]:
    """Pairs whose values are JSON where they can be (`4`, `true`, `{"a": 1}`), else text."""
    return {key: _value(value) for key, value in pairs(texts, option).items()}


def share(text: str, option: str) -> float:
    """`1%` or `0.01` -> 0.01."""
    number, percent = text.strip().removesuffix("%"), text.strip().endswith("%")
    try:
        found = float(number) / (100 if percent else 1)
    except ValueError:
        found = math.nan
    if not 0 <= found <= 1:
        raise UsageError(f"{option} is a share such as 1% or 0.01, not {text!r}")
    return found


def from_file(file: Path, forms: Mapping[str, tuple[type, ...]]) -> dict[str, Any]:
    """Options of `run` by their long names from a TOML file; the command line wins over it."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--config {file}: {error}") from error
    options = {key.replace("-", "_"): value for key, value in content.items()}
    for name, value in options.items():
        if name not in forms:
            raise UsageError(f"--config {file}: {UnknownName('option', name, forms)}")
        texts = not isinstance(value, list) or all(isinstance(item, str) for item in value)
        if type(value) not in forms[name] or not texts:
            raise UsageError(f"--config {file}: {name} cannot be {value!r}")
    return options


def _split(text: str) -> list[str]:
    """At commas that are followed by KEY=, so that JSON values keep theirs."""
    parts: list[str] = []
    for part in text.split(","):
        key, equals, _ = part.partition("=")
        if parts and not (equals and re.fullmatch(r"[\w:-]+", key.strip())):
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return parts


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=str)  # NaN and Infinity are no JSON
    except ValueError:
        return text
