"""Two runs on the same samples: what differs, what may be called a regression, and the verdict.

The gate is one family: for each task its first metric that both runs have, in every language and in
the mean over them. It is decided as is written here, before any number is seen:
  regression    some adjusted p of a drop <= alpha, and that drop is not shown to be within the
                margin (one-sided interval of level 1 - alpha). False alarms: at most alpha.
  pass          no regression, and each task's mean proven: shown to be within the margin, surely
                better (adjusted p of a gain <= alpha), or all raw answers and their scores are the
                same. All must pass, so none needs correction (Berger 1982).
  inconclusive  anything else: too few samples to say so, or the candidate lacks gated scores that
                base has.
Other metrics are compared and shown; they decide nothing, and what they lack is a notice. Language
fidelity is a task's first where it has nothing else; what has no better values is never gated. A
drop is for the worse: of a metric whose smaller values are better it is a rise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from towereval.errors import UnknownName, UsageError
from towereval.languages import Present
from towereval.measured import Measured
from towereval.pairing import Pairs, missing_members, only, pair, present_groups
from towereval.types import Better, DifferenceMetric, Metric, PrintedMetric

if TYPE_CHECKING:
    from towereval.paired import Contrast, Difference

MEAN = "*"


class Verdict(StrEnum):
    PASS = "pass"
    REGRESSION = "regression"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Settings:
    """`margin` is in parts of what is printed as 100: 0.02 is 2 points of accuracy, BLEU or CIDEr.

    `metrics` are gated instead of the first of the tasks that have them. `languages` are codes and
    groups: nothing else is compared, and each group's mean is shown.
    """

    alpha: float = 0.05
    margin: float = 0.02
    metrics: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    flips: int = 10_000
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """One difference, candidate less base, in the metric's unit; language "*" is the mean.

    With `members` it is the mean over these, which are what there is of the group `language`. With
    `own_unit` the metric has no best value, so that its numbers are no parts of 100.
    `p` is two-sided and of this difference alone, `p_bh` the same adjusted to the share of false
    discoveries among all, `p_adjusted` the gate's: one-sided, for all that is gated together; None
    where nothing is gated. `detectable` is the drop found with 80% power, None where none could be.
    `scale` is what is printed as 100.
    `verdict`: "regression", "drop within the margin", "improvement", "same answers", "cannot fail:
    k discordant", "not worse" (shown to be within the margin), "unproven", or "not gated". `proven`
    is what a pass needs of a mean; what cannot fail may be proven by its interval.
    """

    task: str
    variant: str
    language: str
    metric: str
    base: float
    candidate: float
    delta: float
    ci_low: float | None
    ci_high: float | None
    p: float
    p_adjusted: float | None
    n: int
    detectable: float | None
    verdict: str
    p_bh: float
    gated: bool
    proven: bool
    clusters: int
    discordant: int
    scale: float
    signature: str
    members: tuple[str, ...] = ()
    own_unit: bool = False
    better: Better = "larger"


@dataclass(frozen=True, slots=True)
class Report:
    """`reasons` say why it is the verdict, `notices` what was not compared and why."""

    verdict: Verdict
    settings: Settings
    base: str
    candidate: str
    comparisons: tuple[Comparison, ...]
    reasons: tuple[str, ...]
    notices: tuple[str, ...]


def compare(base: Measured, candidate: Measured, settings: Settings | None = None) -> Report:
    """Raises `UsageError` where samples cannot be paired, and says which."""
    settings = settings or Settings()
    if not 0 < settings.alpha < 0.5 or not 0 < settings.margin < 1:
        raise UsageError("--alpha lies between 0 and 0.5, --margin between 0 and 1")
    if settings.languages:
        base, candidate = only(base, candidate, settings.languages)
    paired = pair(base, candidate, settings.metrics, settings.margin)
    groups = [present_groups(each, settings.languages) for each in paired.pairs]
    gated = _gated(paired.pairs, settings)
    comparisons = tuple(_compared(paired.pairs, gated, groups, settings))
    verdict, reasons = decide(comparisons, paired.lacking)
    old, new = (f"{run.model} ({run.run_id})" for run in (base, candidate))
    notices = (*paired.notices, *missing_members(paired.pairs, groups))
    return Report(verdict, settings, old, new, comparisons, reasons, notices)


def _gated(pairs: Sequence[Pairs], settings: Settings) -> list[bool]:
    """Of each task the metrics that were named, its first where none of its own was."""
    offered = {each.metric.name for each in pairs}
    for name in settings.metrics:
        if name not in offered:
            raise UnknownName("metric", name, offered)
    for each in pairs:
        if each.metric.name in settings.metrics and each.metric.better == "neither":
            what = f"{each.metric.name} of {each.task}"
            raise UsageError(f"{what} cannot be gated: neither more nor less of it is better")
    chosen = [each.metric.name in settings.metrics for each in pairs]
    named = {each.task for each, one in zip(pairs, chosen, strict=True) if one}
    # None stands for a metric that no task is judged by unless it is named.
    tasks = [None if each.aside else each.task for each in pairs]
    return [
        one or (task is not None and task not in named and task not in tasks[:index])
        for index, (task, one) in enumerate(zip(tasks, chosen, strict=True))
    ]


def _compared(
    pairs: Sequence[Pairs],
    gated: Sequence[bool],
    groups: Sequence[Sequence[Present]],
    settings: Settings,
) -> Iterator[Comparison]:
    import numpy as np

    from towereval.flips import benjamini_hochberg
    from towereval.influence import Unbounded
    from towereval.paired import differences

    made = contrasts(pairs, gated)
    found = differences(made, alpha=settings.alpha, flips=settings.flips, seed=settings.seed)
    for by_language, joint in zip(found, _joint(made, groups, settings), strict=True):
        by_language |= joint
    found = [
        {language: one.turned() for language, one in by_language.items()}
        if each.metric.better == "smaller"
        else by_language
        for each, by_language in zip(pairs, found, strict=True)
    ]
    alone = np.array([one.p for by_language in found for one in by_language.values()])
    p_bh = iter(benjamini_hochberg(alone).tolist())
    for each, contrast, by_language, present in zip(pairs, made, found, groups, strict=True):
        of_group = {group.name: group.members for group in present}
        for language, one in by_language.items():
            alike = each.languages if language == MEAN else (language,)
            meant = of_group.get(language, alike)
            gates = contrast.gated and language not in of_group
            same = each.same_answers.issuperset(meant)
            scale = hundred(each.metric)
            within = one.floor is not None and one.floor > -settings.margin * scale
            verdict = _verdict(one, same=same, within=within, alpha=settings.alpha)
            yield Comparison(
                *(each.task, each.variant, language, each.metric.name),
                base=one.base,
                candidate=one.candidate,
                delta=one.delta,
                ci_low=one.low,
                ci_high=one.high,
                p=one.p,
                p_adjusted=one.p_drop,
                n=one.n,
                detectable=one.detectable,
                verdict=verdict,
                p_bh=next(p_bh),
                gated=gates,
                proven=gates and (within or verdict in ("improvement", "same answers")),
                clusters=one.clusters,
                discordant=one.discordant,
                scale=scale,
                signature=each.signature,
                members=of_group.get(language, ()),
                own_unit=isinstance(each.metric, Unbounded),
                better=each.metric.better,
            )


def hundred(metric: Metric) -> float:
    return metric.hundred if isinstance(metric, PrintedMetric) else metric.scale


def _joint(
    made: Sequence[Contrast], groups: Sequence[Sequence[Present]], settings: Settings
) -> Iterator[dict[str, Difference]]:
    """The mean over each group's members, by its name; gated is nothing of it."""
    from towereval.paired import Contrast, differences

    for contrast, present in zip(made, groups, strict=True):
        parts = [
            Contrast({code: contrast.cells[code] for code in group.members}, gated=False)
            for group in present
        ]
        found = differences(parts, alpha=settings.alpha, flips=settings.flips, seed=settings.seed)
        yield {
            group.name: one.get(MEAN) or next(iter(one.values()))
            for group, one in zip(present, found, strict=True)
        }


