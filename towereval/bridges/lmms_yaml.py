"""lmms-eval's task files: where a task's YAML lies, what it says, and of what else it is made.

Imported by lmms_worker.py alone, under lmms-eval's interpreter.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

_UNKNOWN = "lmms-eval has no task {0!r}, nor have the included folders"


class Refused(Exception):
    """What is wrong with the task, its data or its use."""


def find(name: str, include: Sequence[str]) -> Path:
    """The task's file: the one that says `task: NAME`, among 1,800 of their own.

    Their index, which parses them all, takes seconds: it is asked only where no file says it.
    """
    included = _folders(include)
    found = _saying(name, included)
    if len(found) != 1:
        found = [_indexed(name, included)]
    if "class" in read(found[0], "simple"):
        raise Refused(f"{name} is a class of its own and not a YAML task: it cannot be served")
    return found[0]


def members(name: str, include: Sequence[str]) -> list[str]:
    """The tasks of a group or tag, and of those in it; of a task itself."""
    included = _folders(include)
    if len(_saying(name, included)) == 1:
        return [name]
    index = _index(included)

    def flat(one: str) -> list[str]:
        if one not in index:
            raise Refused(_UNKNOWN.format(one))
        if index[one]["type"] not in ("group", "tag"):
            return [one]
        return [task for member in _members(one, index[one]) for task in flat(member)]

    return list(dict.fromkeys(flat(name)))


def _folders(include: Sequence[str]) -> list[Path]:
    included = [Path(folder) for folder in include]
    for folder in included:
        if not folder.is_dir():
            raise Refused(f"{folder}: no such folder")
    return included


def _saying(name: str, included: Sequence[Path]) -> list[Path]:
    """The files that say it in plain words."""
    tasks = Path(importlib.import_module("lmms_eval").__path__[0]) / "tasks"
    says = re.compile(rf"^task:[ \t]*([\"']?){re.escape(name)}\1[ \t]*(#.*)?$", re.MULTILINE)
    theirs, users = [
        [file for folder in folders for file in folder.rglob("*.yaml") if _matches(says, file)]
        for folders in ([tasks], included)
    ]
    if theirs and users:
        raise Refused(f"lmms-eval has a {name} of its own, which it would take: rename {users[0]}")
    return theirs + users


def _matches(pattern: re.Pattern[str], file: Path) -> bool:
    return pattern.search(file.read_text(encoding="utf-8", errors="replace")) is not None


def _index(included: Sequence[Path]) -> dict[str, Any]:
    """As theirs is where folders are included: their own names win."""
    manager = importlib.import_module("lmms_eval.tasks").TaskManager
    folders = [str(folder) for folder in included]
    own = manager(include_path=folders, include_defaults=False).task_index if folders else {}
    return {**own, **_their_index()}


@cache
def _their_index() -> dict[str, Any]:
    found: dict[str, Any] = importlib.import_module("lmms_eval.tasks").TaskManager().task_index
    return found


def _indexed(name: str, included: Sequence[Path]) -> Path:
    index = _index(included)
    if name not in index:
        raise Refused(_UNKNOWN.format(name))
    entry = index[name]
    if entry["type"] in ("group", "tag"):
        named = ",".join(f"lmms:{each}" for each in _members(name, entry))
        raise Refused(f"{name} is a {entry['type']} of tasks; name them: --tasks {named}")
    return Path(entry["yaml_path"])


def _members(name: str, entry: dict[str, Any]) -> list[str]:
    """What a group's file or a tag lists: tasks, other groups and tags."""
    listed = entry["task"]
    if listed == -1:
        listed = read(Path(entry["yaml_path"]), "simple")["task"]
    found = [each["task"] if [*each] == ["task"] else each for each in listed]
    if changed := [each for each in found if not isinstance(each, str)]:
        told = changed[0].get("task") or changed[0].get("group")
        raise Refused(f"the group {name} changes settings of its tasks, as of {told}: name them")
    return found


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
