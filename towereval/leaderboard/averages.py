"""What an average is, here and in the page (`page/averages.js` follows the same rule).

Over languages it is the unweighted mean of a measure's languages in the selection, over tasks the
unweighted mean of the tasks' means. A model that lacks one of them has none: means over unequal
sets are not comparable.

The error of a mean over k languages is sqrt(S + rho (T^2 - S)) / k, with S the sum of the squared
errors and T the sum of the errors: languages share pictures, so their errors are correlated. `rho`
is the measure's, found from the macro intervals that were computed from the samples; these
themselves are shown where the mean is over all of the measure's languages. Tasks share no samples.

Letters after a name are an array's axes: K models, M measures, L languages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from towereval.languages import GROUPS, LANGUAGES, TIERS, expand, meant, members
from towereval.leaderboard.table import Table

Floats = NDArray[np.float64]
Z95 = 1.959964


@dataclass(frozen=True, slots=True)
class Selection:
    """A named set of the board's languages. `kind`: all, group, tier, script or language."""

    kind: str
    name: str
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Average:
    """Each model's mean with its 95% interval, nan where it has none; over so many cells."""

    value_K: Floats
    low_K: Floats
    high_K: Floats
    error_K: Floats
    cells: int


def selections(languages: Sequence[str]) -> tuple[Selection, ...]:
    """All, the groups and scripts that the board has, with English and without, and each language.

    Of several that name the same languages the first stays.
    """
    found = [Selection("all", "all", tuple(languages))]
    for kind, sets in (("group", GROUPS), ("tier", TIERS)):
        for name in sets:
            found.append(Selection(kind, name, tuple(c for c in languages if name in groups(c))))
    scripts = sorted({LANGUAGES[code].script for code in languages if code in LANGUAGES})
    for script in scripts:
        written = tuple(c for c in languages if c in LANGUAGES and LANGUAGES[c].script == script)
        found.append(Selection("script", script, written))
    for each in list(found):
        rest = tuple(code for code in each.languages if code != "en")
        found.append(Selection(each.kind, f"{each.name} without English", rest))
    found += [Selection("language", code, (code,)) for code in languages]
    distinct: dict[tuple[str, ...], Selection] = {}
    for each in found:
        if each.languages:
            distinct.setdefault(each.languages, each)
    return tuple(distinct.values())


def groups(code: str) -> tuple[str, ...]:
    """Groups and tier of a language, as `languages.expand` has them."""
    named = [(name, name) for name in GROUPS] + [(tier, f"tier:{tier}") for tier in TIERS]
    return tuple(name for name, group in named if code in expand((group,)))


def named_groups(languages: Sequence[str]) -> tuple[dict[str, object], ...]:
    """The groups and tiers of which the board has a language: kind, name, and of each member the
    codes that stand for it.
    """
    named = [("group", name, name) for name in GROUPS]
    named += [("tier", tier, f"tier:{tier}") for tier in TIERS]
    return tuple(
        {
            "kind": kind,
            "name": name,
            "members": {code: list(meant(code)) for code in members(group)},
        }
        for kind, name, group in named
        if set(expand((group,))) & set(languages)
    )


def errors(low: Floats, high: Floats) -> Floats:
    """Standard errors of which the 95% intervals are made."""
    return (high - low) / (2 * Z95)


def correlations(table: Table) -> Floats:
    """Each measure's `rho`, within [0, 1]; 0 where no macro interval tells it."""
    rho_M = np.zeros(len(table.measures))
    for m in range(len(table.measures)):
        columns = columns_of(table, m, table.languages)
        error_KL = errors(table.low_KML[:, m, columns], table.high_KML[:, m, columns])
        joint_K = errors(table.macro_low_KM[:, m], table.macro_high_KM[:, m])
        known = np.isfinite(joint_K) & np.isfinite(error_KL).all(1)
        squares_K, sums_K = (error_KL[known] ** 2).sum(1), error_KL[known].sum(1)
        room = (sums_K**2 - squares_K).sum()
        if room > 0:
            excess = ((len(columns) * joint_K[known]) ** 2 - squares_K).sum()
            rho_M[m] = np.clip(excess / room, 0, 1)
    return rho_M


def columns_of(table: Table, measure: int, languages: Sequence[str]) -> list[int]:
    """Where the measure's languages among these are in the table."""
    mine = set(table.measures[measure].languages) & set(languages)
    return [index for index, code in enumerate(table.languages) if code in mine]


def languages_of(
    table: Table, measures: Sequence[int], languages: Sequence[str]
) -> tuple[str, ...]:
    """Those of the languages that one of the measures has, in the table's order."""
    has = {code for m in measures for code in table.measures[m].languages} & set(languages)
    return tuple(code for code in table.languages if code in has)


def over_languages(
    table: Table, rho_M: Floats, measure: int, languages: Sequence[str]
) -> Average | None:
    """A measure's mean, None where it has none of the languages."""
    columns = columns_of(table, measure, languages)
    if not columns:
        return None
    value_KL = table.value_KML[:, measure, columns]
    low_KL, high_KL = table.low_KML[:, measure, columns], table.high_KML[:, measure, columns]
    value_K = value_KL.mean(1)
    if len(columns) == 1:
        low_K, high_K = low_KL[:, 0], high_KL[:, 0]
        return Average(value_K, low_K, high_K, errors(low_K, high_K), 1)
    error_KL = errors(low_KL, high_KL)
    squares_K, sums_K = (error_KL**2).sum(1), error_KL.sum(1)
    variance_K = squares_K + rho_M[measure] * (sums_K**2 - squares_K)
    error_K = np.sqrt(variance_K) / len(columns)
    low_K, high_K = value_K - Z95 * error_K, value_K + Z95 * error_K
    if len(columns) == len(table.measures[measure].languages):
        own_low_K, own_high_K = table.macro_low_KM[:, measure], table.macro_high_KM[:, measure]
        exact = np.isfinite(own_low_K)
        low_K, high_K = np.where(exact, own_low_K, low_K), np.where(exact, own_high_K, high_K)
        error_K = np.where(exact, errors(own_low_K, own_high_K), error_K)
    return Average(value_K, low_K, high_K, error_K, len(columns))


def over_tasks(
    table: Table, rho_M: Floats, languages: Sequence[str]
) -> tuple[Average, tuple[int, ...]] | None:
    """The mean over the averaged measures that have one of the languages, and which they are."""
    parts = [
        (m, part)
        for m, measure in enumerate(table.measures)
        if measure.averaged
        if (part := over_languages(table, rho_M, m, languages)) is not None
    ]
    if not parts:
        return None
    chosen = tuple(m for m, _ in parts)
    if len(parts) == 1:
        return parts[0][1], chosen
    value_K = np.mean([part.value_K for _, part in parts], axis=0)
    error_K = np.sqrt(np.sum([part.error_K**2 for _, part in parts], axis=0)) / len(parts)
    low_K, high_K = value_K - Z95 * error_K, value_K + Z95 * error_K
    cells = sum(part.cells for _, part in parts)
    return Average(value_K, low_K, high_K, error_K, cells), chosen