def contrasts(pairs: Sequence[Pairs], gated: Sequence[bool]) -> list[Contrast]:
    """Clusters are numbered through all tasks: a name means another item in another task.

    Where smaller values are better the candidate stands for base: a gain is for the better.
    """
    import numpy as np

    from towereval.flips import Cell
    from towereval.paired import Contrast

    codes: dict[tuple[str, str], int] = {}
    found = []
    for each, is_gated in zip(pairs, gated, strict=True):
        cells = {}
        for language, samples in each.languages.items():
            names = [(each.task, cluster) for cluster in samples.clusters]
            code_R = np.array([codes.setdefault(name, len(codes)) for name in names], np.int64)
            base_RK, candidate_RK = np.array([samples.base, samples.candidate], np.float64)
            if each.metric.better == "smaller":
                base_RK, candidate_RK = candidate_RK, base_RK
            span = hundred(each.metric) / each.metric.scale
            if isinstance(each.metric, DifferenceMetric):  # on either side of zero
                span *= 2
            cells[language] = Cell(each.metric, base_RK, candidate_RK, code_R, span)
        found.append(Contrast(cells, is_gated))
    return found


def _verdict(one: Difference, *, same: bool, within: bool, alpha: float) -> str:
    from towereval.paired import fewest_discordant

    if one.p_drop is None or one.p_gain is None:
        return "not gated"
    if one.p_drop <= alpha:
        return "drop within the margin" if within else "regression"
    if one.p_gain <= alpha:
        return "improvement"
    if same:
        return "same answers"
    if one.discordant < fewest_discordant(alpha):
        return f"cannot fail: {one.discordant} discordant"
    return "not worse" if within else "unproven"


