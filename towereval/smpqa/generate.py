"""Writes SMPQA data: pictures, rows, and a manifest of what they were made with.

A folder holds any number of languages. The manifest's digests are of the plots and questions and of
the words: pictures of another version of a font differ in their bytes and ask the same.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from towereval.data.media import write_atomically
from towereval.errors import DataError, UnknownName
from towereval.languages import LANGUAGES
from towereval.smpqa import drawing, fonts, labels
from towereval.smpqa.plots import Plot, draw_plots, questions
from towereval.types import digest

ROWS, MANIFEST = "test.jsonl", "manifest.json"


@dataclass(frozen=True, slots=True)
class Generation:
    """What to make: `words` None takes the bundled list; `fonts` is looked into first."""

    language: str
    words: Path | None = None
    seed: int = 0
    bars: int = 50
    pies: int = 50
    fonts: Path | None = None


@dataclass(frozen=True, slots=True)
class Generated:
    rows: int
    questions: int
    words: labels.WordList
    font: str


def generate(
    plan: Generation, folder: Path, advance: Callable[[], None] = lambda: None
) -> Generated:
    """Write the language's plots into the folder, in place of its earlier ones.

    Raises `UsageError` for an unknown language or a missing font, `DataError` for words that
    cannot be used or a folder that holds something else; nothing is written then. Also `DataError`
    where the folder cannot be written.
    """
    if plan.language not in LANGUAGES or plan.language == "und":
        raise UnknownName("language", plan.language, LANGUAGES)
    listed = labels.read(plan.words) if plan.words else labels.bundled(plan.language)
    words = labels.usable(listed, plan.language)
    folders = (*([plan.fonts] if plan.fonts else []), *fonts.FOLDERS)
    faces = fonts.faces_for(plan.language, words.words, folders)
    plots = [
        (plot, labels.choose(words.words, plot, plan.seed))
        for plot in draw_plots(plan.seed, plan.bars, plan.pies)
    ]
    others = [row for row in _rows(folder / ROWS) if row.get("language") != plan.language]
    manifest = _manifest(folder / MANIFEST)
    rows = []
    try:
        for plot, chosen in plots:
            name = f"images/{plan.language}/{plot.name}.png"
            write_atomically(folder / name, drawing.png(drawing.draw(plot, chosen, faces)))
            rows.append(_row(plan, plot, chosen, name))
            advance()
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in (*others, *rows))
        write_atomically(folder / ROWS, text.encode())
        manifest["schema"] = 1
        manifest["languages"][plan.language] = _made(plan, plots, words, faces.labels)
        text = json.dumps(manifest, indent=1, sort_keys=True)
        write_atomically(folder / MANIFEST, f"{text}\n".encode())
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error}") from error
    asked = sum(len(row["question_ground"]) + len(row["questions_name"]) for row in rows)
    return Generated(len(rows), asked, words, faces.labels.file.name)


def _row(plan: Generation, plot: Plot, chosen: Sequence[str], image: str) -> dict[str, Any]:
    asked = questions(plot, chosen, plan.seed)
    grounding = [one for one in asked if one.group == "grounding"]
    reading = [one for one in asked if one.group == "reading"]
    return {
        "language": plan.language,
        "plot": plot.name,
        "image": image,
        "question_ground": [one.text for one in grounding],
        "answer_ground": [one.answer for one in grounding],
        "questions_name": [one.text for one in reading],
        "answer_name": [one.answer for one in reading],
    }


def _rows(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    try:
        rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
        if not all(isinstance(row, dict) for row in rows):
            raise ValueError("a row is an object")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: not rows of ours: {error}; choose another folder") from error
    return rows


def _manifest(file: Path) -> dict[str, Any]:
    """That of the folder's earlier languages, which may be none."""
    try:
        manifest = json.loads(file.read_text("utf-8")) if file.exists() else {}
        if not isinstance(manifest, dict) or not isinstance(manifest.get("languages", {}), dict):
            raise ValueError("its languages are no object")
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{file}: not a manifest of ours: {error}") from error
    return {**manifest, "languages": {**manifest.get("languages", {})}}


def _made(
    plan: Generation,
    plots: Sequence[tuple[Plot, Sequence[str]]],
    words: labels.WordList,
    face: fonts.Face,
) -> dict[str, Any]:
    from PIL import __version__, features

    return {
        "seed": plan.seed,
        "bars": plan.bars,
        "pies": plan.pies,
        "plots_sha256": digest([asdict(plot) for plot, _ in plots]),
        "labels_sha256": digest([list(chosen) for _, chosen in plots]),
        "words": len(words.words),
        "font": face.file.name,
        "font_sha256": hashlib.sha256(face.file.read_bytes()).hexdigest(),
        "pillow": __version__,
        "raqm": features.version("raqm"),
    }
