"""The files of a board, and the page of a single run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from towereval.errors import UsageError
from towereval.leaderboard.averages import correlations
from towereval.leaderboard.build import Board, fold, origin, scores
from towereval.leaderboard.document import Card, document, write
from towereval.leaderboard.ranking import FindMetric, Ranks, rank
from towereval.leaderboard.render import page, write_page
from towereval.leaderboard.samples import Bounds, Thumbnails, shards, write_shards
from towereval.leaderboard.table import tabulate
from towereval.results import Run, read_run

REPORT_BOUNDS = Bounds(per_cell=3, samples=400, pictures=200)


@dataclass(frozen=True, slots=True)
class Publication:
    """`models_with_samples`: none named means all."""

    title: str = "Multilingual vision-language leaderboard"
    cards: Mapping[str, Card] = field(default_factory=dict)
    bounds: Bounds = field(default_factory=Bounds)
    models_with_samples: Sequence[str] = ()


def publish_board(
    board: Board, output: Path, find_metric: FindMetric, publication: Publication
) -> dict[str, Any]:
    """Write leaderboard.json, index.html, samples/ and thumbs/; the content of the first.

    Raises `StoreError`.
    """
    table = tabulate(board)
    rho_M = correlations(table)
    ranks = rank(board, table, rho_M, find_metric)
    content = document(board, table, rho_M, ranks, publication.cards, _now())
    write(content, output)
    picture = Thumbnails(publication.bounds, output / "thumbs")
    found = dict(shards(board, table, publication.bounds, picture, publication.models_with_samples))
    names = write_shards(found, output / "samples")
    about = "Every cell opens samples behind it." if names else ""
    if {measure.split for measure in table.measures} == {"sample"}:
        about += " These are the few bundled samples, which compare no models."
    html = page(content, title=publication.title, about=about.strip(), samples=names)
    write_page(html, output / "index.html")
    return content


def write_report(folder: Path) -> Path:
    """`report.html` in a finished run's folder: one file with some of its samples inside.

    Raises `StoreError`, and `UsageError` for a run without scores.
    """
    whole = read_run(folder)
    run = scores(whole)
    if whole.rows and not run.rows:
        raise UsageError(f"{folder} is a diagnosis: its numbers are in results.json")
    board = fold([run], [])
    table = tabulate(board)
    rho_M = correlations(table)
    alone = Ranks({}, "this page has one model alone")
    content = document(board, table, rho_M, alone, {}, _now())
    picture = Thumbnails(REPORT_BOUNDS, None)
    found = dict(shards(board, table, REPORT_BOUNDS, picture))
    html = page(
        content,
        title=run.model,
        about=_about(run),
        samples={key: key for key in found},
        inline=found,
    )
    file = folder / "report.html"
    write_page(html, file)
    return file


def _about(run: Run) -> str:
    limit = run.manifest.get("limit")
    cut = f", cut to {limit} samples a language" if limit else ""
    return f"Run {run.run_id} ({origin(run)}, split {run.manifest.get('split', '')}{cut})."


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
