"""What docs/papers.md and docs/corpus.md tell a user to type exists: commands, options, names."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from towereval import plugins
from towereval.cli.app import app
from towereval.errors import UnknownName

DOCS = Path(__file__).parents[1] / "docs"
PAGES = ("papers.md", "corpus.md")


def commands(page: str) -> Iterator[list[str]]:
    """Every command of a page, in a line of its own or within one, as words."""
    text = (DOCS / page).read_text(encoding="utf-8").replace("\\\n", " ")
    for found in re.findall(r"`(towereval [^`]+)`|^(towereval .+)$", text, re.MULTILINE):
        yield shlex.split(next(filter(None, found)), comments=True)[1:]


ALL = [(page, words) for page in PAGES for words in commands(page)]


def known(words: list[str]) -> tuple[Any, list[str]]:
    """The command and what it is given. Raises `AssertionError`."""
    command: Any = typer.main.get_command(app)
    while (inner := getattr(command, "commands", None)) and words:
        assert words[0] in inner, f"no command {words[0]}"
        command, words = inner[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize(("page", "words"), ALL, ids=[" ".join(words) for _, words in ALL])
def test_a_command_on_the_page_exists(page: str, words: list[str]) -> None:
    command, rest = known(words)
    options = {name for each in command.params for name in each.opts}
    given = dict(pairwise([*rest, ""]))
    assert [one for one in rest if one.startswith("--") and one not in options] == []
    for task in filter(None, given.get("--tasks", "").split(",")):
        if task.islower():
            plugins.load_task(task)
    if (model := given.get("--model", "")).islower():
        plugins.find_model(model.partition("@")[0])


def test_the_pages_hold_commands() -> None:
    assert {page for page, _ in ALL} == set(PAGES)
    assert len(ALL) > 30


def test_a_name_that_is_none_would_be_found() -> None:
    with pytest.raises(AssertionError, match="no command translat"):
        known(["data", "translat"])
    with pytest.raises(UnknownName):
        plugins.load_task("mme@lrm10")


def settings() -> list[str]:
    text = (DOCS / "papers.md").read_text(encoding="utf-8")
    found = re.findall(r"--set ([\w.]+)=([\w./-]+)", text)
    return sorted({f"{key}={value}" for key, value in found if value != "..."})


@pytest.mark.parametrize("setting", settings())
def test_a_setting_on_the_page_is_one_of_the_recipes(setting: str) -> None:
    pytest.importorskip("yaml")
    from towereval.cli import options
    from towereval.train import recipe_files

    given = options.values([setting], "--set")
    read = recipe_files.load(recipe_files.find("towervision-2b"), given)
    assert read != recipe_files.load(recipe_files.find("towervision-2b"), {})
