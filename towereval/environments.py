"""Environments of their own for packages that cannot live beside the engines.

unbabel-comet needs transformers < 5 and numpy < 2: `towereval setup comet` puts it, with the pins
of requirements/comet.txt, into <cache_folder()>/environments/comet. TOWEREVAL_COMET_PYTHON names
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
from pathlib import Path
from typing import Any

from towereval.data.media import cache_folder, write_atomically
from towereval.errors import EngineError, UsageError
from towereval.types import digest

COMET_PYTHON = "TOWEREVAL_COMET_PYTHON"
# numpy 1.26, the last that unbabel-comet takes, has no wheels for later versions.
_COMET_VERSIONS = ((3, 12), (3, 11))


def comet_python() -> Path | None:
    """The interpreter that has unbabel-comet, None where it is not set up.

    An environment that was left half made, or made with other pins, is none. Raises `UsageError`
    when TOWEREVAL_COMET_PYTHON names no interpreter.
    """
    if named := os.environ.get(COMET_PYTHON):
        if shutil.which(named) is None:
            raise UsageError(f"{COMET_PYTHON}={named}: no such interpreter")
        # Not resolved: an interpreter finds its environment by the link through which it is run.
        return Path(shutil.which(named) or named).absolute()
    folder = _comet_folder()
    try:
        made_with = (folder / "ready").read_text(encoding="utf-8")
    except OSError:
        return None
    return folder / "bin" / "python" if made_with == digest(_pins()) else None


def setup_comet(progress: Callable[[str], None]) -> Path:
    """Make the environment where it is not there yet, and give its interpreter.

    Raises `UsageError` where no fitting Python is found and `EngineError` with pip's last words.
    """
    folder = _comet_folder()
    with _alone(folder.with_suffix(".lock")):
        python = comet_python()
        if python is None:
            base = _base_python()
            progress(f"making {folder} (some minutes; 1.5 GB, several with a CUDA build of torch)")
            _run([base, "-m", "venv", "--clear", str(folder)], "venv", progress)
            python = folder / "bin" / "python"
            install = ["-I", "-m", "pip", "install", "--requirement", str(_requirements())]
            _run([str(python), *install], "pip install", progress)
            check_comet(python)
            write_atomically(folder / "ready", digest(_pins()).encode())
        else:
            check_comet(python)
    return python


def check_comet(python: Path) -> None:
    """Raises `EngineError` unless the interpreter can import comet."""
    _run([str(python), "-I", "-W", "ignore", "-c", "import comet.models"], "import comet", str)


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


def _comet_folder() -> Path:
    return cache_folder() / "environments" / "comet"


def _requirements() -> Path:
    """The checkout has the file beside the package, the wheel inside it."""
    package = Path(__file__).parent
    beside = package.parent / "requirements" / "comet.txt"
    return beside if beside.is_file() else package / "requirements" / "comet.txt"


def _pins() -> list[str]:
    lines = _requirements().read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _base_python() -> str:
    if sys.version_info[:2] in _COMET_VERSIONS:
        return sys.executable
    for major, minor in _COMET_VERSIONS:
        if found := shutil.which(f"python{major}.{minor}"):
            return found
    raise UsageError(
        "COMET needs Python 3.11 or 3.12, and neither python3.12 nor python3.11 is on the PATH;"
        f" install one, or name an interpreter that has unbabel-comet: {COMET_PYTHON}=PATH"
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
