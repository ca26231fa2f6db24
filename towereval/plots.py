"""Bars with whiskers per language, and gains between two runs by language group.

Needs matplotlib (extra `plots`). The same numbers give the same figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from towereval.errors import MissingExtra, UsageError
from towereval.figure_files import SMALL, fit
from towereval.languages import LANGUAGES, expand
from towereval.printable import visible

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Told apart by the colour-blind and in grey print.
COLOURS = ("#2166ac", "#e08214", "#1b9e77", "#7b3294", "#b2182b", "#636363")
_MEAN, _GAIN, _LOSS, _INK, _FAINT = "#123f6d", "#2166ac", "#b2182b", "#222222", "#6a6a6a"
_GROUPS = ("core", "added", "unseen")
_HEADINGS = {
    "core": "Core languages",
    "added": "Added languages",
    "unseen": "Unseen languages",
    "other": "Other languages",
}
# Inches: so wide fits a page, so high a row that 40 languages stay legible.
_WIDTH, _ROW = 7.2, 0.22


@dataclass(frozen=True, slots=True)
class Bar:
    """One language's value in the metric's unit; `low` and `high` are None without an interval."""

    language: str
    value: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Series:
    """One run's bars; language "*" is its macro mean."""

    label: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Gain:
    """Candidate less base in one language, in points of 100.

    Of a metric without a best value it is in the metric's own unit.
    """

    language: str
    points: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Section:
    """A group's gains under its mean, whose `language` is its heading."""

    name: str
    mean: Gain
    members: tuple[Gain, ...]


def draw_languages(series: Sequence[Series], title: str, metric: str, scale: float) -> Figure:
    """One bar a run and language, best first by the first run, the macro mean on top.

    `scale` is the metric's best value, infinity where it has none. Raises `UsageError` for more
    runs than can be told apart.
    """
    if not 1 <= len(series) <= len(COLOURS):
        raise UsageError(f"a plot shows 1 to {len(COLOURS)} runs, found {len(series)}")
    order = _order(series)
    if not order:
        raise UsageError(f"{title}: no language has a value to draw")
    step = max(1.0, 0.55 * len(series) + 0.25)
    figure, axes = _canvas(len(order) * step, title, f"{metric}, 95% intervals")
    bars = [bar for each in series for bar in each.bars]
    highest = max(bar.value if bar.high is None else bar.high for bar in bars)
    lowest = min(0.0, *(bar.value if bar.low is None else bar.low for bar in bars))
    alone = len(series) == 1
    for number, each in enumerate(series):
        found = {bar.language: bar for bar in each.bars}
        for row, language in enumerate(order):
            if bar := found.get(language):
                offset = (number - (len(series) - 1) / 2) * 0.55
                colour = _MEAN if alone and language == "*" else COLOURS[number]
                _bar(axes, row * step + offset, bar, colour, f"{number}-{row}")
                if alone:
                    _value(axes, row, bar, decimals=1 if 1 < scale < math.inf else 3)
    axes.set_yticks([row * step for row in range(len(order))], map(language_name, order))
    axes.set_ylim((len(order) - 1) * step + 0.6 * step, -0.6 * step)
    # Where all is zero the axis is as long as it can be.
    empty = 0.0 if lowest < 0 else scale if math.isfinite(scale) else 1.0
    right = max(min(scale, highest), 0.0) or empty
    axes.set_xlim(1.04 * lowest, right + (right - lowest) * (0.24 if alone else 0.04))
    axes.set_xticks(
        [tick for tick in axes.get_xticks() if lowest <= tick <= min(scale, axes.get_xlim()[1])]
    )
    if "*" in order and len(order) > 1:
        axes.axhline(0.5 * step, color="#bbbbbb", linewidth=0.8)
    if not alone:
        _legend(figure, [each.label for each in series])
    return figure


def draw_gains(gains: Sequence[Gain], title: str, metric: str, *, own_unit: bool = False) -> Figure:
    """Gains by TowerVision's groups, largest first; each opens with its mean, without interval."""
    sections = [
        Section(
            group,
            Gain(heading(_HEADINGS[group], len(members)), _mean(members), None, None),
            tuple(members),
        )
        for group, members in _sections(gains).items()
    ]
    return draw_sections(sections, title, metric, own_unit=own_unit)


def heading(name: str, count: int) -> str:
    return f"{name}, mean of {count}"


