"""Ranks that samples leave open, for every column that the page can sort by.

Models are compared on the samples that all of them have, by `ranks.rank_sets`: step-down max-T on
what each cluster of samples does to each model. Where the samples are not at hand, or there are too
many to read, models count as measured independently, which tells fewer apart. Where models and
columns are too many for max-T's draws, its closed form by Holm takes their place.

Letters after a name are an array's axes: K models, C clusters, P pairs of models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np

from towereval.errors import StoreError, UsageError
from towereval.influence import Influence, influences
from towereval.leaderboard.averages import (
    Average,
    Floats,
    columns_of,
    languages_of,
    over_languages,
    over_tasks,
    selections,
)
from towereval.leaderboard.build import Board
from towereval.leaderboard.scored import Scored, common, read_scored
from towereval.leaderboard.table import Measure, Table
from towereval.ranks import DRAWS, LEVEL, MOST_NUMBERS, check_same_items, rank_sets
from towereval.statistics import FEWEST_CLUSTERS
from towereval.types import Metric

# The metric of a measure, None where today's task is not the one that was run.
FindMetric: TypeAlias = Callable[[Measure], Metric | None]

# Scored samples that are read; 300 runs of a large suite have more, and would take minutes.
MOST_SAMPLES = 2_000_000
# Columns x pairs x draws up to which max-T takes some seconds.
MOST_COMPARED = 1_000_000_000
# A model that answered less than this part of what another did has no rank beside it.
ENOUGH = 0.9
NORMAL = 1e9  # degrees of freedom


@dataclass(frozen=True, slots=True)
class Ranks:
    """`best` and `worst` rank of each model by column, 0 for a model without a rank.

    A column is `key` of measures and languages. `method` is told beside the ranks.
    """

    columns: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]]
    method: str


@dataclass(slots=True)
class _Evidence:
    """The models' scored samples of one measure by language, each language's common ones."""

    metric: Metric
    samples: dict[str, dict[int, Scored]] = field(default_factory=dict)


def key(measures: Sequence[int], languages: Sequence[str]) -> str:
    """A column by its content: "0:de", "0:de,en", or "0+3:de,en" for the mean of two tasks."""
    return f"{'+'.join(map(str, measures))}:{','.join(languages)}"


def rank(board: Board, table: Table, rho_M: Floats, find_metric: FindMetric) -> Ranks:
    """The ranks of every measure and of the average over tasks, in every selection of languages.

    None of a measure that has no better values.
    """
    columns = dict(_columns(table, rho_M))
    models = len(table.models)
    pairs = models * (models - 1) // 2
    draws = min(DRAWS, max(DRAWS // 10, MOST_NUMBERS // max(1, pairs)))
    max_t = len(columns) * pairs * draws <= MOST_COMPARED
    evidence: dict[int, _Evidence] = {}
    if models > 1 and table.n_KML.sum() <= MOST_SAMPLES:
        evidence = _evidence(board, table, find_metric)
    paired = 0
    found = {}
    for name, (measures, languages, average) in columns.items():
        signed = _signed(table, measures, average)
        members = _influences(table, evidence, measures, languages)
        if members is None:
            fewest = _fewest(table, measures, languages)
            found[name] = _independent(signed, fewest, max_t)
        else:
            paired += 1
            found[name] = _paired(members, models, max_t)
    return Ranks(found, _method(max_t, paired, len(found)))


def _method(max_t: bool, paired: int, columns: int) -> str:
    test = "step-down max-T" if max_t else "Holm's step-down test"
    if paired == columns:
        return f"{test} on the samples that models share"
    if paired:
        rest = columns - paired
        return f"{test} on shared samples; {rest} of {columns} columns as if independent"
    return f"{test}, models as if measured independently"


def _columns(
    table: Table, rho_M: Floats
) -> Iterator[tuple[str, tuple[tuple[int, ...], tuple[str, ...], Average]]]:
    ranked = [m for m, measure in enumerate(table.measures) if measure.better != "neither"]
    for selection in selections(table.languages):
        for m in ranked:
            mine = languages_of(table, (m,), selection.languages)
            average = over_languages(table, rho_M, m, mine)
            if average is not None:
                yield key((m,), mine), ((m,), mine, average)
        if joint := over_tasks(table, rho_M, selection.languages):
            average, measures = joint
            if len(measures) > 1:
                mine = languages_of(table, measures, selection.languages)
                yield key(measures, mine), (measures, mine, average)


def _signed(table: Table, measures: Sequence[int], average: Average) -> Average:
    """With higher values for better models, whatever the metric."""
    if table.measures[measures[0]].better == "smaller":
        return replace(average, value_K=-average.value_K)
    return average


def _evidence(board: Board, table: Table, find_metric: FindMetric) -> dict[int, _Evidence]:
    found = {}
    for m, measure in enumerate(table.measures):
        metric = find_metric(measure) if measure.better != "neither" else None
        if metric is None:
            continue
        one = _Evidence(metric)
        try:
            for at in columns_of(table, m, table.languages):
                one.samples[table.languages[at]] = common(_scored(board, table, m, at, metric))
        except StoreError:
            continue  # such as a baseline's file, which has no samples: _method tells it
        found[m] = one
    return found


def _scored(board: Board, table: Table, m: int, at: int, metric: Metric) -> dict[int, Scored]:
    """The samples of the models that answered enough, by model."""
    count_K = table.n_KML[:, m, at]
    enough = [k for k in range(len(table.models)) if count_K[k] >= max(1, ENOUGH * count_K.max())]
    found = {}
    for k in enough:
        run = board.runs[table.runs[table.run_KML[k, m, at]]]
        found[k] = read_scored(run.folder, table.measures[m].task, metric.name, table.languages[at])
    return found


def _influences(
    table: Table,
    evidence: Mapping[int, _Evidence],
    measures: Sequence[int],
    languages: Sequence[str],
) -> dict[int, Influence] | None:
    """Each model's influence on the column, None where the samples are not at hand."""
    if not all(m in evidence for m in measures):
        return None
    parts: dict[int, list[Influence]] = {}
    for m in measures:
        mine = languages_of(table, (m,), languages)
        sign = -1.0 if table.measures[m].better == "smaller" else 1.0
        for k, influence in _of_measure(evidence[m], mine).items():
            signed = replace(influence, value=sign * influence.value, parts=sign * influence.parts)
            parts.setdefault(k, []).append(signed)
    return {k: _mean(found) for k, found in parts.items() if len(found) == len(measures)}


