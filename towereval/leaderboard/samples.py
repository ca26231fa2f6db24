"""Some samples of every cell: picture, prompt, references, raw answer and score.

All models show the same samples, drawn by the hash of their ids, as far as each has them. A page
from a disk may load nothing but scripts and pictures, so samples lie in scripts beside it, named by
their content, and pictures are reduced.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from towereval.data.media import decode_image
from towereval.data.video import decode_video
from towereval.errors import StoreError, TowerevalError
from towereval.leaderboard.build import Board
from towereval.leaderboard.scored import opened
from towereval.leaderboard.table import Table
from towereval.printable import visible
from towereval.records import load_sample
from towereval.store import storable
from towereval.types import Image, Sample, Text, Video, digest

# Ids among which samples are drawn, characters of a text, pictures of a sample, and their pixels.
DRAWN_FROM = 2_000
LONGEST = 2_000
MOST_REFERENCES = 5
MOST_PICTURES = 4
LONGER_SIDE = 224

# Samples by language, of one model and measure.
Shard: TypeAlias = dict[str, list[dict[str, Any]]]
# Where the page finds a picture; "" where there is none.
Picture: TypeAlias = Callable[[Image | Video], str]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many samples a cell shows, how many a board, and how many pictures are reduced."""

    per_cell: int = 5
    samples: int = 20_000
    pictures: int = 2_000


