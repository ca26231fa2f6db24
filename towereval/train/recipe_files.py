"""Reads a recipe from YAML: every key typed, unknown ones refused, some changed by `--set`.

Of a field's type only what `_value` reads is used: numbers, text, booleans, choices, lists, tables.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml

from towereval.errors import UnknownName, UsageError
from towereval.train.recipe import Recipe


def find(name: str) -> Path:
    """A file, or the name of one of the project's own recipes."""
    here = Path(__file__).parents[2] / "recipes", Path(__file__).parents[1] / "recipes"
    own = {file.stem: file for folder in here for file in sorted(folder.glob("*.yaml"))}
    if name in own:
        return own[name]
    if Path(name).is_file():
        return Path(name)
    raise UnknownName("recipe", name, own)


def load(file: Path, settings: Mapping[str, Any] | None = None) -> Recipe:
    """The file's recipe with some settings changed, `{"stages.stage1.steps": 10}`.

    Raises `UsageError` that names the key.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {error}") from error
    for key, value in (settings or {}).items():
        _set(content, key.split("."), value)
    try:
        recipe: Recipe = _value(Recipe, content, "")
    except UsageError as error:
        raise UsageError(f"{file}: {error}") from error
    return recipe


def _set(content: Any, keys: list[str], value: Any) -> None:
    for depth, key in enumerate(keys[:-1]):
        inner = content.get(key) if isinstance(content, dict) else None
        if inner is None and isinstance(content, dict):
            inner = content.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"--set {'.'.join(keys)}: {'.'.join(keys[: depth + 1])} has no keys")
        content = inner
    content[keys[-1]] = value


def _value(kind: Any, value: Any, path: str) -> Any:
    """The value as the type wants it. Raises `UsageError` that names its place in the recipe."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        inner = next(argument for argument in arguments if argument is not type(None))
        return None if value is None else _value(inner, value, path)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value, path)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if isinstance(origin, type) and issubclass(origin, Mapping) and isinstance(value, dict):
        return {str(key): _value(arguments[1], v, f"{path}.{key}") for key, v in value.items()}
    if origin is Literal and str(value) in arguments:
        return str(value)
    if kind is float and type(value) in (int, float) and math.isfinite(value):
        return float(value)
    if kind in (int, str, bool) and type(value) is kind:
        return value
    hint = "; YAML reads 1e-3 as text, write 1.0e-3" if kind is float else ""
    raise UsageError(f"{path} wants {_said(kind)}, found {value!r}{hint}")


def _dataclass(kind: Any, value: Any, path: str) -> Any:
    if not isinstance(value, dict):
        raise UsageError(f"{path or 'a recipe'} wants keys and values, found {value!r}")
    hints = typing.get_type_hints(kind)
    for key in value:
        if key not in hints:
            where = f"key of {path}" if path else "key"
            raise UnknownName(where, str(key), hints)
    read = {
        key: _value(hints[key], item, f"{path}.{key}".strip(".")) for key, item in value.items()
    }
    missing = [
        item.name
        for item in dataclasses.fields(kind)
        if item.default is item.default_factory is dataclasses.MISSING and item.name not in read
    ]
    if missing:
        raise UsageError(f"{path or 'the recipe'} lacks {', '.join(missing)}")
    try:
        return kind(**read)
    except UsageError as error:
        raise UsageError(f"{path}: {error}" if path else str(error)) from error


def _said(kind: Any) -> str:
    if typing.get_origin(kind) is Literal:
        return " or ".join(typing.get_args(kind))
    names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    return names.get(kind, "a list" if typing.get_origin(kind) is tuple else "keys and values")
