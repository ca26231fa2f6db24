"""The digest of a folder's files, by which a checkpoint is known wherever it lies."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from towereval.data.media import cache_folder, write_atomically
from towereval.types import digest


def files_digest(folder: Path) -> str:
    """Hash of all files' names and contents, hidden ones left out."""
    return digest(file_digests(folder))


def file_digests(
    folder: Path, origin: Path | None = None, told: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Each file's SHA-256; files that have not changed since are not read again.

    Nor are links to the files of `origin`, whose digests are known, nor those that `told` has by
    name, nor the hub's: it names them so.
    """
    known = _known(folder)
    linked = {tuple(entry[:3]): entry[3] for entry in _known(origin).values()} if origin else {}
    stamps: dict[str, list[object]] = {}
    unread: list[str] = []
    for file in files(folder):
        status = file.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        name = str(file.relative_to(folder))
        old = known.get(name, [])
        found = old[3] if old[:3] == stamp else linked.get(tuple(stamp))
        found = found or (told or {}).get(name) or _hubs_name(file)
        stamps[name] = [*stamp, found]
        if found is None:
            unread.append(name)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # hashing holds no lock
        for name, found in zip(
            unread, pool.map(lambda name: sha256(folder / name), unread), strict=True
        ):
            stamps[name][3] = found
    if stamps != known:
        with suppress(OSError):  # without it all files are read again next time
            write_atomically(_memory(folder), json.dumps(stamps).encode())
    return {name: str(entry[3]) for name, entry in stamps.items()}


def files(folder: Path) -> Iterator[Path]:
    """All files below a folder in the order of their names, hidden ones and folders left out."""
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _hubs_name(file: Path) -> str | None:
    """The hub's cache keeps a large file under its SHA-256."""
    blob = file.resolve()
    named = blob.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", blob.name)
    return blob.name if named else None


def _known(folder: Path) -> dict[str, list[object]]:
    try:
        known: dict[str, list[object]] = json.loads(_memory(folder).read_text())
    except (OSError, ValueError):
        known = {}
    return known


def _memory(folder: Path) -> Path:
    return cache_folder() / "digests" / f"{digest(str(folder.resolve()))}.json"
