"""What a run was asked to do and of whom: `manifest.json`, as it is read back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from towereval.errors import StoreError

# Of manifest.json and results.json.
SCHEMA = 1


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises `StoreError` when the folder is no run."""
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{folder} is not a run: it has no manifest.json") from error
    except (OSError, ValueError, RecursionError) as error:
        raise StoreError(f"{folder}/manifest.json cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise StoreError(f"{folder}/manifest.json holds a {type(manifest).__name__}, no manifest")
    if manifest.get("schema") != SCHEMA:
        raise StoreError(
            f"{folder}: schema {manifest.get('schema')!r}, this towereval reads {SCHEMA}"
        )
    return manifest
