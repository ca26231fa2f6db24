"""Who may import whom: the design's rules, and general ones for a module without a row."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("towereval", "tasks", "model_adapters")
FILES = sorted(file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))

NOUNS = ("types", "errors")
FOUNDATION = (*NOUNS, "languages")
STATISTICS = ("flips", "influence", "paired", "ranks", "statistics")
FOLD = (*FOUNDATION, "data.media", *STATISTICS, "manifest", "store")
# A row is for the module and all below it, the longest name counts.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "types": (),
    "errors": (),
    "languages": NOUNS,
    "chat": NOUNS,
    "digests": (*NOUNS, "data.media"),
    "tensor_files": NOUNS,
    "mending": (*NOUNS, "digests", "tensor_files"),
    "checkpoints": (*NOUNS, "data.media", "digests", "plugins", "tensor_files"),
    "records": NOUNS,
    "provenance": NOUNS,
    "plugins": (*NOUNS, "picture_use", "wrong_picture"),
    "diagnosis": NOUNS,
    "picture_use": (*NOUNS, "diagnosis", "metrics"),
    "wrong_picture": (*NOUNS, "diagnosis"),
    "data": (*FOUNDATION, "data"),
    "metrics": (*FOUNDATION, "metrics"),
    "metrics.comet": (*FOUNDATION, "metrics", "data.media", "environments"),
    "environments": (*NOUNS, "data.media"),
    "influence": NOUNS,
    "flips": (*NOUNS, "influence"),
    "paired": (*NOUNS, "flips", "influence", "statistics"),
    "ranks": (*NOUNS, "influence"),
    "statistics": (*NOUNS, "influence"),
    "database": NOUNS,
    "manifest": NOUNS,
    "segments": (*NOUNS, "database"),
    "store": (*FOUNDATION, "records", "data.media", "database", "manifest", "segments"),
    "engines": (*NOUNS, "data.media", "data.video", "engines", "printable", "provenance"),
    "engines.replay": (*NOUNS, "data.media", "engines", "store"),
    "tasks": (*FOUNDATION, "data", "metrics", "statistics", "store"),
    "tasks.__init__": ("plugins",),
    "family": (*NOUNS, "chat", "mending"),
    "model_adapters": (*FOUNDATION, "chat", "family", "mending"),
    "model_adapters.__init__": ("plugins",),
    "leaderboard": (
        *FOLD,
        *("data.video", "influence", "printable", "ranks", "records", "results", "spoken"),
        "leaderboard",
        "database",
    ),
    "compare": (*FOUNDATION, *STATISTICS, "measured", "pairing"),
    "as_logged": (*NOUNS, "plugins"),
    "measured": (*FOLD, "as_logged", "results"),
    "pairing": (*FOUNDATION, "influence", "measured"),
    "verdicts": (*NOUNS, "compare", "printable"),
    "published": (*NOUNS, "protocols", "results"),
    "progress": (*NOUNS, "statistics"),
    "running": (*NOUNS, "progress", "scoring", "statistics", "store"),
    "protocols": (),
    "results": (*NOUNS, "manifest", "spoken"),
    "spoken": NOUNS,
    "printable": (),
    "smpqa": (*FOUNDATION, "data.media", "smpqa"),
    # Training reads records: these modules know no engine and no run.
    "corpus.records": NOUNS,
    "corpus.rows": (*NOUNS, "corpus.records"),
    "corpus.files": (*NOUNS, "corpus.records", "corpus.rows"),
    "corpus.pictures": (*NOUNS, "corpus.records", "data"),
    "corpus": (
        *(*FOUNDATION, "corpus", "data", "engines", "judging", "metrics"),
        *("plan", "progress", "run", "store", "subject"),
    ),
    "plots": (*FOUNDATION, "figure_files", "printable"),
    "figure_files": (*NOUNS, "data.media", "printable"),
    "train": (*FOUNDATION, "corpus", "data", "digests", "mending", "tensor_files", "train"),
}
HEAVY = {
    *("torch", "torchvision", "transformers", "vllm", "datasets", "comet", "lmms_eval", "ray"),
    *("pandas", "scipy", "matplotlib", "numpy", "PIL", "pyarrow", "sacrebleu", "av", "openai"),
    *("huggingface_hub", "safetensors", "tokenizers", "accelerate", "cv2", "apted", "yaml"),
    "sklearn",
}
# Modules that are imported only where their libraries are wanted anyway.
MAY_BE_HEAVY = ("engines", "train", "leaderboard", "bridges.lmms_model", *STATISTICS)
SAY_NOTHING = {"utils", "util", "common", "helpers", "base", "misc", "core"}


def module_name(file: Path) -> str:
    """As it is imported, without `towereval.`: tasks and adapters are part of the package."""
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[1:] if parts[0] == "towereval" else parts)


def below(name: str, parent: str) -> bool:
    return name == parent or name.startswith(f"{parent}.")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that is imported, anywhere in the file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            for alias in node.names:
                inner = f"{origin}.{alias.name}"
                yield node.lineno, inner if is_module(inner) else origin


def is_module(name: str) -> bool:
    parts = name.split(".")
    roots = [ROOT / Path(*parts), ROOT / Path(*parts[1:])]
    return parts[0] == "towereval" and any(
        root.with_suffix(".py").is_file() or (root.is_dir() and root != ROOT) for root in roots
    )


def when_imported(tree: ast.Module) -> ast.Module:
    """The file without what is run only when it is called, or only looked at by a type checker."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        visit_AsyncFunctionDef = visit_FunctionDef

        def visit_If(self, node: ast.If) -> ast.AST:
            name = node.test.attr if isinstance(node.test, ast.Attribute) else None
            if "TYPE_CHECKING" in (name, getattr(node.test, "id", None)):
                return ast.Module(body=node.orelse, type_ignores=[])
            return self.generic_visit(node)

    return Strip().visit(tree)


