"""`towereval merge`: the language model of a vision-language model merged with others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from towereval.errors import MissingExtra, UnknownName, UsageError


def merge(
    checkpoint: Annotated[Path, typer.Argument(help="The folder of a vision-language model.")],
    others: Annotated[
        list[Path], typer.Option("--with", help="A model to merge its text model with; repeatable.")
    ],
    output: Annotated[Path, typer.Option(help="The folder of the merged model.")],
    method: Annotated[str, typer.Option(help="linear, task_arithmetic, ties or dare.")] = "linear",
    base: Annotated[
        Path | None, typer.Option(help="What all began as; every method but linear wants it.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Of the checkpoint, then of the others, as 0.7,0.3.")
    ] = None,
    density: Annotated[
        float, typer.Option(help="The share of differences that ties and dare keep.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Decides which differences dare keeps.")] = 0,
) -> None:
    """Merge the text model of a checkpoint with others; tower and projector stay."""
    try:
        from towereval.train import merge as merging
    except ImportError as error:
        raise MissingExtra(str(error.name), "train") from error
    if method not in get_args(merging.Method):
        raise UnknownName("method", method, get_args(merging.Method))
    count = 1 + len(others)
    shares = _numbers(weights) if weights else (1 / count if method == "linear" else 1.0,) * count
    how = merging.Merge(method, shares, density, seed)  # type: ignore[arg-type]
    merging.merge(checkpoint, others, base, how, output)
    print(f"merged: towereval run --model {output} --tasks ...")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError as error:
        raise UsageError(f"--weights {text}: wanted numbers with commas between them") from error
