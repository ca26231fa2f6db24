"""What a run gains over another by groups of languages, as TowerVision's figure 3 (2510.21849)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from towereval.compare import Comparison, Settings, compare
from towereval.errors import UnknownName, UsageError
from towereval.languages import GROUPS, TIERS, among, members
from towereval.measured import Measured, load_task
from towereval.types import WAYS, Better


@dataclass(frozen=True, slots=True)
class GroupGain:
    """A group's mean difference, that of each of its languages, the largest first, and who lacks.

    Differences are candidate less base on the same samples, with paired intervals.
    """

    name: str
    mean: Comparison
    languages: tuple[Comparison, ...]
    missing: tuple[str, ...]


def gains(
    base: Measured, candidate: Measured, groups: Sequence[str], task: str = "", metric: str = ""
) -> list[GroupGain]:
    """Of one task and metric, its first unless named, those groups that both have a language of.

    Raises `UsageError` where the runs cannot be paired, several tasks leave open which is meant, or
    no group has a language.
    """
    for name in groups:
        if not members(name):
            raise UnknownName("group", name, [*GROUPS, *(f"tier:{tier}" for tier in TIERS)])
    name = _one(base, candidate, task)
    offered = [
        code for code in base.tasks[name].languages if code in candidate.tasks[name].languages
    ]
    found = [among(group, offered) for group in groups]
    if not any(present.members for present in found):
        has = ", ".join(offered) or "no language"
        raise UsageError(
            f"{name}: none of {', '.join(groups)} has a language of both; it has {has}"
        )
    named = tuple(present.name for present in found if present.members)
    for one in load_task(name, base.tasks[name]).metrics:
        if one.name == metric:
            check_gains(name, metric, one.better)
    # A group's rows are of its members alone, whatever the gate would say.
    report = compare(
        base, candidate, Settings(metrics=(metric,) if metric else (), languages=named)
    )
    ours = [one for one in report.comparisons if one.task == name]
    if not ours:
        raise UsageError(f"{name}: the two runs share no score")
    wanted = metric or ours[0].metric
    check_gains(name, wanted, next((one.better for one in ours if one.metric == wanted), "larger"))
    rows = {one.language: one for one in ours if one.metric == wanted}
    return [
        GroupGain(
            present.name,
            rows[present.name],
            tuple(
                sorted(
                    (rows[code] for code in rows[present.name].members),
                    key=lambda one: (-one.delta, one.language),
                )
            ),
            # Also who was asked in both but has no score in one.
            among(present.name, rows[present.name].members).missing,
        )
        for present in found
        if present.name in rows
    ]


def check_gains(task: str, metric: str, better: Better) -> None:
    """Raises `UsageError` for a metric of which more is no gain."""
    if better != "larger":
        raise UsageError(f"{metric} of {task} has no gains: of it{WAYS[better].lstrip(',')}")


def _one(base: Measured, candidate: Measured, task: str) -> str:
    both = [name for name in base.tasks if name in candidate.tasks]
    if task and task not in both:
        raise UnknownName("task", task, both)
    if not task and len(both) != 1:
        raise UsageError(f"--task is needed: both have {', '.join(both) or 'no task in common'}")
    return task or both[0]
