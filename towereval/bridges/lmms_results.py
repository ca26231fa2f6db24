"""What lmms-eval says of a run beside its sample logs, in `<stamp>_results.json`.

lm-evaluation-harness, which it came from, says the same in `results_<stamp>.json`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.errors import DataError

# Whichever of these names the weights among a model's arguments.
_WEIGHTS = re.compile(r"(?:^|,)\s*(?:pretrained|model_version|model|path|engine)=([^,]*)")


@dataclass(frozen=True, slots=True)
class About:
    """`model` is "" where it is not said. `rows` has the logs' lengths by task.

    `limit` is as it was given: a number of samples a task or, below 1, a share of them.
    """

    file: Path
    model: str
    limit: float | None
    rows: Mapping[str, int]
    results: Mapping[str, Any]
    content: Mapping[str, Any]

    def cut_to(self, rows: int) -> int | None:
        """How many samples a task of so many rows was cut to, None for all."""
        if self.limit is None:
            return None
        return rows if self.limit < 1 else int(self.limit)


def read_about(folder: Path, stamp: str) -> About | None:
    """None where there is no such file. Raises `DataError` for a torn one."""
    file = folder / f"{stamp}_results.json"
    return read_results(file) if file.exists() else None


def read_results(file: Path) -> About:
    """Raises `DataError` for a file that is missing or torn, or that neither harness writes."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{file}: an object is wanted, found a {type(content).__name__}")
    try:
        config = content.get("config") or {}
        counts = content.get("n-samples") or {}
        results = content.get("results") or {}
        if not isinstance(results, dict):
            raise TypeError(f"results is a {type(results).__name__}")
        return About(
            file,
            _model(content.get("model_name"), config.get("model_args")),
            _limit(config.get("limit")),
            {name: math.ceil(count["effective"]) for name, count in counts.items()},
            results,
            content,
        )
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DataError(f"{file}: not what lmms-eval writes: {reason}") from error


def _model(name: object, arguments: object) -> str:
    found = name or arguments
    if not isinstance(found, str):
        return ""
    weights = _WEIGHTS.search(found)
    return (weights[1] if weights else found).strip().rstrip("/,")


def _limit(given: object) -> float | None:
    if given is None or isinstance(given, bool):
        return None
    if not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"limit is {given!r:.60}")
    return float(given) if given > 0 else None
