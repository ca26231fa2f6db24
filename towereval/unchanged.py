"""Whether a finished run would come out as it is: then the same command need not make it again.

A run's stamp is a digest of all that its rows follow from: what was asked for and of whom, every
file of its data by size, times and inode, towereval's own code and the packages beside it. There is
none where one of these cannot be told without reading the data.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from towereval import digests, plugins
from towereval.data.folder import FolderSource
from towereval.plan import Settled
from towereval.store import Store
from towereval.types import JudgedMetric, LearnedMetric, digest

# Times tick: a file that changes again within a tick looks as if it had not.
TICK_SECONDS = 2.0
_PACKAGE = Path(__file__).parent


def stamp(settled: Settled) -> str:
    """Empty where it cannot be told: data of the hub, judges, learned metrics, files just changed.

    Taken before the data are read, so that what changes meanwhile is seen the next time.
    """
    metrics = [metric for task in settled.tasks for metric in task.metrics]
    if any(isinstance(metric, JudgedMetric | LearnedMetric) for metric in metrics):
        return ""  # their models may have come since, or may answer now
    data = []
    for source in settled.sources.values():
        found = _files(source.folder) if isinstance(source, FolderSource) else ""
        if not found:
            return ""
        data.append(found)
    # Each start's time is its own. All else that the manifest says counts, the machine, too.
    about = {key: value for key, value in settled.manifest.items() if key != "started"}
    named = {key: value for key, value in os.environ.items() if key.startswith("TOWEREVAL_")}
    return digest([about, data, _code(), named])


def is_published(store: Store, stamp: str) -> bool:
    """Whether results with that stamp lie there as they were written; nothing is to be asked."""
    files = _written(store.folder)
    return bool(files) and store.published() == (stamp, files) and not store.count_unanswered()


def note(store: Store, stamp: str) -> None:
    """What was written now follows from what has that stamp."""
    if stamp:
        store.note_published(stamp, _written(store.folder))


def _written(folder: Path) -> str:
    """A digest of what a finished run has for its readers; empty where something is missing."""
    files = [folder / "results.json", *sorted((folder / "samples").glob("*.parquet"))]
    try:
        return digest([[file.name, digests.sha256(file)] for file in files])
    except OSError:
        return ""


def _files(folder: Path) -> str:
    found = hashlib.sha256()
    latest = 0.0
    try:
        for path, about in _entries(folder):
            latest = max(latest, about.st_ctime, about.st_mtime)
            stamps = (about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino)
            found.update(f"{path!r} {stamps}".encode(errors="surrogateescape"))
    except OSError:
        return ""
    return found.hexdigest() if latest < time.time() - TICK_SECONDS else ""


def _entries(folder: str | Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every file below a folder. Raises `OSError`, also for a folder behind a link."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield entry.path, entry.stat()
            elif entry.is_symlink():
                raise OSError(f"{entry.path} leads elsewhere")
            else:
                yield from _entries(entry.path)


def _code() -> str:
    """Of towereval and all plug-ins; of the packages their names and versions."""
    plugged = [*plugins.search_path("tasks"), *plugins.search_path("model_adapters")]
    files = [
        file for folder in (_PACKAGE, *map(Path, plugged)) for file in sorted(folder.rglob("*.py"))
    ]
    packages = [
        sorted(entry.name for entry in folder.glob("*.dist-info"))
        for folder in map(Path, sys.path)
        if folder.is_dir()
    ]
    own = [[str(file), hashlib.sha256(file.read_bytes()).hexdigest()] for file in files]
    return digest([own, packages, sys.version])
