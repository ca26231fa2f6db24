"""`towereval export`: a run's rows in the forms that others read."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from towereval.cli import options
from towereval.errors import UsageError

if TYPE_CHECKING:
    from towereval.results import Run


class Format(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    EVERY_EVAL_EVER = "every-eval-ever"
    EVAL_RESULTS = "eval-results"
    LMMS_EVAL_SAMPLES = "lmms-eval-samples"
    INSPECT = "inspect"


class Relationship(StrEnum):
    FIRST_PARTY = "first_party"
    THIRD_PARTY = "third_party"
    COLLABORATIVE = "collaborative"
    OTHER = "other"


def export(
    runs: Annotated[list[Path], typer.Argument(help="Runs' folders.")],
    format: Annotated[Format, typer.Option(help="What to write.")],  # noqa: A002
    output: Annotated[Path, typer.Option(help="A file for csv and parquet, else a folder.")],
    organization: Annotated[str, typer.Option(help="Who evaluates (every-eval-ever).")] = "",
    relationship: Annotated[
        Relationship, typer.Option(help="To who made the model (every-eval-ever).")
    ] = Relationship.OTHER,
    model_id: Annotated[str, typer.Option(help="The model's hub id (every-eval-ever).")] = "",
    dataset: Annotated[
        list[str] | None, typer.Option(help="A task's on the hub, TASK=ORG/NAME (eval-results).")
    ] = None,
    source_url: Annotated[str, typer.Option(help="Where the run is kept (eval-results).")] = "",
) -> None:
    """Write a run's rows as others read them, or its samples as other harnesses' logs."""
    from towereval.results import read_run

    done = [read_run(folder) for folder in runs]
    empty = sum(row.value is None for run in done for row in run.rows)
    if format is Format.CSV or format is Format.PARQUET:
        _tables(done, format, output)
        return
    if format is Format.LMMS_EVAL_SAMPLES or format is Format.INSPECT:
        _logs(done, format, output)
        return
    if model_id and len(done) > 1:
        raise UsageError("--model-id is of one model: export one run at a time")
    if format is Format.EVERY_EVAL_EVER:
        _records(done, output, organization, relationship, model_id)
    else:
        _hub(done, output, dataset or [], source_url)
    if empty:
        print(f"note: {empty} rows without a value are left out", file=sys.stderr)


def _tables(runs: list[Run], form: Format, output: Path) -> None:
    from towereval.bridges.tables import write_csv, write_parquet

    (write_csv if form is Format.CSV else write_parquet)(runs, output)
    print(output)


def _logs(runs: list[Run], form: Format, output: Path) -> None:
    from towereval.bridges import inspect_export, lmms_samples

    write = inspect_export.write_logs if form is Format.INSPECT else lmms_samples.write_logs
    for run in runs:
        for file in write(run, output):
            print(file)


def _records(
    runs: list[Run], output: Path, organization: str, relationship: Relationship, model: str
) -> None:
    from towereval.bridges.every_eval_ever import Statement, write_record

    if not organization:
        raise UsageError("a record names who evaluated: give --organization NAME")
    for run in runs:
        print(write_record(run, Statement(organization, relationship.value, model), output))


def _hub(runs: list[Run], output: Path, dataset: list[str], source_url: str) -> None:
    from towereval.bridges.eval_results import write_files

    if len(runs) > 1:
        raise UsageError("these files belong into one model's repository: export one run at a time")
    for file in write_files(runs[0], output, options.pairs(dataset, "--dataset"), source_url):
        print(file)
