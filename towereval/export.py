"""A run's samples for people and programs: one parquet file a task."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any

from towereval.data.media import sync_folder
from towereval.errors import StoreError
from towereval.store import PAGE, Store, storable
from towereval.types import Response, Sample, Text

_LISTS = ("media", "references", "responses", "errors")


def write_samples(store: Store, task: str, metrics: Sequence[str]) -> None:
    """`samples/<task>.parquet`: one row a sample, with its prompt, raw answers and statistics."""
    import pyarrow
    from pyarrow import parquet

    schema = pyarrow.schema(
        [(name, pyarrow.string()) for name in ("id", "language", "group", "cluster", "prompt")]
        + [(name, pyarrow.list_(pyarrow.string())) for name in _LISTS]
        + [("logprobs", pyarrow.list_(pyarrow.float64()))]
        + [(metric, pyarrow.list_(pyarrow.float64())) for metric in metrics]
        + [("unscored", pyarrow.string())]
    )
    file = store.folder / "samples" / f"{task}.parquet"
    temporary = file.with_suffix(".tmp")
    try:
        file.parent.mkdir(exist_ok=True)
        with parquet.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for rows in _pages(store, task):
                writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error


def _pages(store: Store, task: str) -> Iterator[list[dict[str, Any]]]:
    rows: list[dict[str, Any]] = []
    for sample, responses, scores in store.scored(task):
        rows.append(_row(sample, responses, scores))
        if len(rows) == PAGE:
            yield rows
            rows = []
    yield rows


def _row(
    sample: Sample,
    responses: Sequence[Response | None],
    scores: dict[str, tuple[tuple[float, ...], str]],
) -> dict[str, Any]:
    parts = [part for message in sample.prompt for part in message.parts]
    return {
        "id": storable(sample.id),
        "language": sample.language,
        "group": storable(sample.group),
        "cluster": storable(sample.cluster),
        "prompt": storable("\n".join(part.text for part in parts if isinstance(part, Text))),
        "media": [part.sha256 for part in parts if not isinstance(part, Text)],
        "references": list(map(storable, sample.references)),
        "responses": [response.text if response else None for response in responses],
        "errors": [response.error if response else "not asked yet" for response in responses],
        "logprobs": [response.logprob if response else None for response in responses],
        "unscored": "; ".join(dict.fromkeys(reason for _, reason in scores.values() if reason)),
        **{metric: list(values) or None for metric, (values, _) in scores.items()},
    }
