"""`towereval analyse`: what lies behind a model's numbers."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options
from towereval.errors import UsageError

if TYPE_CHECKING:
    from towereval.compare import Comparison
    from towereval.gains import GroupGain
    from towereval.plots import Gain

app = typer.Typer(help="Look behind a model's numbers.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Look behind a model's numbers."""


@app.command("modality-gap")
def modality_gap(
    model: Annotated[str, typer.Option(help="A name of `towereval models`, a path or a hub id.")],
    task: Annotated[str, typer.Option(help="One with references, as multi30k.")],
    output: Annotated[Path, typer.Option(help="The folder for numbers and plot.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many pictures.")] = 500,
    languages: Annotated[str, typer.Option(help="Codes or groups, as de,fr or core.")] = "",
    split: Annotated[str, typer.Option(help="full, or sample: the small bundled one.")] = "full",
    engine_args: Annotated[
        list[str] | None, typer.Option(help="For transformers, as k=v,..")
    ] = None,
    data: Annotated[list[str] | None, typer.Option(help="A local data set, as TASK=PATH.")] = None,
    seed: Annotated[int, typer.Option(help="For the probe's folds and t-SNE.")] = 0,
) -> None:
    """Measure and draw how far picture features lie from text embeddings."""
    from towereval.cli.console import quiet_libraries
    from towereval.cli.progress import Progress
    from towereval.modality_gap import analyse
    from towereval.plan import Plan

    if split not in ("full", "sample"):
        raise UsageError(f"--split is full or sample, not {split!r}")
    if len(named := options.names(task)) != 1:
        raise UsageError(f"--task is one task, not {task!r}")
    plan = Plan(
        model=model,
        tasks=named,
        languages=options.names(languages),
        split=split,
        engine="transformers",
        engine_args=options.values(engine_args or (), "--engine-args"),
        data={key: Path(path) for key, path in options.pairs(data or (), "--data").items()},
        seed=seed,
    )
    quiet_libraries()
    with closing(Progress()) as progress:
        found = analyse(plan, limit, output, progress)
    print(f"{found.pairs} pictures and texts, {found.dimensions} features of length 1")
    print(f"centroid distance   {found.centroid_distance:.3f}  (0 to 2)")
    print(
        f"neighbour mixing    {found.neighbour_mixing:.3f}  (of {found.neighbours} nearest;"
        f" {found.mixing_by_chance:.3f} where the two are alike)"
    )
    print(f"probe accuracy      {found.probe_accuracy:.3f}  (0.5 where the two are alike)")
    print(output / "modality-gap.json")


@app.command("gain")
def gain(
    base: Annotated[Path, typer.Argument(help="A run's folder or a baseline file.")],
    candidate: Annotated[Path, typer.Argument(help="The same for the other model.")],
    groups: Annotated[
        str, typer.Option(help="Groups, tier:T3, script:Arab; as a,b.")
    ] = "core,added,unseen",
    task: Annotated[str, typer.Option(help="The benchmark; needed where there are several.")] = "",
    metric: Annotated[str, typer.Option(help="The task's metric; its first unless given.")] = "",
    output: Annotated[Path | None, typer.Option(help="A plot: a .png or .svg file.")] = None,
) -> None:
    """Show what a run gains over another by groups of languages, by paired samples."""
    from towereval.gains import gains
    from towereval.measured import read

    wanted = ([metric] if metric else [], [task] if task else [])
    old, new = (read(path, *wanted) for path in (base, candidate))
    named = options.names(groups)
    found = gains(old, new, named, task, metric)
    one = found[0].mean
    what = f"{one.task}@{one.variant} {one.metric}"
    _show_gains(found)
    unit = "in its own unit" if one.own_unit else "in points of 100"
    print(f"{new.model} less {old.model}, {what}, {unit}; {one.signature}")
    for each in found:
        if each.missing:
            print(f"{each.name} is without {', '.join(each.missing)}")
    for name in named:
        if name not in [each.name for each in found]:
            print(f"{name}: neither has a language of it")
    if output is not None:
        _draw_gains(found, f"{new.model} \N{MINUS SIGN} {old.model}", what, output)
        print(output)


def _show_gains(found: Sequence[GroupGain]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from towereval.cli.console import print_table
    from towereval.compare import language_of
    from towereval.printable import visible
    from towereval.verdicts import probability

    digits = 2 if found[0].mean.own_unit else 1
    table = Table(box=None, pad_edge=False)
    for name in ("language", "base", "candidate", "gain", "95% interval", "p", "n"):
        table.add_column(name, justify="left" if name == "language" else "right")
    for each in found:
        for one in (each.mean, *each.languages):
            shown = _points(one)
            limits = "-"
            if shown.low is not None and shown.high is not None:
                limits = f"{shown.low:+.{digits}f} to {shown.high:+.{digits}f}"
            unit = _unit(one)
            values = (f"{unit * value:.{digits}f}" for value in (one.base, one.candidate))
            name = escape(visible(language_of(one), 60))
            table.add_row(
                *(f"[bold]{name}[/]" if one.members else f"  {name}", *values),
                *(f"{shown.points:+.{digits}f}", limits, probability(one.p), f"{one.n}"),
            )
        table.add_section()
    print_table(table)


def _unit(one: Comparison) -> float:
    """What a value of 1 is shown as."""
    return 1.0 if one.own_unit else 100 / one.scale


def _points(one: Comparison, name: str = "") -> Gain:
    from towereval.plots import Gain

    unit = _unit(one)
    scaled = [None if x is None else unit * x for x in (one.ci_low, one.ci_high)]
    return Gain(name or one.language, unit * one.delta, *scaled)


def _draw_gains(found: Sequence[GroupGain], title: str, what: str, output: Path) -> None:
    from towereval.figure_files import save
    from towereval.plots import Section, draw_sections, heading

    sections = [
        Section(
            each.name.replace(":", "-"),
            _points(each.mean, heading(_heading(each.name), len(each.languages))),
            tuple(map(_points, each.languages)),
        )
        for each in found
    ]
    save(draw_sections(sections, title, what, own_unit=found[0].mean.own_unit), output)


def _heading(group: str) -> str:
    kind, colon, name = group.partition(":")
    return f"{kind.capitalize()} {name}" if colon else f"{group.capitalize()} languages"