def _of_measure(evidence: _Evidence, languages: Sequence[str]) -> dict[int, Influence]:
    """The models that have all of the languages."""
    models = set.intersection(*(set(evidence.samples[code]) for code in languages))
    found = {}
    for k in sorted(models):
        samples = {code: evidence.samples[code][k].observations() for code in languages}
        try:
            all_of_them = influences(evidence.metric, samples)
        except ValueError:  # a single cluster: such a column has no interval either
            return {}
        one = all_of_them["*" if len(languages) > 1 else languages[0]]
        if len(one.clusters) >= FEWEST_CLUSTERS:
            found[k] = one
    return found


def _mean(parts: Sequence[Influence]) -> Influence:
    """The mean of several tasks' values, which share no sample, on the scale from 0 to 1."""
    if len(parts) == 1:
        return parts[0]
    return Influence(
        value=sum(part.value / part.scale for part in parts) / len(parts),
        n=sum(part.n for part in parts),
        scale=1.0,
        clusters=tuple(f"{i}/{name}" for i, part in enumerate(parts) for name in part.clusters),
        parts=np.concatenate([part.parts / part.scale for part in parts]) / len(parts),
        freedom=min(part.freedom for part in parts),
    )


def _fewest(table: Table, measures: Sequence[int], languages: Sequence[str]) -> int:
    counts = [
        int(table.n_KML[:, m, columns_of(table, m, languages)].sum(1).max()) for m in measures
    ]
    return max(1, min(counts))


def _paired(
    members: Mapping[int, Influence], models: int, max_t: bool
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ranks on shared samples; none rather than wrong ones where items are not the same."""
    found = list(members.values())
    try:
        if max_t or len(found) < 2:
            return _placed(list(members), rank_sets(found), models)
        check_same_items(found)
    except UsageError:
        return _placed([], [], models)
    value_K = np.array([each.value / each.scale for each in found])
    parts_CK = np.stack([each.parts / each.scale for each in found], 1)
    freedom = min(each.freedom for each in found)
    sets = holm_rank_sets(value_K, parts_CK.T @ parts_CK, found[0].n, freedom)
    return _placed(list(members), sets, models)


def _independent(average: Average, n: int, max_t: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ranks of models with an interval, each as if measured on samples of its own."""
    members = np.flatnonzero(np.isfinite(average.value_K) & np.isfinite(average.error_K))
    value_K, error_K = average.value_K[members], average.error_K[members]
    if max_t:
        names = tuple(f"model {k}" for k in members)
        alone = [
            Influence(float(value), n, 1.0, names, part_C, NORMAL)
            for value, part_C in zip(value_K, np.diag(error_K), strict=True)
        ]
        sets = rank_sets(alone)
    else:
        sets = holm_rank_sets(value_K, np.diag(error_K**2), n, NORMAL)
    return _placed(members.tolist(), sets, len(average.value_K))


def _placed(
    members: Sequence[int], sets: Sequence[tuple[int, int]], models: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    best, worst = [0] * models, [0] * models
    for k, (low, high) in zip(members, sets, strict=True):
        best[k], worst[k] = low, high
    return tuple(best), tuple(worst)


def holm_rank_sets(
    value_K: Floats, covariance_KK: Floats, n: int, freedom: float
) -> list[tuple[int, int]]:
    """As `ranks.rank_sets`, in closed form: a step-down test of all pairs by Holm (1979)."""
    from scipy import special

    variance_K = np.diag(covariance_KK)
    # In place: a board has a thousand columns, and most of the time would go into new arrays.
    error_KK = -2 * covariance_KK
    error_KK += variance_K[:, None]
    error_KK += variance_K
    np.maximum(error_KK, 0, out=error_KK)
    error_KK += 2 / n**2  # as in ranks.py
    np.sqrt(error_KK, out=error_KK)
    distance_KK = np.subtract.outer(value_K, value_K)
    distance_KK /= error_KK
    pairs = len(value_K) * (len(value_K) - 1) // 2
    better_KK = np.zeros_like(distance_KK, bool)
    told, found = -1, 0
    while told < found < pairs:
        told = found
        critical = special.stdtrit(freedom, 1 - (1 - LEVEL) / 2 / (pairs - told))
        better_KK = distance_KK > critical
        found = int(better_KK.sum())
    low_K, high_K = 1 + better_KK.sum(0), len(value_K) - better_KK.sum(1)
    return list(zip(low_K.tolist(), high_K.tolist(), strict=True))