def shards(
    board: Board, table: Table, bounds: Bounds, picture: Picture, models: Sequence[str] = ()
) -> Iterator[tuple[str, Shard]]:
    """The samples of each model and task under "model index:measure index"; all models, or some.

    A run whose samples are not at hand has none.
    """
    cells = list(_cells(table, models))
    per_cell = max(1, min(bounds.per_cell, bounds.samples // max(1, len(cells))))
    drawn: dict[tuple[int, str], list[str]] = {}
    found: dict[str, Shard] = {}
    folders = {run.folder for run in board.runs.values()}
    logged = {folder for folder in folders if (folder / "run.sqlite").is_file()}
    for k, source, code, run in cells[: bounds.samples if bounds.per_cell else 0]:
        folder = board.runs[table.runs[run]].folder
        if folder not in logged:
            continue
        task = table.measures[source].task
        try:
            with opened(folder) as db:
                if (source, code) not in drawn:
                    drawn[source, code] = _draw(db, task, code, bounds.per_cell)
                ids = drawn[source, code][:per_cell]
                samples = [_sample(db, task, code, name, picture) for name in ids]
        except (StoreError, sqlite3.Error, ValueError, KeyError):
            continue
        found.setdefault(f"{k}:{source}", {})[code] = [each for each in samples if each]
    yield from found.items()


def _cells(table: Table, models: Sequence[str]) -> Iterator[tuple[int, int, str, int]]:
    """Model, measure that stands for its task, language and run."""
    groups: dict[int, list[int]] = {source: [] for source in table.sources}
    for m, source in enumerate(table.sources):
        groups[source].append(m)
    # Measures of the same samples come from the same run, but where a newer one lacks a number.
    newest = {source: table.run_KML[:, same].max(1).tolist() for source, same in groups.items()}
    for k, model in enumerate(table.models):
        if models and model not in models:
            continue
        for source, run_KL in newest.items():
            for code, run in zip(table.languages, run_KL[k], strict=True):
                if run >= 0:
                    yield k, source, code, run


def _draw(db: sqlite3.Connection, task: str, language: str, count: int) -> list[str]:
    query = "SELECT id FROM samples WHERE task = ? AND language = ? ORDER BY id LIMIT ?"
    ids = [row[0] for row in db.execute(query, (task, language, DRAWN_FROM))]
    return sorted(ids, key=lambda name: digest(name))[:count]


def _sample(
    db: sqlite3.Connection, task: str, language: str, name: str, picture: Picture
) -> dict[str, Any] | None:
    query = "SELECT position, body FROM samples WHERE task = ? AND language = ? AND id = ?"
    row = db.execute(query, (task, language, name)).fetchone()
    if row is None:
        return None
    position, sample = row[0], load_sample(row[1])
    answers = db.execute(
        "SELECT text, logprob, error FROM requests LEFT JOIN responses USING (question)"
        " WHERE sample = ? ORDER BY requests.position",
        (position,),
    )
    scores = db.execute("SELECT metric, stats, unscored FROM scores WHERE sample = ?", (position,))
    values: dict[str, float | None] = {}
    unscored = {}
    for metric, stats, why in scores:
        numbers = json.loads(stats)
        # Statistics of a corpus metric are no score of the sample.
        values[metric] = float(numbers[0]) if len(numbers) == 1 else None
        if why:
            unscored[metric] = shown(why)
    return {
        "id": visible(sample.id, 120),
        "prompt": shown(_prompt(sample)),
        "references": [shown(text) for text in sample.references[:MOST_REFERENCES]],
        "answers": [_answer(*answer) for answer in answers],
        "scores": values,
        "unscored": unscored,
        "pictures": _pictures(sample, picture),
    }


def _answer(text: str | None, logprob: float | None, error: str | None) -> dict[str, str]:
    if text is None or error:
        return {"error": shown(error or "not asked yet")}
    if logprob is not None and not text:
        return {"text": f"log-probability {logprob:.3f}"}
    return {"text": shown(text)}


def _prompt(sample: Sample) -> str:
    parts = [part for message in sample.prompt for part in message.parts]
    return "\n".join(part.text for part in parts if isinstance(part, Text))


def _pictures(sample: Sample, picture: Picture) -> list[dict[str, str]]:
    parts = [part for message in sample.prompt for part in message.parts]
    found = []
    for part in [part for part in parts if not isinstance(part, Text)][:MOST_PICTURES]:
        noun = "Picture" if isinstance(part, Image) else "First frame of the clip"
        source = picture(part)
        alt = f"{noun} of sample {visible(sample.id, 60)}"
        found.append({"source": source, "alt": alt if source else f"{noun}: not at hand"})
    return found


def shown(text: str) -> str:
    """A text line by line with what is invisible written out, the middle of a long one left out."""
    if len(text) > LONGEST:
        left = f"\n… {len(text) - LONGEST:,} more characters …\n"
        text = text[: LONGEST // 2] + left + text[-LONGEST // 2 :]
    return "\n".join(map(visible, text.splitlines()))


class Thumbnails:
    """Reduced pictures in a folder, or inside the page; each is made once.

    What cannot be decoded, and what is beyond the bound, has none.
    """

    def __init__(self, bounds: Bounds, folder: Path | None) -> None:
        self.folder, self.left = folder, bounds.pictures
        self.known: dict[str, str] = {}

    def __call__(self, part: Image | Video) -> str:
        if not part.source or not part.sha256:
            return ""
        if part.sha256 not in self.known:
            self.known[part.sha256] = self._make(part)
        return self.known[part.sha256]

    def _make(self, part: Image | Video) -> str:
        # A name of our own: what a run's log says it is may be anything.
        name = f"{hashlib.sha256(part.sha256.encode()).hexdigest()[:24]}.webp"
        if self.folder is not None and (self.folder / name).is_file():
            return f"thumbs/{name}"
        if self.left <= 0:
            return ""
        self.left -= 1
        try:
            data = _reduced(part)
        except TowerevalError:
            return ""
        if self.folder is None:
            return f"data:image/webp;base64,{base64.b64encode(data).decode()}"
        _write(self.folder / name, data)
        return f"thumbs/{name}"


def _reduced(part: Image | Video) -> bytes:
    from PIL import Image as pil

    if isinstance(part, Image):
        picture = decode_image(part)
    else:
        picture = pil.fromarray(decode_video(part, 1).frames_THWC[0])
    picture.thumbnail((LONGER_SIDE, LONGER_SIDE))
    stream = io.BytesIO()
    picture.save(stream, "WEBP", quality=72)
    return stream.getvalue()


def write_shards(found: Mapping[str, Shard], folder: Path) -> dict[str, str]:
    """Write each as a script; their names. Scripts of an earlier board are removed."""
    names = {}
    for key, shard in found.items():
        text = json.dumps(shard, ensure_ascii=False, separators=(",", ":"))
        name = hashlib.sha256(storable(text).encode()).hexdigest()[:24]
        script = f'towerevalSamples("{name}", {json.dumps(storable(text))});\n'
        _write(folder / f"{name}.js", script.encode())
        names[key] = name
    for file in folder.glob("*.js"):
        if re.fullmatch(r"[0-9a-f]{24}", file.stem) and file.stem not in names.values():
            file.unlink()
    return names


def _write(file: Path, data: bytes) -> None:
    """Whole or not at all, and not synced: thousands of these can be made again."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary = file.with_suffix(".tmp")
        temporary.write_bytes(data)
        temporary.replace(file)
    except OSError as error:
        raise StoreError(f"{file}: cannot be written: {error}") from error
