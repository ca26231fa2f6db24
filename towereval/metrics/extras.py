"""Packages that only some metrics need."""

from __future__ import annotations

import importlib
from types import ModuleType

from towereval.errors import MissingExtra


def extra_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtra(name.split(".")[0], "metrics") from error
