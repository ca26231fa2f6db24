"""Environments of their own for packages that cannot live beside the engines.

unbabel-comet needs transformers < 5 and numpy < 2, lmms-eval brings 120 packages: `towereval setup
NAME` puts either, with the pins of requirements/NAME.txt, into
<cache_folder()>/environments/NAME. TOWEREVAL_COMET_PYTHON and TOWEREVAL_LMMS_EVAL_PYTHON name
another interpreter that has it, which is then used instead. With a process in such an environment
one speaks JSON lines: the end of its input ends it, so it dies with us.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.data.media import cache_folder, write_atomically
from towereval.errors import EngineError, UsageError
from towereval.types import digest

COMET_PYTHON = "TOWEREVAL_COMET_PYTHON"
LMMS_EVAL_PYTHON = "TOWEREVAL_LMMS_EVAL_PYTHON"


@dataclass(frozen=True, slots=True)
class Isolated:
    """What an environment is for: `package`, found by importing `module`.

    `variable` names another interpreter. `needs_torchvision`: it is mended where it is a CUDA build
    beside a CPU build of torch, which cannot be imported.
    """

    name: str
    package: str
    module: str
    variable: str
    versions: tuple[tuple[int, int], ...]
    size: str
    needs_torchvision: bool = False

    @property
    def folder(self) -> Path:
        return cache_folder() / "environments" / self.name

    @property
    def pins(self) -> Path:
        return _shipped(f"requirements/{self.name}.txt")


# numpy 1.26, the last that unbabel-comet takes, has no wheels for later versions.
COMET = Isolated(
    name="comet",
    package="unbabel-comet",
    module="comet.models",
    variable=COMET_PYTHON,
    versions=((3, 12), (3, 11)),
    size="1.5 GB, several with a CUDA build of torch",
)
LMMS_EVAL = Isolated(
    name="lmms-eval",
    package="lmms-eval",
    module="lmms_eval.evaluator",
    variable=LMMS_EVAL_PYTHON,
    versions=((3, 12), (3, 11)),
    size="2.5 GB, several more with a CUDA build of torch",
    needs_torchvision=True,
)


def comet_python() -> Path | None:
    """The interpreter that has unbabel-comet, None where it is not set up; as `python_of`."""
    return python_of(COMET)


def setup_comet(progress: Callable[[str], None]) -> Path:
    """As `set_up`."""
    return set_up(COMET, progress)


def python_of(kind: Isolated) -> Path | None:
    """The interpreter that has the package, None where it is not set up.

    An environment that was left half made, or made with other pins, is none. Raises `UsageError`
    when the variable names no interpreter.
    """
    if named := os.environ.get(kind.variable):
        if shutil.which(named) is None:
            raise UsageError(f"{kind.variable}={named}: no such interpreter")
        # Not resolved: an interpreter finds its environment by the link through which it is run.
        return Path(shutil.which(named) or named).absolute()
    try:
        made_with = (kind.folder / "ready").read_text(encoding="utf-8")
    except OSError:
        return None
    return kind.folder / "bin" / "python" if made_with == digest(_lines(kind.pins)) else None


def set_up(kind: Isolated, progress: Callable[[str], None]) -> Path:
    """Make the environment where it is not there yet, and give its interpreter.

    Raises `UsageError` where no fitting Python is found and `EngineError` with pip's last words.
    """
    with _alone(kind.folder.with_suffix(".lock")):
        python = python_of(kind)
        if python is not None:
            check(kind, python)
            return python
        base = _base_python(kind)
        progress(f"making {kind.folder} (some minutes; {kind.size})")
        _run([base, "-m", "venv", "--clear", str(kind.folder)], "venv", progress)
        python = kind.folder / "bin" / "python"
        install = ["-I", "-m", "pip", "install", "--requirement", str(kind.pins)]
        _run([str(python), *install], "pip install", progress)
        if kind.needs_torchvision and not _imports(python, "torchvision"):
            mend = _shipped("scripts/mend_torchvision.py")
            _run([str(python), "-I", str(mend)], "mending torchvision", progress)
        check(kind, python)
        write_atomically(kind.folder / "ready", digest(_lines(kind.pins)).encode())
    return python


def check(kind: Isolated, python: Path) -> None:
    """Raises `EngineError` unless the interpreter can import the package."""
    name = f"import {kind.module.partition('.')[0]}"
    _run([str(python), "-I", "-W", "ignore", "-c", f"import {kind.module}"], name, str)


class ProcessDied(Exception):
    """How it ended and what it said last; reads on from "the worker "."""


class JsonProcess:
    """A process that answers lines of JSON on its stdin with lines of JSON on its stdout."""

    def __init__(self, command: Sequence[str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C is for us alone
        )

    def send(self, message: object) -> None:
        """Raises `ProcessDied`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None

    def receive(self) -> dict[str, Any]:
        """Raises `ProcessDied`."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith(b"\n"):  # nothing, or the beginning of a line
            raise self._death()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            with suppress(OSError):  # what could not be sent any more
                pipe.close()  # type: ignore[union-attr]

    def _death(self) -> ProcessDied:
        try:
            status = self._process.wait(timeout=60)
        except subprocess.TimeoutExpired:  # it closed its end and lives on
            self._process.kill()
            status = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").splitlines()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        said = " ".join(" ".join(lines[-3:]).split())[:500]
        return ProcessDied(f"{how}, saying: {said}" if said else how)


def _shipped(name: str) -> Path:
    """The checkout has the file beside the package, the wheel inside it."""
    package = Path(__file__).parent
    beside = package.parent / name
    return beside if beside.is_file() else package / name


def _lines(pins: Path) -> list[str]:
    lines = pins.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _imports(python: Path, module: str) -> bool:
    command = [str(python), "-I", "-W", "ignore", "-c", f"import {module}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _base_python(kind: Isolated) -> str:
    if sys.version_info[:2] in kind.versions:
        return sys.executable
    names = [f"python{major}.{minor}" for major, minor in kind.versions]
    for name in names:
        if found := shutil.which(name):
            return found
    raise UsageError(
        f"{kind.package} needs Python 3.11 or 3.12, and neither {' nor '.join(names)} is on the"
        f" PATH; install one, or name an interpreter that has it: {kind.variable}=PATH"
    )


@contextmanager
def _alone(file: Path) -> Iterator[None]:
    """A second set-up waits for the first one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], name: str, progress: Callable[[str], object]) -> None:
    lines: list[str] = []
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        for line in process.stdout or ():
            lines.append(line.strip())
            if lines[-1].startswith(("Collecting", "Downloading", "Installing")):
                progress(lines[-1])
    if process.returncode:
        last = [line for line in lines if line.startswith("ERROR")] or lines[-3:]
        raise EngineError(f"{name} failed with status {process.returncode}: {' '.join(last)[:600]}")
