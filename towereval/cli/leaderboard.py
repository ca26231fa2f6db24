"""`towereval leaderboard`: runs side by side."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from towereval.cli import options
from towereval.errors import UnknownName, UsageError
from towereval.types import WAYS

if TYPE_CHECKING:
    from towereval.leaderboard.build import Board
    from towereval.leaderboard.document import Card
    from towereval.leaderboard.table import Measure
    from towereval.types import Metric

FOLDER = Path("leaderboard")
# More models than this are rows, not columns, and no more than so many of them.
WIDEST = 8
LONGEST = 20


class Format(StrEnum):
    TABLE = "table"
    MARKDOWN = "markdown"


def leaderboard(
    results: Annotated[Path, typer.Argument(help="Where runs are kept.")] = Path("results"),
    output: Annotated[Path, typer.Option(help="Folder for index.html and its files.")] = FOLDER,
    format: Annotated[Format, typer.Option(help="Markdown has the intervals.")] = Format.TABLE,  # noqa: A002
    languages: Annotated[str, typer.Option(help="Only these codes and groups, as de,core.")] = "",
    title: Annotated[str, typer.Option(help="The page's title.")] = "",
    models: Annotated[Path | None, typer.Option(help="Sizes and licences in a TOML file.")] = None,
    samples: Annotated[int, typer.Option(help="Samples a cell shows; 0: none.")] = 5,
    samples_of: Annotated[str, typer.Option(help="Only these models' samples, as a,b.")] = "",
    pictures: Annotated[bool, typer.Option(help="Reduced pictures beside the samples.")] = True,
) -> None:
    """Put all runs on one page, index.html, and into leaderboard.json."""
    from towereval.leaderboard.build import build, only
    from towereval.leaderboard.publish import Publication, publish_board
    from towereval.leaderboard.samples import Bounds

    if samples < 0:
        raise UsageError(f"--samples is a number of samples a cell, not {samples}")
    board = build(results)
    named = options.names(languages)
    if named:
        board = only(board, named)
    chosen = options.names(samples_of)
    for name in chosen:
        if name not in board.models:
            raise UnknownName("model", name, board.models)
    cards = _cards(board.models, _model_file(models) if models else {})
    bounds = Bounds(per_cell=samples) if pictures else Bounds(per_cell=samples, pictures=0)
    publication = Publication(title or Publication().title, cards, bounds, chosen)
    content = publish_board(board, output, _find_metric, publication)
    for notice in board.notices:
        print(f"note: {notice}", file=sys.stderr)
    if format is Format.MARKDOWN:
        _show_markdown(board)
    elif len(board.models) > WIDEST:
        _show_ranking(content)
    else:
        _show_table(board)
    if named:
        _show_groups(content, named, format)
    print(output / "index.html", file=sys.stderr)


def write_board(results: Path, output: Path) -> Board:
    """The board of all runs there, as the command without options writes it."""
    from towereval.leaderboard.build import build
    from towereval.leaderboard.publish import Publication, publish_board

    board = build(results)
    publish_board(board, output, _find_metric, Publication(cards=_cards(board.models, {})))
    return board


def _find_metric(measure: Measure) -> Metric | None:
    """Today's metric of a measure, None where the task is gone or has another version."""
    from towereval.as_logged import task_behind

    try:
        task = task_behind(measure.task, measure.variant, [measure.signature])
    except UsageError:
        return None
    if task.version != measure.task_version:
        return None
    return next((metric for metric in task.metrics if metric.name == measure.metric), None)


def _cards(models: Sequence[str], given: Mapping[str, Mapping[str, Any]]) -> dict[str, Card]:
    """From the file, else the licence from the model's adapter and the size from its name."""
    from towereval import plugins
    from towereval.leaderboard.document import Card

    known = {
        name: checkpoint
        for adapter in plugins.adapters()
        for name, checkpoint in adapter.checkpoints.items()
    }
    cards = {}
    for name in models:
        about = given.get(name, {})
        in_name = re.search(r"(?:^|[^0-9A-Za-z.])(\d+(?:\.\d+)?)[bB](?![0-9A-Za-z])", name)
        size = about.get("parameters", float(in_name[1]) if in_name else None)
        licence = about.get("licence", known[name].licence if name in known else "")
        cards[name] = Card(size, licence)
    return cards


def _model_file(file: Path) -> dict[str, dict[str, Any]]:
    """`["a model"]` tables with `parameters`, in billions, and `licence`. Raises `UsageError`."""
    import tomllib

    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--models {file} cannot be read: {error}") from error
    kinds: dict[str, tuple[type, ...]] = {"parameters": (int, float), "licence": (str,)}
    for name, about in content.items():
        if not isinstance(about, dict):
            raise UsageError(f'--models {file}: wanted a table ["{name}"], found {about!r:.60}')
        for key, value in about.items():
            if not isinstance(value, kinds.get(key, ())) or isinstance(value, bool):
                wanted = "parameters (a number of billions) or licence (a text)"
                raise UsageError(f"--models {file}: {name}: wanted {wanted}, found {key} = {value}")
    return content


