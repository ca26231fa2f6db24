"""`towereval plot`: runs' languages as bars, and one run's gains over another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from towereval.results import Run
    from towereval.types import Result

app = typer.Typer(help="Draw runs as PNG or SVG.", no_args_is_help=True)

# What must not differ between bars of one plot.
PROTOCOL = ("variant", "task_version", "split", "signature")
OUTPUT = typer.Option(help="A .png or .svg file.")
TASK = typer.Option(help="The benchmark; needed where there are several.")
METRIC = typer.Option(help="The task's metric; its first unless given.")


@app.callback()
def group() -> None:
    """Draw runs as PNG or SVG."""


@app.command("languages")
def languages(
    runs: Annotated[list[Path], typer.Argument(help="Runs' folders.")],
    output: Annotated[Path, OUTPUT],
    task: Annotated[str, TASK] = "",
    metric: Annotated[str, METRIC] = "",
) -> None:
    """Draw a bar a language with its interval, for one run or several."""
    from towereval.as_logged import metric_behind
    from towereval.figure_files import save
    from towereval.influence import Unbounded
    from towereval.plots import Bar, Series, draw_languages
    from towereval.results import read_run

    done = [read_run(folder) for folder in runs]
    rows = [_rows(run, task, metric) for run in done]
    _check_comparable(rows)
    first = rows[0][0]
    series = [
        Series(
            run.model,
            tuple(
                Bar(row.language, row.value, row.ci_low, row.ci_high, row.n)
                for row in found
                if row.value is not None
            ),
        )
        for run, found in zip(done, rows, strict=True)
    ]
    what = f"{first.task}@{first.variant} {first.metric}"
    what += " (sample)" if first.split == "sample" else ""
    title, measured = (done[0].model, what) if len(done) == 1 else (what, first.metric)
    measure = metric_behind(first)
    scale = math.inf if isinstance(measure, Unbounded) else measure.scale
    save(draw_languages(series, title, measured, scale), output)
    print(output)


@app.command("gain")
def gain(
    base: Annotated[Path, typer.Argument(help="A run's folder or a baseline file.")],
    candidate: Annotated[Path, typer.Argument(help="The same for the other model.")],
    output: Annotated[Path, OUTPUT],
    task: Annotated[str, TASK] = "",
    metric: Annotated[str, METRIC] = "",
) -> None:
    """Draw what a run gains over another, per language and group, by paired samples."""
    from towereval.compare import compare
    from towereval.figure_files import save
    from towereval.gains import check_gains
    from towereval.measured import read
    from towereval.plots import Gain, draw_gains

    old, new = (read(path, only_tasks=[task] if task else ()) for path in (base, candidate))
    compared = compare(old, new).comparisons
    name = _pick("task", task, [each.task for each in compared])
    of_task = [each for each in compared if each.task == name]
    names = list(dict.fromkeys(each.metric for each in of_task))
    wanted = _pick("metric", metric or names[0], names)
    found = [each for each in of_task if each.metric == wanted]
    check_gains(name, wanted, found[0].better)
    own_unit = found[0].own_unit

    def points(value: float | None, scale: float) -> float | None:
        return value if value is None or own_unit else 100 * value / scale

    gains = [
        Gain(
            each.language,
            points(each.delta, each.scale) or 0.0,
            points(each.ci_low, each.scale),
            points(each.ci_high, each.scale),
        )
        for each in found
    ]
    title = f"{new.model} \N{MINUS SIGN} {old.model}"
    what = f"{name}@{found[0].variant} {wanted}"
    save(draw_gains(gains, title, what, own_unit=own_unit), output)
    print(output)


def _rows(run: Run, task: str, metric: str) -> list[Result]:
    """The rows of one task and metric without its categories."""
    name = _pick("task", task, [row.task for row in run.rows])
    rows = [row for row in run.rows if row.task == name and not row.group]
    # The first that has values: a learned metric may come first and be left unscored.
    metrics = list(dict.fromkeys(row.metric for row in rows))
    valued = [
        each for each in metrics if any(r.value is not None for r in rows if r.metric == each)
    ]
    wanted = _pick("metric", metric or (valued or metrics)[0], metrics)
    return [row for row in rows if row.metric == wanted]


def _pick(kind: str, wanted: str, offered: Sequence[str]) -> str:
    names = list(dict.fromkeys(offered))
    if not names:
        raise UsageError("there is nothing to draw: the run has no rows")
    if not wanted and len(names) > 1:
        raise UsageError(f"--{kind} is needed: there are {', '.join(names)}")
    if wanted and wanted not in names:
        raise UnknownName(kind, wanted, names)
    return wanted or names[0]


def _check_comparable(rows: Sequence[Sequence[Result]]) -> None:
    """Raises `UsageError` where bars would be of different protocols or data."""
    first = rows[0]
    for found in rows[1:]:
        if (found[0].task, found[0].metric) != (first[0].task, first[0].metric):
            raise UsageError("the runs' first task or metric differs: give --task and --metric")
        for name in PROTOCOL:
            ours, theirs = getattr(first[0], name), getattr(found[0], name)
            if ours != theirs:
                raise UsageError(f"not comparable: {name} {ours!r:.100} and {theirs!r:.100}")
    seen: dict[str, Result] = {}
    for row in (row for found in rows for row in found):
        _check_same_data(seen.setdefault(row.language, row), row)


def _check_same_data(one: Result, other: Result) -> None:
    where = "the macro mean" if one.language == "*" else one.language
    if one.languages != other.languages:
        over = " and ".join(" ".join(row.languages) for row in (one, other))
        raise UsageError(f"not comparable: means over {over}")
    if one.data != other.data:
        raise UsageError(f"not comparable: other data in {where}")
    if not one.data:  # the run does not say what it was asked; its count says a little
        asked = [row.n + row.n_failed + row.n_unscored for row in (one, other)]
        if asked[0] != asked[1]:
            raise UsageError(f"not comparable: {asked[0]} and {asked[1]} samples in {where}")