def draw_sections(
    sections: Sequence[Section], title: str, metric: str, *, own_unit: bool = False
) -> Figure:
    """Gain per language by group, as figure 3 of TowerVision (arXiv 2510.21849).

    Bars whose interval holds zero are pale. `own_unit`: gains are not in points of 100.
    """
    if not sections:
        raise UsageError(f"{title}: no language to draw a gain of")
    gains = [gain for each in sections for gain in (each.mean, *each.members)]
    rows = len(gains) + 0.9 * len(sections)
    unit = "" if own_unit else "points of "
    figure, axes = _canvas(rows, title, f"gain in {unit}{metric}, 95% intervals")
    place, ticks, names = 0.0, [], []
    ends = [end for gain in gains for end in (gain.points, gain.low or 0.0, gain.high or 0.0)]
    low, high = min([*ends, -1.0]), max([*ends, 1.0])
    right = high + 0.17 * (high - low)
    for number, each in enumerate(sections):
        place += 0.9 if number else 0.0
        for row, gain in enumerate((each.mean, *each.members)):
            text = f"{gain.points:+.{2 if own_unit else 1}f}"
            _gain(axes, place, gain, (right, text), f"{each.name}-{row}", mean=row == 0)
            ticks.append(place)
            names.append(gain.language if row == 0 else language_name(gain.language))
            place += 1
    axes.set_yticks(ticks, names)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if ", mean of " in name else "normal")
    axes.set_ylim(place - 0.4, -0.7)
    axes.set_xlim(low - 0.04 * (high - low), right)
    axes.set_xticks([tick for tick in axes.get_xticks() if low <= tick <= high])
    axes.axvline(0, color=_INK, linewidth=0.8)
    return figure


def language_name(code: str) -> str:
    """In English and Latin letters, with the code: fonts for all scripts are rarely at hand."""
    if code == "*":
        return "macro mean"
    known = LANGUAGES.get(code)
    # A code is ASCII; one that is not is somebody's mistake, and is shown as such.
    return f"{known.english} ({code})" if known else visible(ascii(code)[1:-1], 30)


def group_of(code: str) -> str:
    """TowerVision's group of a language, "other" for what it neither knows nor tests."""
    return next((group for group in _GROUPS if code in expand((group,))), "other")


def _order(series: Sequence[Series]) -> list[str]:
    first = {bar.language: bar.value for bar in series[0].bars}
    languages = dict.fromkeys(bar.language for each in series for bar in each.bars)
    return sorted(languages, key=lambda code: (code != "*", -first.get(code, -1.0), code))


def _sections(gains: Iterable[Gain]) -> dict[str, list[Gain]]:
    found: dict[str, list[Gain]] = {group: [] for group in (*_GROUPS, "other")}
    for gain in gains:
        if gain.language != "*":
            found[group_of(gain.language)].append(gain)
    return {
        group: sorted(members, key=lambda gain: (-gain.points, gain.language))
        for group, members in found.items()
        if members
    }


def _mean(gains: Sequence[Gain]) -> float:
    return sum(gain.points for gain in gains) / len(gains)


def _canvas(rows: float, title: str, subtitle: str) -> tuple[Figure, Axes]:
    """Axes of so many rows under a title, as high as they need."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtra("matplotlib", "plots") from error
    height = 1.1 + _ROW * rows
    layout = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - 0.5 / height))
    figure = Figure(figsize=(_WIDTH, height), layout=layout)
    top = {"va": "top", "color": _INK}
    figure.text(0.012, 1 - 0.09 / height, fit(title), top, fontsize=11, fontweight="bold")
    figure.text(0.012, 1 - 0.32 / height, fit(subtitle, SMALL), top, fontsize=8.5)
    axes = figure.subplots()
    axes.tick_params(axis="y", length=0, labelsize=8.5, labelcolor=_INK)
    axes.tick_params(axis="x", length=0, labelsize=8, labelcolor=_FAINT)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "bottom", "left"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _bar(axes: Axes, place: float, bar: Bar, colour: str, name: str) -> None:
    (drawn,) = axes.barh(place, bar.value, height=0.52, color=colour)
    drawn.set_gid(f"bar-{name}")
    _whisker(axes, place, bar.low, bar.high, name)


def _value(axes: Axes, place: float, bar: Bar, decimals: int) -> None:
    label = f"  {bar.value:.{decimals}f}   n {bar.n}"
    axes.text(
        max(bar.value, bar.high or 0, 0), place, label, va="center", fontsize=7.5, color=_FAINT
    )


def _gain(
    axes: Axes, place: float, gain: Gain, label: tuple[float, str], name: str, *, mean: bool
) -> None:
    """`label` is where it ends and what it says."""
    right, text = label
    sure = gain.low is None or gain.high is None or gain.low > 0 or gain.high < 0
    colour = _GAIN if gain.points >= 0 else _LOSS
    (drawn,) = axes.barh(place, gain.points, height=0.62, color=colour, alpha=1 if sure else 0.42)
    drawn.set_gid(f"gain-{name}")
    _whisker(axes, place, gain.low, gain.high, name)
    axes.text(
        *(right, place, text.replace("-", "\N{MINUS SIGN}")),
        ha="right",
        va="center",
        fontsize=7.5,
        color=_INK if mean else _FAINT,
        fontweight="bold" if mean else "normal",
    )


def _whisker(axes: Axes, place: float, low: float | None, high: float | None, name: str) -> None:
    if low is None or high is None:
        return
    (line,) = axes.plot([low, high], [place, place], color=_INK, linewidth=1, marker="|", ms=4)
    line.set_gid(f"whisker-{name}")


def _legend(figure: Figure, labels: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    patches: list[Any] = [
        Patch(color=colour, label=fit(label))
        for label, colour in zip(labels, COLOURS, strict=False)
    ]
    figure.legend(handles=patches, loc="outside lower left", frameon=False, fontsize=8)
