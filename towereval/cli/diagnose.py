"""`towereval diagnose`: what no benchmark's score tells of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options
from towereval.errors import UsageError

if TYPE_CHECKING:
    from towereval.types import Result

app = typer.Typer(help="Find out what no score tells.", no_args_is_help=True)

# A metric, its heading, and whether its interval is shown: all of them do not fit into a line.
_COLUMNS = (
    ("cxmi", "cxmi", True),
    ("cxmi_per_token", "per token", False),
    ("right_minus_wrong", "right - wrong", True),
    ("right_minus_wrong_per_token", "per token", False),
    ("image_swap_accuracy", "image swap", True),
)


@app.callback()
def group() -> None:
    """Find out what no score tells."""


@app.command("picture-use")
def picture_use(
    model: Annotated[str, typer.Option(help="A name of `towereval models`, a path or a hub id.")],
    tasks: Annotated[str, typer.Option(help="Tasks with references, as a,b@variant.")],
    languages: Annotated[str, typer.Option(help="Codes or groups, as de,fr or core.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="At most so many a language; 0: all.")] = 0,
    split: Annotated[str, typer.Option(help="full, or sample: the small bundled one.")] = "full",
    engine: Annotated[str, typer.Option(help="Any that gives log-probabilities.")] = "vllm",
    engine_args: Annotated[list[str] | None, typer.Option(help="For the engine, as k=v,..")] = None,
    data: Annotated[list[str] | None, typer.Option(help="A local data set, as TASK=PATH.")] = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("results"),
    seed: Annotated[int, typer.Option(help="Draws the wrong pictures.")] = 0,
) -> None:
    """Ask how much likelier the picture makes a task's references, per language."""
    from towereval.cli.console import exit_status, quiet_libraries, show_failures
    from towereval.cli.progress import Progress
    from towereval.picture_use import NAME
    from towereval.plan import Plan
    from towereval.run import run

    if split not in ("full", "sample"):
        raise UsageError(f"--split is full or sample, not {split!r}")
    if not (named := options.names(tasks)):
        raise UsageError("--tasks names no task; see towereval tasks")
    plan = Plan(
        model=model,
        tasks=tuple(name if name.endswith(f"+{NAME}") else f"{name}+{NAME}" for name in named),
        languages=options.names(languages),
        limit=limit or None,
        split=split,
        engine=engine,
        engine_args=options.values(engine_args or (), "--engine-args"),
        data={key: Path(path) for key, path in options.pairs(data or (), "--data").items()},
        output=output,
        seed=seed,
    )
    quiet_libraries()
    with closing(Progress()) as progress:
        outcome = run(plan, progress)
    _show(outcome.results)
    show_failures(outcome.failures)
    if outcome.asked:
        print(outcome.performance.speed)
    print(f"{outcome.asked} asked, {outcome.folder}/results.json")
    raise typer.Exit(exit_status(outcome, 0.0))


def _show(results: Sequence[Result]) -> None:
    """One row a task and language; categories are in results.json."""
    from rich.table import Table

    from towereval.cli.console import print_table

    rows: dict[tuple[str, str], dict[str, Result]] = {}
    for result in results:
        if not result.group:
            rows.setdefault((result.task, result.language), {})[result.metric] = result
    table = Table(box=None, pad_edge=False)
    for name in ("task", "language"):
        table.add_column(name)
    for _, heading, _ in _COLUMNS:
        table.add_column(heading, justify="right")
    for name in ("n", "failed", "unscored"):
        table.add_column(name, justify="right")
    shown = ""
    for (task, language), found in rows.items():
        table.add_row(
            task if task != shown else "",
            "macro mean" if language == "*" else language,
            *(_cell(found.get(metric), whole) for metric, _, whole in _COLUMNS),
            *_counts(found),
        )
        shown = task
    print_table(table)
    print(
        "cxmi: log p(reference with its picture) - log p(reference without one), nats a sentence,"
        " with 95% intervals; those per token are in results.json"
    )


def _cell(row: Result | None, whole: bool) -> str:
    if row is None or row.value is None:
        return "-"
    if not whole:
        return f"{row.value:.3f}"
    if row.ci_low is None or row.ci_high is None:
        return f"{row.value:.2f}"
    return f"{row.value:.2f} ({row.ci_low:.2f} to {row.ci_high:.2f})"


def _counts(found: Mapping[str, Result]) -> tuple[str, str, str]:
    """Of the first metric: the others miss no more than a wrong picture or a pair."""
    row = found[_COLUMNS[0][0]]
    return f"{row.n}", f"{row.n_failed}", f"{row.n_unscored}"
