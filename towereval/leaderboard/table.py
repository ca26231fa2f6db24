"""A board as arrays: what a model scored by a measure in a language.

A measure is one metric of one task by one protocol; two states of a task's data are two measures.

Letters after a name are an array's axes: K models, M measures, L languages. A cell that no run
filled is nan, its counts 0 and its run -1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from towereval.leaderboard.build import FIDELITY, Board
from towereval.types import Better, Result

# Metrics that are no share of what is right, nor are those whose larger values are not better: they
# are never averaged with such. The first are printed as they are, all others in per cent.
AS_IT_IS = frozenset({"bleu", "chrf", "chrf_pp", "perception_score", "cognition_score"})
FIDELITIES = frozenset({FIDELITY, f"{FIDELITY}_judged", f"{FIDELITY}_without_image"})
LEARNED = frozenset({"xcomet_xl", "comet22", "cometkiwi22"})
NO_SHARE = AS_IT_IS | FIDELITIES | LEARNED | {"cider", "rouge_l"}
# How a logged metric's signature says that its scores are no shares (`as_logged`).
OPEN = "|range:open"
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Measure:
    """`edition` counts the states of the data by how many models have them, from 1.

    `points` is what a value of 1 is printed as. `averaged`: it stands for its task in averages
    over tasks.
    """

    task: str
    variant: str
    task_version: int
    split: str
    metric: str
    signature: str
    edition: int
    languages: tuple[str, ...] = ()
    points: float = 100.0
    averaged: bool = False
    better: Better = "larger"


@dataclass(frozen=True, slots=True)
class Category:
    """A line of one of a task's own groups, by the index of its measure."""

    measure: int
    language: str
    group: str
    cells: Mapping[str, Result]


@dataclass(frozen=True, slots=True)
class Table:
    """`macro_*_KM` is the interval of the mean over all of the measure's languages, nan where that
    is not the mean of the cells: a later run may have filled some of them.

    `sources` are, for each measure, the first one that is scored from the same samples.
    `notes` holds the texts that `note_KML` points to, "" first; `runs` the run ids of `run_KML`.
    """

    models: tuple[str, ...]
    measures: tuple[Measure, ...]
    languages: tuple[str, ...]
    runs: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    categories: tuple[Category, ...]
    sources: tuple[int, ...]
    value_KML: NDArray[np.float64]
    low_KML: NDArray[np.float64]
    high_KML: NDArray[np.float64]
    n_KML: NDArray[np.int64]
    failed_KML: NDArray[np.int64]
    unscored_KML: NDArray[np.int64]
    run_KML: NDArray[np.int64]
    note_KML: NDArray[np.int64]
    macro_low_KM: NDArray[np.float64]
    macro_high_KM: NDArray[np.float64]


def tabulate(board: Board) -> Table:
    """The board's lines placed; lines in which no model has a value are left out."""
    lines = {line: cells for line, cells in board.rows.items() if _has_value(cells)}
    editions = _editions(lines)
    measures = _measures(lines, editions, _metric_places(board))
    place = {replace(m, languages=(), averaged=False): i for i, m in enumerate(measures)}
    languages = tuple(sorted({code for m in measures for code in m.languages}, key=_english_first))
    runs = tuple(sorted(board.runs))
    table = _empty(board.models, measures, languages, runs)
    notes: dict[str, int] = {"": 0}
    categories = []
    for line, cells in lines.items():
        measure = _measure(line, editions)
        if measure is None or measure not in place:
            continue
        at = place[measure]
        if line.group:
            categories.append(Category(at, line.language, line.group, cells))
        elif line.language == "*":
            _place_macro(table, at, line, cells)
        else:
            _place(table, at, line, cells, notes)
    return replace(table, notes=tuple(notes), categories=tuple(categories))


def _has_value(cells: Mapping[str, Result]) -> bool:
    return any(row.value is not None for row in cells.values())


def _english_first(code: str) -> tuple[bool, str]:
    return code != "en", code


def _protocol(line: Result) -> tuple[object, ...]:
    return (line.task, line.variant, line.task_version, line.split, line.metric, line.signature)


def _editions(lines: Mapping[Result, Mapping[str, Result]]) -> dict[tuple[object, ...], int]:
    """The edition of each protocol's language's data digest: 1 is what most models have."""
    states: dict[tuple[object, ...], list[tuple[int, str]]] = {}
    for line, cells in lines.items():
        if not line.group and line.language != "*":
            key = (*_protocol(line), line.language)
            states.setdefault(key, []).append((-len(cells), line.data))
    return {
        (*key, data): edition
        for key, found in states.items()
        for edition, (_, data) in enumerate(sorted(found), start=1)
    }


def _measure(line: Result, editions: Mapping[tuple[object, ...], int]) -> Measure | None:
    """The measure of a line, None for a mean or category over data of several editions."""
    digests = line.data.split("+") if line.language == "*" and line.data else [line.data]
    codes = line.languages if line.language == "*" else (line.language,)
    if len(digests) == 1:
        digests *= len(codes)
    found = {
        editions.get((*_protocol(line), code, data))
        for code, data in zip(codes, digests, strict=False)
    }
    if len(found) != 1 or (edition := found.pop()) is None:
        return None
    points = 1.0 if line.metric in AS_IT_IS or OPEN in line.signature else 100.0
    return Measure(
        *(line.task, line.variant, line.task_version, line.split, line.metric),
        *(line.signature, edition),
        points=points,
        better=line.better,
    )


