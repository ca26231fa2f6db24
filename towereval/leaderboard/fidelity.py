"""What a board tells of the languages that models answer in, beside the shares themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from towereval.languages import LANGUAGES
from towereval.leaderboard.build import FIDELITY, Board
from towereval.leaderboard.table import AS_IT_IS, Table
from towereval.printable import visible
from towereval.results import Run
from towereval.spoken import Kept, Spoken

MOST_LANGUAGES = 5  # of those that wrong answers were taken for


def answered_in(board: Board, table: Table) -> list[dict[str, Any]]:
    """An entry a model, measure of language fidelity and language, of the run that speaks there."""
    return [
        {
            "measure": m,
            "model": k,
            "language": code,
            "undecided": one.undecided,
            "wrong": [list(each) for each in one.wrong[:MOST_LANGUAGES]],
            "kept": {name: _record(each) for name, each in one.kept.items()},
        }
        for m, measure in enumerate(table.measures)
        if measure.metric == FIDELITY
        for k in range(len(table.models))
        for at, code in enumerate(table.languages)
        if (run := table.run_KML[k, m, at]) >= 0
        for one in _spoken(board.runs[table.runs[run]], measure.task, measure.variant, code)
    ]


def _spoken(run: Run, task: str, variant: str, language: str) -> Iterator[Spoken]:
    wanted = (task, variant, language)
    return (one for one in run.spoken if (one.task, one.variant, one.language) == wanted)


def _record(kept: Kept) -> dict[str, Any]:
    return {"all": kept.all, "right": kept.right, "low": kept.low, "high": kept.high, "n": kept.n}


def packed(entry: Mapping[str, Any], labels: Mapping[str, str]) -> dict[str, Any]:
    """As the page has it: numbers as they are printed, texts made harmless."""
    return {
        **{key: entry[key] for key in ("measure", "model", "language", "undecided")},
        "wrong": [[_name(code), count] for code, count in entry["wrong"]],
        "kept": [
            [visible(labels.get(name, name), 40), *_printed(name, each), each["n"]]
            for name, each in entry["kept"].items()
        ],
    }


def _name(code: str) -> str:
    return LANGUAGES[code].english if code in LANGUAGES else visible(code, 40)


def _printed(metric: str, kept: Mapping[str, Any]) -> list[str]:
    points = 1.0 if metric in AS_IT_IS else 100.0
    everything, right, low, high = (
        None if kept[key] is None else f"{kept[key] * points:.1f}"
        for key in ("all", "right", "low", "high")
    )
    interval = f" ({low} to {high})" if low is not None and high is not None else ""
    return [f"{everything}", "none left" if right is None else f"{right}{interval}"]
