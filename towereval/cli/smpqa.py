"""`towereval smpqa`: plots with labels in any language, to be read by a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Make plots with labels in any language.", no_args_is_help=True)


@app.callback()
def smpqa() -> None:
    """Make plots with labels in any language."""


@app.command("generate")
def generate(
    language: Annotated[str, typer.Option(help="Of the labels: a BCP-47 code, such as ka.")],
    output: Annotated[Path, typer.Option(help="The folder; it may hold other languages.")],
    words: Annotated[
        Path | None, typer.Option(help="The labels, one word a line; else the bundled list.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same plots in every language.")] = 0,
    bars: Annotated[int, typer.Option(min=0, help="How many bar plots.")] = 50,
    pies: Annotated[int, typer.Option(min=0, help="How many pies.")] = 50,
    fonts: Annotated[Path | None, typer.Option(help="A folder with Noto fonts.")] = None,
) -> None:
    """Draw plots and write the questions about them, for the task smpqa."""
    from towereval.errors import UsageError
    from towereval.smpqa.generate import Generation
    from towereval.smpqa.generate import generate as make

    if not bars + pies:
        raise UsageError("--bars 0 and --pies 0 leave nothing to draw")
    done = make(Generation(language, words, seed, bars, pies, fonts), output)
    for word, reason in done.words.dropped:
        print(f"left out {word!r}: it {reason}")
    print(
        f"{output}: {done.rows} plots, {done.questions} questions, {len(done.words.words)} words,"
        f" {done.font}"
    )
    run = f"towereval run --model MODEL --tasks smpqa --data smpqa={output}"
    print(f"next: {run} --languages {language}")
