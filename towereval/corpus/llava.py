"""Records from LLaVA's form, in which most published training sets are.

    {"id": "1", "image": "a/1.jpg", "language": "de", "data_source": "PixMo-Cap",
     "conversations": [{"from": "human", "value": "<image>\\nWas?"},
                       {"from": "gpt", "value": "Ein Hund."}]}

`image` may be a list, `video` a file. Source: https://github.com/haotian-liu/LLaVA,
docs/Finetune_Custom_Data.md; `language` and `data_source` are TowerVision's. A placeholder that the
first question lacks, which LLaVA's own code puts in, stands before its text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.corpus.files import writing
from towereval.corpus.records import Origin, Record
from towereval.corpus.rows import parse
from towereval.errors import DataError

_ROLES = {
    "system": "system",
    **dict.fromkeys(("human", "user"), "user"),
    **dict.fromkeys(("gpt", "assistant"), "assistant"),
}


@dataclass(frozen=True, slots=True)
class Stated:
    """What rows do not say of themselves; a row's own source and language count before these."""

    source: str = ""
    language: str = ""
    task: str = ""
    origin: Origin = "public"
    licence: str = ""


def convert(file: Path, stated: Stated, output: Path) -> int:
    """Write all rows of a JSON list or of JSON lines as records; how many.

    A JSON list is read whole. Raises `DataError` that names file and row, from 1.
    """
    count = 0
    with writing(output) as writer:
        for number, row in _rows(file):
            try:
                writer.add(record_of(row, stated))
            except DataError as error:
                raise DataError(f"{file}:{number}: {error}") from error
            count += 1
    return count


def record_of(row: object, stated: Stated) -> Record:
    """Raises `DataError`."""
    if not isinstance(row, Mapping):
        raise DataError(f"wanted an object, found {type(row).__name__}")
    turns = row.get("conversations")
    if not isinstance(turns, list):
        raise DataError("conversations: wanted a list of turns")
    images = row.get("image") or []
    images = images if isinstance(images, list) else [images]
    messages = [_message(turn, number) for number, turn in enumerate(turns, start=1)]
    _place(messages, "<image>", len(images))
    _place(messages, "<video>", int(bool(row.get("video"))))
    return parse(
        {
            "id": _text(row.get("id")),
            "source": _text(row.get("data_source")) or stated.source,
            "language": _text(row.get("language")) or stated.language,
            "task": stated.task,
            "messages": messages,
            "images": images,
            "video": row.get("video") or None,
            "origin": stated.origin,
            "licence": stated.licence,
        }
    )


def _message(turn: object, number: int) -> dict[str, str]:
    if not isinstance(turn, Mapping) or not isinstance(turn.get("value"), str):
        raise DataError(f'turn {number}: wanted {{"from": ..., "value": ...}}')
    if turn.get("from") not in _ROLES:
        raise DataError(f"turn {number}: from is {turn.get('from')!r:.40}, wanted human or gpt")
    return {"role": _ROLES[turn["from"]], "content": turn["value"]}


def _place(messages: list[dict[str, str]], mark: str, count: int) -> None:
    """Put in what is missing altogether; some but not all is a fault that `validate` tells."""
    asked = [message for message in messages if message["role"] == "user"]
    if asked and not any(mark in message["content"] for message in messages):
        asked[0]["content"] = mark * count + asked[0]["content"]


def _text(value: object) -> str:
    """Ids may be numbers."""
    return "" if value is None else str(value)


def _rows(file: Path) -> Iterator[tuple[int, Any]]:
    try:
        with file.open("rb") as lines:
            first = lines.read(64).lstrip()
            lines.seek(0)
            if first.startswith(b"["):
                yield from enumerate(json.load(lines), start=1)
                return
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, json.loads(line)
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not JSON: {error}") from error
