"""Whether a run is what another was: its data and its model held against that run's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from towereval.errors import DataError, ModelError

_CURE = "run without --locked to take what is there now"


def check_respondent(manifest: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises `ModelError` naming what of model, adapter and engine is another than it was."""
    if manifest.get("respondent_digest") == now["respondent_digest"]:
        return
    before, after = manifest.get("respondent", {}), now["respondent"]
    apart = [
        f"{name} was {before.get(name)!r:.80} and is {after.get(name)!r:.80}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    raise ModelError(f"--locked: {'; '.join(apart) or 'another model'}; {_CURE}")


def check_data(manifest: Mapping[str, Any], task: str, now: Mapping[str, Any]) -> None:
    """Raises `DataError` where a data set's commit or content is another than it was."""
    before = manifest.get("data", {}).get(task)
    if before is None:
        raise DataError(f"--locked: {task} was not in the run that is to be repeated")
    for kind in ("commits", "digests"):
        was, is_now = before.get(kind, {}), now.get(kind, {})
        for name in sorted({*was, *is_now}):
            if was.get(name) != is_now.get(name):
                raise DataError(
                    f"--locked: {task}: the {kind[:-1]} of {name} was {was.get(name)} and is"
                    f" {is_now.get(name)}; {_CURE}"
                )
