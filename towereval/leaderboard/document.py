"""`leaderboard.json`: the board for programs; `schema.json` beside this file says what is in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from towereval import __version__
from towereval.data.media import write_atomically
from towereval.errors import StoreError
from towereval.languages import LANGUAGES
from towereval.leaderboard.averages import (
    Average,
    columns_of,
    groups,
    languages_of,
    named_groups,
    over_languages,
    over_tasks,
    selections,
)
from towereval.leaderboard.build import Board, origin, started
from towereval.leaderboard.fidelity import answered_in
from towereval.leaderboard.ranking import Ranks, key
from towereval.leaderboard.table import Table
from towereval.store import storable

SCHEMA = 3
DIGITS = 6


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a model: billions of parameters (None: not known) and its licence."""

    parameters: float | None = None
    licence: str = ""


def document(
    board: Board,
    table: Table,
    rho_M: np.ndarray[Any, np.dtype[np.float64]],
    ranks: Ranks,
    cards: Mapping[str, Card],
    created: str,
) -> dict[str, Any]:
    """Models, measures, a line for each measure and language, and averages with their ranks."""
    return {
        "schema": SCHEMA,
        "created": created,
        "towereval": __version__,
        "models": [_model(board, name, cards.get(name, Card())) for name in table.models],
        "languages": [_language(code) for code in table.languages],
        "groups": list(named_groups(table.languages)),
        "measures": [
            {
                "task": measure.task,
                "variant": measure.variant,
                "task_version": measure.task_version,
                "split": measure.split,
                "metric": measure.metric,
                "signature": measure.signature,
                "edition": measure.edition,
                "points": measure.points,
                "better": measure.better,
                "averaged": measure.averaged,
                "samples_of": table.sources[m],
                "languages": list(measure.languages),
                "language_correlation": round(float(rho_M[m]), DIGITS),
            }
            for m, measure in enumerate(table.measures)
        ],
        "lines": [*_lines(table, ranks), *_categories(table)],
        "averages": _averages(table, rho_M, ranks),
        "answered_in": answered_in(board, table),
        "rank_method": ranks.method,
        "notices": list(board.notices),
    }


def write(content: dict[str, Any], output: Path) -> None:
    """Raises `StoreError`."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    # A line of the board on a line of the file: it can be searched and compared.
    text = text.replace('{"measure":', '\n{"measure":').replace('{"selection":', '\n{"selection":')
    try:
        write_atomically(output / "leaderboard.json", storable(text).encode() + b"\n")
    except OSError as error:
        raise StoreError(f"{output}/leaderboard.json: cannot be written: {error}") from error


def _model(board: Board, name: str, card: Card) -> dict[str, Any]:
    runs = [run for (model, _), run in board.runs.items() if model == name]
    return {
        "name": name,
        "parameters": card.parameters,
        "licence": card.licence,
        "runs": [
            {
                "run_id": run.run_id,
                "started": started(run).isoformat(),
                "origin": origin(run),
                "engine": str(run.manifest.get("engine", "")),
                "towereval": str(run.manifest.get("towereval", "")),
            }
            for run in runs
        ],
    }


def _language(code: str) -> dict[str, Any]:
    known = LANGUAGES.get(code)
    return {
        "code": code,
        "english": known.english if known else code,
        "own": known.own if known else code,
        "script": known.script if known else "",
        "groups": list(groups(code)),
    }


def _lines(table: Table, ranks: Ranks) -> list[dict[str, Any]]:
    return [
        {
            "measure": m,
            "language": table.languages[at],
            "group": "",
            "value": _rounded(table.value_KML[:, m, at]),
            "ci_low": _rounded(table.low_KML[:, m, at]),
            "ci_high": _rounded(table.high_KML[:, m, at]),
            "n": table.n_KML[:, m, at].tolist(),
            "n_failed": table.failed_KML[:, m, at].tolist(),
            "n_unscored": table.unscored_KML[:, m, at].tolist(),
            "run": [table.runs[i][1] if i >= 0 else None for i in table.run_KML[:, m, at].tolist()],
            "note": [table.notes[i] for i in table.note_KML[:, m, at].tolist()],
            **_ranks(ranks, key((m,), (table.languages[at],)), len(table.models)),
        }
        for m in range(len(table.measures))
        for at in columns_of(table, m, table.languages)
    ]


def _categories(table: Table) -> list[dict[str, Any]]:
    """Lines of the tasks' own groups, which have no ranks."""
    lines = []
    for each in table.categories:
        cells = [each.cells.get(model) for model in table.models]
        lines.append(
            {
                "measure": each.measure,
                "language": each.language,
                "group": each.group,
                "value": [_number(cell.value) if cell else None for cell in cells],
                "ci_low": [_number(cell.ci_low) if cell else None for cell in cells],
                "ci_high": [_number(cell.ci_high) if cell else None for cell in cells],
                "n": [cell.n if cell else 0 for cell in cells],
                "n_failed": [cell.n_failed if cell else 0 for cell in cells],
                "n_unscored": [cell.n_unscored if cell else 0 for cell in cells],
                "run": [cell.run_id if cell else None for cell in cells],
                "note": [cell.note if cell else "" for cell in cells],
            }
        )
    return lines


def _averages(
    table: Table, rho_M: np.ndarray[Any, np.dtype[np.float64]], ranks: Ranks
) -> list[dict[str, Any]]:
    """Over the languages of each selection, for each measure and for the averaged ones together."""
    found = []
    for selection in selections(table.languages):
        columns: list[tuple[Average, tuple[int, ...], Sequence[str]]] = []
        for m in range(len(table.measures)):
            mine = languages_of(table, (m,), selection.languages)
            if len(mine) > 1 and (one := over_languages(table, rho_M, m, mine)):
                columns.append((one, (m,), mine))
        if (joint := over_tasks(table, rho_M, selection.languages)) and len(joint[1]) > 1:
            columns.append((*joint, languages_of(table, joint[1], selection.languages)))
        found += [
            {
                "selection": selection.name,
                "kind": selection.kind,
                "measures": list(measures),
                "languages": list(languages),
                "value": _rounded(average.value_K),
                "ci_low": _rounded(average.low_K),
                "ci_high": _rounded(average.high_K),
                **_ranks(ranks, key(measures, languages), len(table.models)),
            }
            for average, measures, languages in columns
        ]
    return found


def _ranks(ranks: Ranks, column: str, models: int) -> dict[str, list[int | None]]:
    best, worst = ranks.columns.get(column, ((0,) * models, (0,) * models))
    return {"rank_best": [rank or None for rank in best], "rank_worst": [r or None for r in worst]}


def _rounded(value_K: np.ndarray[Any, np.dtype[np.float64]]) -> list[float | None]:
    return [_number(value) for value in value_K.tolist()]


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else round(value, DIGITS)
