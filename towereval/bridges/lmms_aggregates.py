"""What lmms-eval's aggregation makes of all samples, and each sample's part in it.

Imported by lmms_worker.py alone, under lmms-eval's interpreter. Their aggregating functions may
write files, change their items and add up in globals of their modules (OCRBench's gives twice the
score when it is called twice), so each call has a process of its own: a copy of this one, in which
no such function was ever called.

A sample's part is its jackknife pseudo-value, n T - (n - 1) T without it, moved so that the mean
of all is T: for a mean it is the sample's own score, for anything else what an interval needs.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import select
import shutil
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

# Leaving samples out one by one may take so many seconds; else there is a value and no interval.
PATIENCE = 30.0
LONGEST = 3600.0


def aggregate(
    task: Any, metric: str, pairs: Sequence[tuple[int, Any]], count: int
) -> dict[str, Any] | None:
    """`pairs`: which of `count` answers a result is of, and the result. None where it is ignored.

    "parts" and "scores" have a number or null for each answer; "reason" says why there are none.
    """
    function = task.aggregation().get(metric) or task.aggregation().get(metric.rpartition(".")[0])
    if function is None:
        return None
    places, items = [place for place, _ in pairs], [item for _, item in pairs]
    scores = [_number(_score(item, task.config.score_key)) for item in items]
    parts, reason = _parts(function, items)
    return {
        "parts": _spread(places, parts, count),
        "scores": _spread(places, scores, count) if None not in scores else [],
        "reason": reason,
    }


def _parts(function: Callable[..., Any], items: list[Any]) -> tuple[list[float] | None, str]:
    if function.__module__ == "lmms_eval.api.metrics" and function.__name__ == "mean":
        numbers = [number for item in items if (number := _number(item)) is not None]
        if len(numbers) < len(items):
            return None, f"not all of its results are numbers, as {str(items[0])[:60]!r}"
        return numbers, ""
    began = time.monotonic()
    whole = _apart(partial(_told_of, function, items))
    took = time.monotonic() - began
    if not isinstance(whole, int | float):
        return None, f"lmms-eval's aggregate is no number: {whole}"
    left = _without_each(function, items, whole, took) if len(items) > 1 else None
    if left is None:
        return [whole] * len(items), ""
    n = len(items)
    pseudo = [n * whole - (n - 1) * each for each in left]
    moved = whole - math.fsum(pseudo) / n
    return [each + moved for each in pseudo], ""


def _without_each(
    function: Callable[..., Any], items: list[Any], whole: float, took: float
) -> list[float] | None:
    """The aggregate without each item in turn; None where it cannot be had in time."""
    if took * len(items) > PATIENCE:
        return None

    def all_in_one() -> Any:
        if _told_of(function, items) != whole or _told_of(function, items) != whole:
            return "it is another the second time"
        until = time.monotonic() + PATIENCE
        found = []
        for index in range(len(items)):
            if time.monotonic() > until:
                return "it takes too long"
            found.append(_told_of(function, items[:index] + items[index + 1 :]))
        return found

    found = _apart(all_in_one)
    if found == "it is another the second time":
        rests = (items[:index] + items[index + 1 :] for index in range(len(items)))
        found = [_apart(partial(_told_of, function, rest)) for rest in rests]
    fine = isinstance(found, list) and all(isinstance(each, int | float) for each in found)
    return found if fine else None


def _told_of(function: Callable[..., Any], items: list[Any]) -> float | str:
    """What the function says of the items: a number, or the kind of thing that it is instead."""
    takes = "args" in inspect.signature(function).parameters
    value = function(items, args=Namespace(output_path=".")) if takes else function(items)
    number = _number(value)
    return type(value).__name__ if number is None else number


def _apart(work: Callable[[], Any]) -> Any:
    """What `work` gives in a copy of this process, in a folder that is thrown away."""
    folder = tempfile.mkdtemp()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.close(reading)
            os.chdir(folder)
            try:
                found = work()
            except BaseException as error:  # noqa: BLE001 their code, and nothing may come back up
                found = f"{type(error).__name__}: {error}"[:300]
            with os.fdopen(writing, "w", encoding="utf-8") as out:
                json.dump(found, out)
        finally:
            os._exit(0)
    os.close(writing)
    try:
        with os.fdopen(reading, "r", encoding="utf-8") as answer:
            if not select.select([answer], [], [], LONGEST)[0]:
                os.kill(child, 9)
            text = answer.read()
    finally:
        os.waitpid(child, 0)
        shutil.rmtree(folder, ignore_errors=True)
    return json.loads(text) if text else "its process died"


def _score(item: Any, key: str) -> Any:
    """A sample's own score, where the task keeps one beside what its aggregate needs."""
    return item.get(key) if isinstance(item, dict) else None


def _number(value: Any) -> float | None:
    try:
        found = None if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError):
        return None
    return found if found is not None and math.isfinite(found) else None


def _spread(
    places: Sequence[int], values: Sequence[float | None] | None, count: int
) -> list[float | None]:
    found: list[float | None] = [None] * count
    for place, value in zip(places, values or (), strict=False):
        found[place] = value
    return found
