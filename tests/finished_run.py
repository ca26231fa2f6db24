"""A finished run's folder without an engine: a manifest, and rows that a test chooses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from towereval.types import Result

ROW = Result(
    task="ocrbench",
    variant="official",
    task_version=1,
    split="full",
    language="en",
    group="",
    metric="accuracy",
    value=0.5,
    ci_low=0.4,
    ci_high=0.6,
    n=100,
    n_failed=0,
    n_unscored=0,
    signature="accuracy|version:1",
    run_id="",
)


def finished(
    results: Path,
    model: str,
    run_id: str,
    *rows: Mapping[str, Any],
    created: str = "2026-01-01T00:00:00+00:00",
    started: str = "",
    limit: int | None = None,
    engine: str = "vllm",
) -> Path:
    """The folder, with rows that differ from `ROW` in what is given; one like it where none is.

    It was started when it was created, unless told otherwise.
    """
    folder = results / model.replace("/", "--") / run_id
    folder.mkdir(parents=True)
    content = {
        "schema": 1,
        "run_id": run_id,
        "model": model,
        "created": created,
        "results": [asdict(_row(run_id, row)) for row in rows or ({},)],
    }
    (folder / "results.json").write_text(json.dumps(content))
    manifest = {"schema": 1, "model": model, "run_id": run_id, "limit": limit, "engine": engine}
    manifest["started"] = started or created
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def renamed(folder: Path, model: str) -> Path:
    """The run under another model's name, in both its files."""
    for name in ("results.json", "manifest.json"):
        content = json.loads((folder / name).read_text())
        (folder / name).write_text(json.dumps({**content, "model": model}))
    return folder


def _row(run_id: str, changes: Mapping[str, Any]) -> Result:
    """An interval goes with its value, and lies around it unless one is given."""
    row = replace(ROW, run_id=run_id, **changes)
    if "value" not in changes or "ci_low" in changes:
        return row
    if row.value is None:
        return replace(row, ci_low=None, ci_high=None)
    return replace(row, ci_low=row.value - 0.1, ci_high=row.value + 0.1)