def decide(
    comparisons: Sequence[Comparison], lacking: Sequence[str]
) -> tuple[Verdict, tuple[str, ...]]:
    """The gate's verdict and its reasons."""
    gated = [each for each in comparisons if each.gated]
    if worse := [each for each in gated if each.verdict == "regression"]:
        return Verdict.REGRESSION, tuple(
            f"{place(each)}: {_points(each, each.delta)}, adjusted p {each.p_adjusted:.4f}"
            for each in worse
        )
    means = {(each.task, each.metric) for each in gated if each.language == MEAN}
    wholes = [
        each for each in gated if each.language == MEAN or (each.task, each.metric) not in means
    ]
    open_ = [each for each in wholes if not each.proven]
    reasons = (*lacking, *map(_why_open, open_))
    return (Verdict.INCONCLUSIVE if reasons else Verdict.PASS), reasons


def place(one: Comparison) -> str:
    """What is compared, as a line of text names it."""
    return f"{one.task}@{one.variant} {one.metric}, {language_of(one)}"


def language_of(one: Comparison) -> str:
    """A language's code, or what mean it is."""
    if one.members:
        return f"{one.language}, mean of {len(one.members)}"
    return "macro mean" if one.language == MEAN else one.language


def _why_open(one: Comparison) -> str:
    if one.ci_low is None:
        return f"{place(one)}: too few clusters to bound a drop ({one.n} samples)"
    seen = "no drop at all"
    if one.detectable is not None:
        found = one.detectable / one.scale
        seen = f"{found:.2f} in its unit" if one.own_unit else f"{found:.1%}"
    worst, way = one.ci_low, "down"
    if one.better == "smaller" and one.ci_high is not None:
        worst, way = one.ci_high, "up"
    return (
        f"{place(one)}: not shown to be within the margin; {way} to"
        f" {_points(one, worst)} are possible, and of {'drops' if way == 'down' else 'rises'}"
        f" {seen} could be found with 80% power ({one.n} samples)"
    )


def _points(one: Comparison, value: float) -> str:
    share = value / one.scale
    return f"{share:+.2f} in its unit" if one.own_unit else f"{100 * share:+.1f} points"