def _show_ranking(content: Mapping[str, Any]) -> None:
    """The best models by the average over tasks and all languages, or by one measure."""
    from rich.table import Table
    from rich.text import Text

    from towereval.cli.console import print_table
    from towereval.printable import visible

    column, measures = _ranking_column(content)
    sign = 1 if content["measures"][measures[0]]["better"] == "smaller" else -1
    table = Table(box=None, pad_edge=False)
    for name in ("rank", "model", "average", "±", "n", "failed"):
        table.add_column(name, justify="left" if name == "model" else "right")
    lines = [line for line in content["lines"] if line["measure"] in measures and not line["group"]]
    points = content["measures"][measures[0]]["points"]
    ranked = [k for k, value in enumerate(column["value"]) if value is not None]
    for k in sorted(ranked, key=lambda k: sign * column["value"][k])[:LONGEST]:
        low, high = column["ci_low"][k], column["ci_high"][k]
        best, worst = column["rank_best"][k], column["rank_worst"][k]
        failed = sum(line["n_failed"][k] for line in lines)
        table.add_row(
            "-" if best is None else f"{best}" if best == worst else f"{best}-{worst}",
            Text(visible(content["models"][k]["name"], 60)),
            f"{column['value'][k] * points:.1f}",
            "-" if low is None else f"±{(high - low) / 2 * points:.1f}",
            f"{sum(line['n'][k] for line in lines)}",
            f"[red]{failed}[/]" if failed else "0",
        )
    print_table(table)
    names = [content["measures"][m]["task"] for m in measures]
    if len(measures) == 1:
        names = [f"{names[0]} {_metric(content['measures'][measures[0]])}"]
    rest = len(content["models"]) - min(len(ranked), LONGEST)
    over = ", ".join(names) if len(names) <= 6 else f"{len(names)} tasks"
    print(f"average over {over}; {rest} more models on the page")


def _ranking_column(content: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[int]]:
    """The column over most measures, and which they are: one that is averaged before another, and
    one that ranks nobody only where there is no other.
    """
    columns = [
        *((each, each["measures"]) for each in content["averages"] if each["selection"] == "all"),
        *((line, [line["measure"]]) for line in content["lines"] if not line["group"]),
    ]

    def weight(column: tuple[Mapping[str, Any], list[int]]) -> tuple[bool, int, bool]:
        first = content["measures"][column[1][0]]
        return first["better"] != "neither", len(column[1]), first["averaged"]

    return max(columns, key=weight)


def _metric(measure: Mapping[str, Any]) -> str:
    return f"{measure['metric']}{WAYS[measure['better']]}"


def _show_groups(content: Mapping[str, Any], named: Sequence[str], format: Format) -> None:  # noqa: A002
    """The mean over what each measure has of each named group, and what it has not."""
    from rich.table import Table
    from rich.text import Text

    from towereval.cli.console import print_table
    from towereval.printable import markdown, visible

    models = [model["name"] for model in content["models"]]
    heads = ["task", "metric", "group", "mean over", *models, "missing"]
    rows = list(_group_rows(content, named))
    if format is Format.MARKDOWN and rows:
        print(f"\n| {' | '.join(markdown(head, 80) for head in heads)} |")
        print("|---|---|---|---|" + "--:|" * len(models) + "---|")
        for cells in rows:
            print(f"| {' | '.join(cells)} |")
    elif rows:
        table = Table(box=None, pad_edge=False)
        for head in heads:
            table.add_column(Text(visible(head, 40)), justify="right" if head in models else "left")
        for cells in rows:
            table.add_row(*cells)
        print_table(table)


def _group_rows(content: Mapping[str, Any], named: Sequence[str]) -> Iterator[list[str]]:
    from towereval.cli.console import plus_minus
    from towereval.languages import among, members

    wholes = [line for line in content["lines"] if not line["group"]]
    means = {((each["measure"],), frozenset([each["language"]])): each for each in wholes}
    for each in content["averages"]:
        means[tuple(each["measures"]), frozenset(each["languages"])] = each
    for m, measure in enumerate(content["measures"]):
        for name in filter(members, named):
            present = among(name, measure["languages"])
            if not present.members:
                continue
            mean = means[(m,), frozenset(present.members)]
            cells = []
            for value, low, high in zip(
                mean["value"], mean["ci_low"], mean["ci_high"], strict=True
            ):
                text = "-" if value is None else f"{value * measure['points']:.1f}"
                if low is not None:
                    text += f" {plus_minus()}{(high - low) / 2 * measure['points']:.1f}"
                cells.append(text)
            task = f"{measure['task']}@{measure['variant']}"
            over, missing = (" ".join(codes) or "-" for codes in (present.members, present.missing))
            yield [task, _metric(measure), name, over, *cells, missing]


def _show_table(board: Board) -> None:
    from rich.table import Table
    from rich.text import Text

    from towereval.cli.console import print_table
    from towereval.printable import visible

    table = Table(box=None, pad_edge=False)
    for name in ("task", "metric", "language"):
        table.add_column(name)
    for model in board.models:
        table.add_column(Text(visible(model, 40)), justify="right")
    shown = ("", "")
    for task, metric, language, *cells in _rows(board, intervals=False):
        fresh = (task, metric) != shown
        table.add_row(task if fresh else "", metric if fresh else "", language, *cells)
        shown = (task, metric)
    print_table(table)


def _show_markdown(board: Board) -> None:
    from towereval.printable import markdown

    print(f"| task | metric | language | {' | '.join(markdown(m, 80) for m in board.models)} |")
    print("|---|---|---|" + "--:|" * len(board.models))
    for cells in _rows(board, intervals=True):
        print(f"| {' | '.join(cells)} |")


def _rows(board: Board, *, intervals: bool) -> Iterator[list[str]]:
    from towereval.cli.console import half_width, interval, number

    for line, cells in board.lines():
        task = f"{line.task}@{line.variant}" + (" (sample)" if line.split == "sample" else "")
        metric = f"{line.metric}{WAYS[line.better]}"
        row = [task, metric, "macro mean" if line.language == "*" else line.language]
        for model in board.models:
            cell = cells.get(model)
            text = number(cell.value, cell) if cell else ""
            if cell and cell.ci_low is not None:
                text += f" ({interval(cell)})" if intervals else f" {half_width(cell)}"
            row.append(text)
        yield row
