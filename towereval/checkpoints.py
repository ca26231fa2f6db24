"""Finds a model's files, checks them, lets the adapter mend them, and gives them a digest."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from towereval import plugins, tensor_files
from towereval.data.media import cache_folder
from towereval.digests import files_digest
from towereval.errors import MissingExtra, ModelError, UsageError
from towereval.types import Checkpoint, Model


def find(name: str, *, trust_remote_code: bool = False) -> Model:
    """A model's name, a folder or a hub id, downloaded, checked and prepared.

    Raises `UnknownName`, `MissingExtra`, `UsageError` where a model's own code may not be run, or
    `ModelError` naming the file that is missing, torn or not the one that was asked for.
    """
    adapter, checkpoint = plugins.find_model(name)
    refuse(name, checkpoint, trust_remote_code)
    folder = fetch(checkpoint) if checkpoint.repo else None
    if folder is not None:
        check(folder)
        _check_kind(name, folder, checkpoint)
    prepared = adapter.prepare(folder, cache_folder() / "models")
    check(prepared.folder)
    return Model(
        name, adapter, checkpoint, prepared.folder, files_digest(prepared.folder), prepared.changes
    )


def refuse(name: str, checkpoint: Checkpoint, trust_remote_code: bool) -> None:
    """Raises where a checkpoint cannot be run, or would run code that nobody has looked at."""
    if checkpoint.unserved:
        raise ModelError(f"{name} ({checkpoint.repo}) cannot be run: {checkpoint.unserved}")
    local = Path(checkpoint.repo).is_dir()  # its content is part of every request's key
    pinned = local or re.fullmatch("[0-9a-f]{40}", checkpoint.revision)
    model = name if local else name.partition("@")[0]
    if checkpoint.remote_code and not (trust_remote_code and pinned):
        raise UsageError(
            f"{model} runs code from {checkpoint.repo}: read it there, then allow what you have"
            f" read: --model {model}{'' if local else '@COMMIT'} --trust-remote-code"
        )
    if trust_remote_code and not pinned:
        raise UsageError(
            f"--trust-remote-code runs whatever {checkpoint.repo} holds at {checkpoint.revision}:"
            f" pin it: --model {model}@COMMIT, the commit in 40 hexadecimal digits"
        )


def check(folder: Path) -> None:
    """A configuration, and weights that are all there, each file as long as its header says."""
    if (folder / "params.json").is_file() and not (folder / "config.json").is_file():
        raise ModelError(f"{folder}: in Mistral's own format; take the one made for transformers")
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
        wanted, found = tensor_files.length(shard), shard.stat().st_size
        if wanted != found:
            raise ModelError(
                f"{shard}: torn or truncated: its header says {wanted} bytes, it has {found}"
            )


def _check_kind(name: str, folder: Path, checkpoint: Checkpoint) -> None:
    """That it is of the class that its name promises, and says how it is asked."""
    found = _json(folder / "config.json").get("architectures") or []
    if checkpoint.architectures and not set(found) & set(checkpoint.architectures):
        wanted = " or ".join(checkpoint.architectures)
        raise ModelError(
            f"{folder} is {', '.join(found) or 'of no architecture'}, but {name} is {wanted};"
            f" ask it in its own way: --model generic:{checkpoint.repo}"
        )
    tokenizer = folder / "tokenizer_config.json"
    files = (tokenizer, folder / "processor_config.json", folder / "chat_template.json")
    said = any(_json(file).get("chat_template") for file in files if file.is_file())
    template = said or (folder / "chat_template.jinja").is_file()
    # A folder without a tokenizer's settings is left to the engine, which says what else it lacks.
    if tokenizer.is_file() and not template and not checkpoint.remote_code:
        raise ModelError(f"{folder}: has no chat template, so it cannot be asked anything")


def on_this_machine(checkpoint: Checkpoint) -> Path | None:
    """A local folder, or the hub's copy in its cache; asks nobody and imports nothing."""
    if not checkpoint.repo or Path(checkpoint.repo).is_dir():
        return Path(checkpoint.repo) if checkpoint.repo else None
    home = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    cache = Path(os.environ.get("HF_HUB_CACHE") or home / "hub")
    repo = cache / f"models--{checkpoint.repo.replace('/', '--')}"
    reference = repo / "refs" / checkpoint.revision
    commit = reference.read_text().strip() if reference.is_file() else checkpoint.revision
    folder = repo / "snapshots" / commit
    return folder if (folder / "config.json").is_file() else None


def fetch(checkpoint: Checkpoint) -> Path:
    """A local folder as it is, else the hub's files, downloaded. Raises `ModelError`."""
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


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"wanted an object, found {type(content).__name__}")
    except (OSError, ValueError) as error:
        raise ModelError(f"{file}: torn or truncated: {error}") from error
    return content
