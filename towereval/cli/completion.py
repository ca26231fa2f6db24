"""What a shell offers for an option's value: names, found without importing a task or an engine.

What is offered begins with what is typed. Of a list, `a,b`, the last name is completed, and names
that stand before it are not offered again.
"""

from __future__ import annotations

from collections.abc import Iterable

SPLITS = ("full", "sample")


def task(incomplete: str) -> list[str]:
    return _begun(incomplete, _tasks())


def tasks(incomplete: str) -> list[str]:
    return _listed(incomplete, _tasks())


def model(incomplete: str) -> list[str]:
    """Those with a name; for a folder the shell's own completion steps in."""
    from towereval import plugins

    adapters = plugins.adapters()
    return _begun(incomplete, (name for adapter in adapters for name in adapter.checkpoints))


def engine(incomplete: str) -> list[str]:
    from towereval.engines import KINDS

    return _begun(incomplete, KINDS)


def split(incomplete: str) -> list[str]:
    return _begun(incomplete, SPLITS)


def languages(incomplete: str) -> list[str]:
    """Groups, tiers and scripts, then codes."""
    from towereval.languages import GROUPS, LANGUAGES, TIERS

    scripts = sorted({language.script for language in LANGUAGES.values()})
    named = [*GROUPS, *(f"tier:{tier}" for tier in TIERS), *(f"script:{one}" for one in scripts)]
    return _listed(incomplete, [*named, *LANGUAGES])


def _tasks() -> Iterable[str]:
    from towereval import plugins

    return plugins.names("tasks")


def _begun(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _listed(incomplete: str, names: Iterable[str]) -> list[str]:
    typed, comma, last = incomplete.rpartition(",")
    others = (name for name in names if name not in typed.split(","))
    return [f"{typed}{comma}{name}" for name in _begun(last, others)]
