"""Finds a model's files, checks them, lets the adapter mend them, and gives them a digest."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from towereval import plugins
from towereval.data.media import cache_folder, write_atomically
from towereval.errors import MissingExtra, ModelError
from towereval.types import Checkpoint, Model, digest


def find(name: str) -> Model:
    """A model's name, a folder or a hub id, downloaded, checked and prepared.

    Raises `UnknownName`, `MissingExtra`, or `ModelError` naming the file that is missing or torn.
    """
    adapter, checkpoint = plugins.find_model(name)
    folder = _fetch(checkpoint) if checkpoint.repo else None
    if folder is not None:
        check(folder)
    prepared = adapter.prepare(folder, cache_folder() / "models")
    check(prepared.folder)
    return Model(
        name, adapter, checkpoint, prepared.folder, files_digest(prepared.folder), prepared.changes
    )


def check(folder: Path) -> None:
    """A configuration, and weights that are all there, each file as long as its header says."""
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: no config.json, so this is not a checkpoint")
    _json(folder / "config.json")
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise ModelError(f"{folder}: no *.safetensors file")
    for index in folder.glob("*.safetensors.index.json"):
        listed = set(_json(index).get("weight_map", {}).values())
        if missing := listed - {shard.name for shard in shards}:
            raise ModelError(f"{folder}: {', '.join(sorted(missing))} of {index.name} is missing")
    for shard in shards:
        wanted, found = _length_in_header(shard), shard.stat().st_size
        if wanted != found:
            raise ModelError(
                f"{shard}: torn or truncated: its header says {wanted} bytes, it has {found}"
            )


def files_digest(folder: Path) -> str:
    """Hash of all files' contents; files that have not changed since are not read again."""
    known_file = cache_folder() / "digests" / f"{digest(str(folder.resolve()))}.json"
    try:
        known: dict[str, list[object]] = json.loads(known_file.read_text())
    except (OSError, ValueError):
        known = {}
    current: dict[str, list[object]] = {}
    for file in _files(folder):
        status = file.stat()
        stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
        name = str(file.relative_to(folder))
        old = known.get(name, [])
        current[name] = [*stamp, old[3] if old[:3] == stamp else _sha256(file)]
    if current != known:
        with suppress(OSError):  # without it all files are read again next time
            write_atomically(known_file, json.dumps(current).encode())
    return digest({name: entry[3] for name, entry in current.items()})


def _fetch(checkpoint: Checkpoint) -> Path:
    folder = Path(checkpoint.repo)
    if folder.is_dir():
        return folder
    try:
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtra("huggingface-hub", "data") from error
    try:
        return Path(snapshot_download(checkpoint.repo, revision=checkpoint.revision))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ModelError(
            f"model {checkpoint.repo} cannot be read from the hub ({type(error).__name__}:"
            f" {reason}); connect to the hub (HF_TOKEN for a gated one), or give a local copy:"
            " --model PATH"
        ) from error


def _files(folder: Path) -> Iterator[Path]:
    for root, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(root, name) for name in sorted(names) if not name.startswith("."))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"wanted an object, found {type(content).__name__}")
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: torn or truncated: {error}") from error
    return content


def _length_in_header(shard: Path) -> int:
    """A safetensors file is 8 bytes of header length, the header, the tensors."""
    try:
        with shard.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > 100_000_000:
                raise ValueError("absurd header length")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        return 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
    except (OSError, ValueError, AttributeError, TypeError, LookupError) as error:
        raise ModelError(f"{shard}: torn or truncated: its header cannot be read") from error