def faults(name: str, text: str) -> list[str]:
    """What a module of that name may not do, one line each."""
    tree = ast.parse(text)
    found = []
    rows = [row for row in MAY_IMPORT if below(name, row)]
    allowed = MAY_IMPORT[max(rows, key=len)] if rows else None
    for line, imported in imports(tree):
        if imported.startswith("."):
            found.append(f"{line}: relative import {imported}")
        top, _, inner = imported.partition(".")
        if top in ("typer", "rich") and not below(name, "cli"):
            found.append(f"{line}: {top} belongs to the command line")
        if top != "towereval" or not inner:
            continue
        if below(inner, "cli") and not below(name, "cli"):
            found.append(f"{line}: nothing imports the command line")
        if below(inner, "bridges") and not (below(name, "cli") or below(name, "bridges")):
            found.append(f"{line}: nothing imports bridges")
        if below(inner, "tasks") or below(inner, "model_adapters"):
            found.append(f"{line}: {inner} is found by name, not imported")
        if allowed is not None and not any(below(inner, row) for row in allowed):
            found.append(f"{line}: {name} may not import {inner}")
    if not any(below(name, row) for row in MAY_BE_HEAVY):
        found += [
            f"{line}: {imported} is heavy: import it in the function that needs it"
            for line, imported in imports(when_imported(ast.parse(text)))
            if imported.partition(".")[0] in HEAVY
        ]
    found += [
        f"{node.lineno}: only the command line prints to stdout"
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and "file" not in [keyword.arg for keyword in node.keywords]
        and not below(name, "cli")
    ]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_what_it_may(file: Path) -> None:
    assert faults(module_name(file), file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("name", ["types", "errors", "languages", "plugins", "provenance"])
def test_the_nouns_need_nothing_but_the_standard_library(name: str) -> None:
    tree = ast.parse((ROOT / "towereval" / f"{name}.py").read_text(encoding="utf-8"))
    tops = {imported.partition(".")[0] for _, imported in imports(tree)}
    assert tops <= {*sys.stdlib_module_names, "towereval"}


def test_no_name_says_nothing() -> None:
    assert [f for f in FILES if {f.stem, *f.relative_to(ROOT).parts} & SAY_NOTHING] == []


@pytest.mark.parametrize("folder", ["tasks", "model_adapters"])
def test_plugin_folders_are_no_packages(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists()
    assert [path.name for path in (ROOT / folder).iterdir() if path.suffix != ".py"] in (
        [],
        ["__pycache__"],
    )


def test_every_row_is_of_a_module_that_the_design_has() -> None:
    planned = {"compare", "published", "train"}
    names = {module_name(file) for file in FILES} | planned
    assert [row for row in MAY_IMPORT if not any(below(name, row) for name in names)] == []


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("types", "from towereval.errors import UsageError", "types may not import errors"),
        ("languages", "import towereval.store", "languages may not import store"),
        ("data.folder", "from towereval.metrics import ocr", "may not import metrics.ocr"),
        ("metrics.ocr", "from towereval import store", "metrics.ocr may not import store"),
        ("metrics.ocr", "def f():\n    import towereval.run", "metrics.ocr may not import run"),
        ("store", "from towereval.data.hub import HubSource", "store may not import data.hub"),
        ("engines.vllm", "from towereval.store import Store", "engines.vllm may not import store"),
        ("engines.replay", "from towereval.run import run", "engines.replay may not import run"),
        ("engines.vllm", "import towereval.tasks.commute", "found by name, not imported"),
        ("run", "from towereval.model_adapters import tiny", "found by name, not imported"),
        ("tasks.commute", "from towereval.engines import KINDS", "may not import engines"),
        ("tasks.commute", "from towereval import plugins", "may not import plugins"),
        ("model_adapters.tiny", "from towereval.data import media", "may not import data.media"),
        ("compare", "from towereval.engines import find", "compare may not import engines"),
        ("leaderboard.build", "from towereval import run", "may not import run"),
        ("train.loop", "from towereval.run import run", "train.loop may not import run"),
        ("run", "from towereval.cli import options", "nothing imports the command line"),
        ("run", "from towereval.bridges.lmms_eval import TASKS", "nothing imports bridges"),
        ("bridges.x", "from towereval.cli.console import number", "nothing imports the command"),
        ("data.folder", "from . import media", "relative import ."),
        ("data.folder", "from .media import Clip", "relative import .media"),
        ("run", "import numpy as np", "numpy is heavy"),
        ("run", "try:\n    from PIL.Image import open\nexcept ImportError:\n    pass", "PIL.Image"),
        ("run", "class A:\n    import torch", "torch is heavy"),
        ("run", "if 1:\n    import scipy.stats", "scipy.stats is heavy"),
        ("metrics.ocr", "import rich", "rich belongs to the command line"),
        ("metrics.ocr", "def f():\n    print(1)", "only the command line prints"),
        ("metrics.ocr", "from towereval.environments import comet_python", "may not import envir"),
    ],
)
def test_a_fault_is_found(name: str, text: str, fault: str) -> None:
    found = faults(name, text)
    assert len(found) >= 1
    assert any(fault in line for line in found), found


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("run", "def f():\n    import torch\n    async def g():\n        import vllm"),
        ("run", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy"),
        ("run", "import typing\nif typing.TYPE_CHECKING:\n    import numpy"),
        ("engines.vllm", "import torch"),
        ("train.model", "import torch"),
        ("statistics", "import numpy"),
        ("cli.run", "import rich\nfrom towereval.bridges import lmms_eval\nprint(1)"),
        ("bridges.logged", "from towereval.bridges.lmms_eval import find_logs"),
        ("cli.app", "from towereval import __version__"),
        ("tasks.commute", "from towereval.metrics import contrastive"),
    ],
)
def test_what_is_allowed_is_no_fault(name: str, text: str) -> None:
    assert faults(name, text) == []
