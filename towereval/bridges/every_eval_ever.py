"""A run as one Every Eval Ever record, schema 0.3.0.

Fields: https://github.com/evaleval/every_eval_ever, `eval.schema.json`. The schema has no place for
a language: it is in `evaluation_name` and in `metric_parameters`.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

from towereval import plugins
from towereval.as_logged import metric_behind
from towereval.bridges.hub_ids import is_hub_id
from towereval.data.media import write_atomically
from towereval.errors import StoreError, UsageError
from towereval.influence import Unbounded
from towereval.results import Run
from towereval.store import storable
from towereval.types import DifferenceMetric, Result

SCHEMA_VERSION = "0.3.0"
# Metrics that mean the same everywhere; any other is named as ours.
_GLOBAL = frozenset({"accuracy", "exact_match", "bleu", "chrf"})

Relationship: TypeAlias = Literal["first_party", "third_party", "collaborative", "other"]


@dataclass(frozen=True, slots=True)
class Statement:
    """What a run does not know of itself.

    `relationship` is that of who evaluates to who made the model; `model` is its hub id, "" for the
    run's own.
    """

    organization: str
    relationship: Relationship
    model: str = ""


def write_record(run: Run, stated: Statement, output: Path) -> Path:
    """The record in its place below `output`, as the project's data store has it.

    The same run gives the same file. Raises `UsageError`, `StoreError`.
    """
    made = record(run, stated)
    about = made["model_info"]
    file = output / PurePosixPath(
        *("data", "towereval", _component(about["developer"])),
        _component(about["id"].rpartition("/")[2]),
        f"{_identifier(made['evaluation_id'])}.json",
    )
    text = json.dumps(made, ensure_ascii=False, indent=1, allow_nan=False)
    try:
        write_atomically(file, storable(text).encode() + b"\n")
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error
    return file


def record(run: Run, stated: Statement) -> dict[str, Any]:
    """Every row that has a value. Raises `UsageError` where none has."""
    rows = [row for row in run.rows if row.value is not None]
    if not rows:
        raise UsageError(f"{run.folder}: no row has a value, so there is nothing to export")
    written = str(_epoch(run.created, run.folder))
    started = run.manifest.get("started")
    details = {
        "answers": str(run.manifest.get("engine", "unknown")),
        "run_id": run.run_id,
        "respondent_digest": str(run.manifest.get("respondent_digest", "unknown")),
    }
    return {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"towereval/{_name(run)}/{run.run_id}",
        "evaluation_timestamp": started if isinstance(started, str) else run.created,
        "retrieved_timestamp": written,
        "source_metadata": {
            "source_name": "towereval",
            "source_type": "evaluation_run",
            "source_organization_name": stated.organization,
            "evaluator_relationship": stated.relationship,
        },
        "eval_library": {
            "name": "towereval",
            "version": str(run.manifest.get("towereval", "unknown")),
            "additional_details": details,
        },
        "model_info": _model(run, stated.model),
        "evaluation_results": [_result(run, row) for row in rows],
    }


def _model(run: Run, stated: str) -> dict[str, Any]:
    own = _name(run)
    on_hub = stated or (run.checkpoint if is_hub_id(run.checkpoint) else "")
    respondent = run.manifest.get("respondent")
    respondent = respondent if isinstance(respondent, Mapping) else {}
    served = run.manifest.get("engine") == "openai"
    ours = not served and "dtype" in respondent
    found: dict[str, Any] = {
        "name": own,
        "id": on_hub or own,
        "developer": (on_hub or own).rpartition("/")[0] or "unknown",
        "additional_details": {
            "deployment_type": "self_deployed" if ours else "unknown",
            "model_availability": "open_weights" if ours and _is_open(on_hub) else "unknown",
            **{
                name: str(respondent[name])
                for name in ("adapter", "dtype")
                if isinstance(respondent.get(name), str)
            },
        },
    }
    name, _, version = str(respondent.get("engine", "")).partition(",")[0].partition(" ")
    if version:
        found["inference_engine"] = {"name": name, "version": version}
    return found


def _is_open(repo: str) -> bool:
    """Whether an adapter knows the licence; a hub id alone may be a folder or a private model."""
    known = (each for adapter in plugins.adapters() for each in adapter.checkpoints.values())
    return any(checkpoint.repo == repo and checkpoint.licence for checkpoint in known)


def _name(run: Run) -> str:
    """A folder's path is nobody's business: only its last part leaves this machine."""
    return run.model if is_hub_id(run.model) else Path(run.model).name or "model"


def _result(run: Run, row: Result) -> dict[str, Any]:
    parts = [row.task, row.variant, "sample" if row.split == "sample" else "", row.group]
    language = "macro_mean" if row.language == "*" else row.language
    name = ".".join(["towereval", *filter(None, parts), language])
    return {
        "evaluation_result_id": f"{name}#{row.metric}",
        "evaluation_name": name,
        "source_data": _source(run, row),
        "evaluation_timestamp": run.created,
        "metric_config": _metric(row),
        "score_details": _score(row),
    }


def _source(run: Run, row: Result) -> dict[str, Any]:
    data = run.manifest.get("data")
    entry = data.get(row.task) if isinstance(data, Mapping) else None
    commits = entry.get("commits") if isinstance(entry, Mapping) else None
    details = {"split": row.split, **({"digest": row.data} if row.data else {})}
    if limit := run.limit:
        details["limit"] = f"{limit} samples a language"
    if isinstance(commits, Mapping) and commits:
        repo, commit = next(iter(commits.items()))
        return {
            "dataset_name": row.task,
            "source_type": "hf_dataset",
            "hf_repo": str(repo),
            "samples_number": row.n + row.n_failed + row.n_unscored,
            "additional_details": {**details, "revision": str(commit)},
        }
    return {"dataset_name": row.task, "source_type": "other", "additional_details": details}


def _metric(row: Result) -> dict[str, Any]:
    found: dict[str, Any] = {
        "metric_id": row.metric if row.metric in _GLOBAL else f"towereval.{row.metric}",
        "metric_name": row.metric,
        "metric_parameters": {
            "language": row.language,
            "languages": " ".join(row.languages),
            "group": row.group,
            "variant": row.variant,
            "task_version": row.task_version,
            "split": row.split,
            "signature": row.signature,
            "better": row.better,
        },
        "lower_is_better": row.better == "smaller",
    }
    scale = _bound(row)
    # Without bounds the schema allows no kind of score; they are left out, not guessed.
    if scale is not None:
        unit = "proportion" if scale == 1 else "points"
        bounds = {"score_type": "continuous", "min_score": 0.0, "max_score": scale}
        found.update(metric_unit=unit, **bounds)
    return found


def _bound(row: Result) -> float | None:
    """The metric's best value, None where no task here has it or the row is out of its range.

    Nor for a difference: it may be below 0.
    """
    try:
        metric = metric_behind(row)
    except UsageError:
        return None
    outside = row.value is None or not 0 <= row.value <= metric.scale
    either_side = isinstance(metric, Unbounded | DifferenceMetric)
    return None if outside or either_side else float(metric.scale)


def _score(row: Result) -> dict[str, Any]:
    uncertainty: dict[str, Any] = {"num_samples": row.n}
    if row.ci_low is not None and row.ci_high is not None:
        uncertainty["confidence_interval"] = {
            "lower": row.ci_low,
            "upper": row.ci_high,
            "confidence_level": 0.95,
            "method": row.note.partition(";")[0] or "unknown",
        }
    return {
        "score": row.value,
        "uncertainty": uncertainty,
        "details": {
            "n": str(row.n),
            "n_failed": str(row.n_failed),
            "n_unscored": str(row.n_unscored),
            "note": row.note,
        },
    }


def _epoch(created: str, folder: Path) -> int:
    try:
        when = datetime.fromisoformat(created)
    except ValueError as error:
        raise StoreError(f"{folder}/results.json: created {created!r:.60} is no date") from error
    return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())


def _identifier(evaluation: str) -> uuid.UUID:
    """The data store wants a UUID of version 4; this one is not random, so a record is replaced."""
    made = hashlib.sha256(storable(evaluation).encode()).digest()[:16]
    return uuid.UUID(bytes=made, version=4)


def _component(name: str) -> str:
    """A part of a path that every file system takes."""
    safe = re.sub(r"[^\w.+-]+", "-", name)[:100].strip("-. ")
    return safe if safe and safe != "data" else "model"