def _is_share(measure: Measure) -> bool:
    """Whether it is a share of what is right."""
    named = measure.metric not in NO_SHARE and OPEN not in measure.signature
    return named and measure.better == "larger"


def _metric_places(board: Board) -> dict[tuple[str, str, str], int]:
    """Which metric of a task comes first in its runs' results, as the task has them."""
    places: dict[tuple[str, str, str], int] = {}
    for name in sorted(board.runs):
        for row in board.runs[name].rows:
            places.setdefault((row.task, row.variant, row.metric), len(places))
    return places


def _measures(
    lines: Mapping[Result, Mapping[str, Result]],
    editions: Mapping[tuple[object, ...], int],
    places: Mapping[tuple[str, str, str], int],
) -> tuple[Measure, ...]:
    """In the order of lines."""
    languages: dict[Measure, list[str]] = {}
    models: dict[Measure, Counter[str]] = {}
    for line, cells in lines.items():
        measure = _measure(line, editions)
        if measure is not None and not line.group and line.language != "*":
            languages.setdefault(measure, []).append(line.language)
            models.setdefault(measure, Counter()).update(
                model for model, row in cells.items() if row.value is not None
            )
    chosen = _averaged(models, places)
    return tuple(
        replace(
            measure,
            languages=tuple(sorted(codes, key=_english_first)),
            averaged=measure in chosen,
        )
        for measure, codes in languages.items()
    )


def _averaged(
    models: Mapping[Measure, Counter[str]], places: Mapping[tuple[str, str, str], int]
) -> frozenset[Measure]:
    """Of each task the share that most models have; the bundled samples count only by themselves.

    Of equals the first variant's by name, and of its metrics the task's first: what its paper gives
    of it (relaxed accuracy, circular accuracy) and what `compare` gates. Accuracies and F1 alike
    are shares.
    """
    shares = sorted(
        (one for one in models if _is_share(one)),
        key=lambda one: (one.variant, places.get((one.task, one.variant, one.metric), 0)),
    )
    full = [measure for measure in shares if measure.split == "full"]
    best: dict[str, Measure] = {}
    for measure in full or shares:
        rival = best.get(measure.task)
        if rival is None or len(models[measure]) > len(models[rival]):
            best[measure.task] = measure
    return frozenset(best.values())


def _empty(
    models: Sequence[str],
    measures: Sequence[Measure],
    languages: Sequence[str],
    runs: Sequence[tuple[str, str]],
) -> Table:
    shape = (len(models), len(measures), len(languages))
    number_KML, count_KML = np.full(shape, np.nan), np.zeros(shape, np.int64)
    return Table(
        models=tuple(models),
        measures=tuple(measures),
        languages=tuple(languages),
        runs=tuple(runs),
        notes=("",),
        categories=(),
        sources=_sources(measures),
        value_KML=number_KML,
        low_KML=number_KML.copy(),
        high_KML=number_KML.copy(),
        n_KML=count_KML,
        failed_KML=count_KML.copy(),
        unscored_KML=count_KML.copy(),
        run_KML=count_KML - 1,
        note_KML=count_KML.copy(),
        macro_low_KM=np.full(shape[:2], np.nan),
        macro_high_KM=np.full(shape[:2], np.nan),
    )


def _sources(measures: Sequence[Measure]) -> tuple[int, ...]:
    first: dict[tuple[object, ...], int] = {}
    return tuple(
        first.setdefault((m.task, m.variant, m.task_version, m.split, m.edition), index)
        for index, m in enumerate(measures)
    )


def _place(
    table: Table, at: int, line: Result, cells: Mapping[str, Result], notes: dict[str, int]
) -> None:
    column = table.languages.index(line.language)
    row_of = {model: index for index, model in enumerate(table.models)}
    run_of = {run: index for index, run in enumerate(table.runs)}
    for model, row in cells.items():
        cell = (row_of[model], at, column)
        table.value_KML[cell] = _number(row.value)
        table.low_KML[cell] = _number(row.ci_low)
        table.high_KML[cell] = _number(row.ci_high)
        table.n_KML[cell] = row.n
        table.failed_KML[cell] = row.n_failed
        table.unscored_KML[cell] = row.n_unscored
        table.run_KML[cell] = run_of[model, row.run_id]
        table.note_KML[cell] = notes.setdefault(row.note, len(notes))


def _place_macro(table: Table, at: int, line: Result, cells: Mapping[str, Result]) -> None:
    """Wants the cells of all languages placed: lines come with their mean last."""
    if set(line.languages) != set(table.measures[at].languages):
        return
    columns = [table.languages.index(code) for code in line.languages]
    for model, row in cells.items():
        k = table.models.index(model)
        mean = table.value_KML[k, at, columns].mean()
        if row.value is not None and abs(row.value - mean) < ROUNDING:
            table.macro_low_KM[k, at] = _number(row.ci_low)
            table.macro_high_KM[k, at] = _number(row.ci_high)


def _number(value: float | None) -> float:
    return np.nan if value is None else value
