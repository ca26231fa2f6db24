"""lmms-eval's task files: where a task's YAML lies, what it says, and of what else it is made.

Imported by lmms_worker.py alone, under lmms-eval's interpreter.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Refused(Exception):
    """What is wrong with the task, its data or its use."""


def find(name: str, include: Sequence[str]) -> Path:
    """The task's file: the one that says `task: NAME`, among 1,800 of their own.

    Their index, which parses them all, takes seconds: it is asked only where no file says it.
    """
    included = [Path(folder) for folder in include]
    for folder in included:
        if not folder.is_dir():
            raise Refused(f"{folder}: no such folder")
    tasks = Path(importlib.import_module("lmms_eval").__path__[0]) / "tasks"
    says = re.compile(rf"^task:[ \t]*([\"']?){re.escape(name)}\1[ \t]*(#.*)?$", re.MULTILINE)
    theirs, users = [
        [file for folder in folders for file in folder.rglob("*.yaml") if _matches(says, file)]
        for folders in ([tasks], included)
    ]
    if theirs and users:
        raise Refused(f"lmms-eval has a {name} of its own, which it would take: rename {users[0]}")
    if len(found := theirs + users) != 1:
        found = [_indexed(name, included)]
    if "class" in read(found[0], "simple"):
        raise Refused(f"{name} is a class of its own and not a YAML task: it cannot be served")
    return found[0]


def _matches(pattern: re.Pattern[str], file: Path) -> bool:
    return pattern.search(file.read_text(encoding="utf-8", errors="replace")) is not None


def _indexed(name: str, included: Sequence[Path]) -> Path:
    manager = importlib.import_module("lmms_eval.tasks").TaskManager
    index = manager(include_path=[str(folder) for folder in included] or None).task_index
    if name not in index:
        raise Refused(f"lmms-eval has no task {name!r}, nor have the included folders")
    entry = index[name]
    if entry["type"] in ("group", "tag"):
        members = entry["task"]
        if members == -1:
            members = read(Path(entry["yaml_path"]), "simple")["task"]
        names = [each if isinstance(each, str) else each.get("task", "?") for each in members]
        named = ",".join(f"lmms:{each}" for each in names)
        raise Refused(f"{name} is a {entry['type']} of tasks; name them: --tasks {named}")
    return Path(entry["yaml_path"])


def read(yaml: Path, mode: str) -> dict[str, Any]:
    """With what it includes; mode "full" runs the Python that it names, "simple" does not."""
    utils = importlib.import_module("lmms_eval.utils")
    found: dict[str, Any] = utils.load_yaml_config(str(yaml), mode=mode)
    return found


def metadata_of(given: object) -> dict[str, Any]:
    """A mapping, or a list of them, as most of their tasks have it."""
    parts = given if isinstance(given, list) else [given]
    return {k: v for part in parts if isinstance(part, dict) for k, v in part.items()}


def files_of(yaml: Path) -> list[Path]:
    """The YAML, what it includes, and the Python files beside any of them."""
    module = importlib.import_module("yaml")
    found, left = [], [yaml.resolve()]
    while left:
        file = left.pop()
        found.append(file)
        module.add_constructor("!function", lambda loader, node: node)
        included = module.full_load(file.read_bytes()).get("include", [])
        for name in [included] if isinstance(included, str) else included:
            left.append((Path(name) if Path(name).is_file() else file.parent / name).resolve())
    folders = {file.parent for file in found}
    return sorted({*found, *(python for folder in folders for python in folder.glob("*.py"))})
