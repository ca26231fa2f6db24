"""The page: one HTML file with its style, script and data inside, which opens from a disk.

`page/` has the sources as they are read by people; nothing is fetched when the page is opened but
the samples beside it. Equal input gives an equal file.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from towereval.data.media import write_atomically
from towereval.errors import StoreError
from towereval.leaderboard import fidelity
from towereval.leaderboard.table import FIDELITIES
from towereval.printable import visible
from towereval.store import storable
from towereval.types import WAYS

SCRIPTS = (
    *("data.js", "averages.js", "view.js", "grid.js", "spoken.js"),
    *("samples.js", "words.js", "controls.js", "main.js"),
)
STYLES = ("board.css", "heat.css")
NAME_LENGTH = 120
# What a metric is called where its name alone would not do.
METRIC_NAMES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "chrf_pp": "chrF++",
    "xcomet_xl": "XCOMET-XL",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "vqa_accuracy": "VQA accuracy",
}


def page(
    content: Mapping[str, Any],
    *,
    title: str,
    about: str,
    samples: Mapping[str, str],
    inline: Mapping[str, Any] | None = None,
) -> str:
    """The HTML of a document (`document.document`).

    `samples` names the file of each "model index:task@variant", `inline` holds such files.
    """
    data = {
        **_packed(content),
        "title": visible(title, NAME_LENGTH),
        "about": about,
        "samples": samples,
        "inline": inline or {},
    }
    text = storable(json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    packed = base64.b64encode(gzip.compress(text.encode(), 6, mtime=0)).decode()
    html = _source("index.html")
    html = html.replace("/*STYLE*/", "\n".join(map(_source, STYLES)))
    html = html.replace("/*SCRIPT*/", '"use strict";\n' + "\n".join(map(_source, SCRIPTS)))
    return html.replace("/*DATA*/", packed)


def write_page(html: str, file: Path) -> None:
    """Raises `StoreError`."""
    try:
        write_atomically(file, html.encode())
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error


def _source(name: str) -> str:
    return (resources.files("towereval.leaderboard") / "page" / name).read_text(encoding="utf-8")


def _packed(content: Mapping[str, Any]) -> dict[str, Any]:
    """The document's lines and averages as columns; scores in hundredths of a point."""
    measures = content["measures"]
    lines = [line for line in content["lines"] if not line["group"]]
    runs: dict[tuple[str, str], int] = {}
    for model in content["models"]:
        for run in model["runs"]:
            runs[model["name"], run["run_id"]] = len(runs)
    notes: dict[str, int] = {"": 0}
    columns: dict[str, list[Any]] = {
        name: [] for name in ("value", "below", "above", "n", "failed", "unscored", "run", "note")
    }
    for k, model in enumerate(content["models"]):
        for line in lines:
            points = measures[line["measure"]]["points"]
            value = _hundredths(line["value"][k], points)
            low, high = (_hundredths(line[name][k], points) for name in ("ci_low", "ci_high"))
            run = line["run"][k]
            columns["value"].append(value)
            columns["below"].append(None if low is None or value is None else value - low)
            columns["above"].append(None if high is None or value is None else high - value)
            columns["n"].append(line["n"][k])
            columns["failed"].append(line["n_failed"][k])
            columns["unscored"].append(line["n_unscored"][k])
            columns["run"].append(-1 if run is None else runs[model["name"], run])
            columns["note"].append(notes.setdefault(line["note"][k], len(notes)))
    return {
        "created": content["created"],
        "towereval": content["towereval"],
        "models": [_model(model) for model in content["models"]],
        "runs": [
            {**run, "run_id": visible(run["run_id"], NAME_LENGTH)}
            for model in content["models"]
            for run in model["runs"]
        ],
        "languages": content["languages"],
        "groups": content["groups"],
        "measures": [_measure(measure, measures) for measure in measures],
        "pairs": [[line["measure"], line["language"]] for line in lines],
        "cells": columns,
        "notes": [visible(note, 300) for note in notes],
        "macro": _macros(content),
        "ranks": _ranks(content),
        "rank_method": content["rank_method"],
        "categories": [_category(line, measures) for line in content["lines"] if line["group"]],
        "answered_in": [fidelity.packed(each, METRIC_NAMES) for each in content["answered_in"]],
        "notices": [visible(notice, 400) for notice in content["notices"]],
    }


def _hundredths(value: float | None, points: float) -> int | None:
    return None if value is None else round(value * points * 100)


def _model(model: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "label": visible(model["name"], NAME_LENGTH),
        "parameters": model["parameters"],
        "licence": visible(model["licence"], NAME_LENGTH),
        "origins": sorted({run["origin"] for run in model["runs"]}),
    }


def _measure(measure: Mapping[str, Any], measures: list[Mapping[str, Any]]) -> dict[str, Any]:
    """With a label that tells it from the board's others of the same task and metric."""
    several_splits = len({m["split"] for m in measures}) > 1
    same = [m for m in measures if (m["task"], m["metric"]) == (measure["task"], measure["metric"])]
    label = str(measure["task"])
    for name, mark in (
        ("variant", "@{}"),
        ("task_version", " version {}"),
        ("split", " ({})"),
        ("edition", " data {}"),
        ("signature", " {}"),
    ):
        marked = name == "split" and several_splits and measure[name] != "full"
        if marked or (name != "split" and len({m[name] for m in same}) > 1):
            label += mark.format(measure[name])
    metric = str(measure["metric"])
    named = METRIC_NAMES.get(metric, metric.replace("_", " "))
    return {
        **measure,
        **{name: visible(measure[name], NAME_LENGTH) for name in ("task", "variant", "signature")},
        "label": visible(label, 80),
        "metric_label": visible(named + WAYS[measure["better"]], 60),
        "fidelity": measure["metric"] in FIDELITIES,
    }


def _macros(content: Mapping[str, Any]) -> dict[str, list[int | None]]:
    """The interval of each model's mean over all languages of each measure."""
    whole = {
        average["measures"][0]: average
        for average in content["averages"]
        if len(average["measures"]) == 1
        and len(average["languages"])
        == len(content["measures"][average["measures"][0]]["languages"])
    }
    found: dict[str, list[int | None]] = {"low": [], "high": []}
    for k in range(len(content["models"])):
        for m, measure in enumerate(content["measures"]):
            for name, limits in found.items():
                limit = whole[m][f"ci_{name}"][k] if m in whole else None
                limits.append(_hundredths(limit, measure["points"]))
    return found


def _ranks(content: Mapping[str, Any]) -> dict[str, dict[str, list[int]]]:
    """By the page's name of a column: its measures and languages."""
    found = {}
    for line in content["lines"]:
        if not line["group"]:
            found[f"{line['measure']}:{line['language']}"] = line
    for average in content["averages"]:
        measures = "+".join(map(str, average["measures"]))
        found[f"{measures}:{','.join(average['languages'])}"] = average
    return {
        name: {
            "best": [rank or 0 for rank in column["rank_best"]],
            "more": [
                (worst or 0) - (best or 0)
                for best, worst in zip(column["rank_best"], column["rank_worst"], strict=True)
            ],
        }
        for name, column in found.items()
        if any(column["rank_best"])
    }


def _category(line: Mapping[str, Any], measures: list[Mapping[str, Any]]) -> dict[str, Any]:
    points = measures[line["measure"]]["points"]
    return {
        "measure": line["measure"],
        "language": line["language"],
        "group": visible(line["group"], NAME_LENGTH),
        "value": [_hundredths(value, points) for value in line["value"]],
        "n": line["n"],
    }
