"""A record as a row, of JSON or of parquet, and back."""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from towereval.corpus.records import (
    ORIGINS,
    ROLES,
    Clip,
    Part,
    Picture,
    Record,
    Slot,
    Translation,
    Turn,
)
from towereval.errors import DataError, UnknownName
from towereval.types import Text


class _Fields:
    """An object's values by key, each of the kind that is wanted; null is a missing value."""

    def __init__(self, row: object, name: str, known: Sequence[str]) -> None:
        if not isinstance(row, Mapping):
            raise DataError(f"{name}: wanted an object, found {_kind(row)}")
        self.name = name
        self.values = {key: value for key, value in row.items() if value is not None}
        for key in self.values:
            if key not in known:
                raise DataError(f"{name}: {UnknownName('key', str(key), known)}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self.values.get(key, default)
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def name_of(self, key: str, allowed: Sequence[str], default: str | None = None) -> Any:
        value = self.text(key, default)
        if value not in allowed:
            raise self.wrong(key, f"one of {', '.join(allowed)}")
        return value

    def count(self, key: str) -> int:
        value = self.values.get(key, 0)
        if type(value) is not int or value < 0:
            raise self.wrong(key, "a number of pixels")
        return value

    def listed(self, key: str) -> Sequence[Any]:
        value = self.values.get(key, ())
        if isinstance(value, str | bytes) or not isinstance(value, Sequence):
            raise self.wrong(key, "a list")
        return value

    def wrong(self, key: str, wanted: str) -> DataError:
        return DataError(f"{self.name}: {key} is {_kind(self.values.get(key))}, wanted {wanted}")


def _kind(value: object) -> str:
    return "missing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"


def parse(row: object) -> Record:
    """Raises `DataError` that says which key is wrong."""
    fields = _Fields(row, "record", tuple(Record.__dataclass_fields__))
    texts = {key: fields.text(key) for key in ("id", "source", "language", "task")}
    for key, value in texts.items():
        if not value.strip():
            raise DataError(f"record: {key} is empty")
    video, translation = fields.values.get("video"), fields.values.get("translation")
    return Record(
        **texts,
        messages=tuple(_turn(turn, i) for i, turn in enumerate(fields.listed("messages"), 1)),
        images=tuple(_picture(one, f"picture {i}") for i, one in _listed(fields, "images")),
        video=None if video is None else _clip(video),
        origin=fields.name_of("origin", ORIGINS, "public"),
        translation=None if translation is None else _translation(translation),
        licence=fields.text("licence", ""),
        split=fields.text("split", "train"),
    )


def _listed(fields: _Fields, key: str) -> Iterator[tuple[int, Any]]:
    return iter(enumerate(fields.listed(key), 1))


def _turn(row: object, number: int) -> Turn:
    fields = _Fields(row, f"message {number}", ("role", "content"))
    content = fields.values.get("content")
    if isinstance(content, str):
        parts = _parts_of(content)
    else:
        parts = tuple(
            _part(part, f"message {number}, part {i}") for i, part in _listed(fields, "content")
        )
    return Turn(fields.name_of("role", ROLES), parts)


def _parts_of(content: str) -> tuple[Part, ...]:
    found = re.split(r"<(image|video)>", content)
    parts: list[Part] = [Slot(one) if i % 2 else Text(one) for i, one in enumerate(found)]
    return tuple(part for part in parts if part != Text(""))


def _part(row: object, name: str) -> Part:
    fields = _Fields(row, name, ("type", "text"))
    kind = fields.name_of("type", ("text", *(slot.value for slot in Slot)))
    return Text(fields.text("text")) if kind == "text" else Slot(kind)


def _picture(row: object, name: str) -> Picture:
    known = ("path", "bytes", "width", "height", "sha256")
    fields = _Fields({"path": row} if isinstance(row, str) else row, name, known)
    data = fields.values.get("bytes", b"")
    if isinstance(data, str):
        try:
            data = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise DataError(f"{name}: bytes are no base64: {error}") from error
    if not isinstance(data, bytes):
        raise fields.wrong("bytes", "base64")
    path = fields.text("path", "")
    if not data and not path:
        raise DataError(f"{name}: it has neither bytes nor a path")
    size = fields.count("width"), fields.count("height")
    # The hub's rows have both; the bytes are the picture then.
    return Picture("" if data else path, data, *size, fields.text("sha256", "").lower())


def _clip(row: object) -> Clip:
    fields = _Fields({"path": row} if isinstance(row, str) else row, "video", ("path", "frames"))
    frames = tuple(_picture(one, f"frame {i}") for i, one in _listed(fields, "frames"))
    path = fields.text("path", "")
    if bool(path) == bool(frames):
        raise DataError("video: it wants a path or frames, and one of them")
    return Clip(path, frames)


def _translation(row: object) -> Translation:
    fields = _Fields(row, "translation", tuple(Translation.__dataclass_fields__))
    score = fields.values.get("score")
    if score is not None and (type(score) not in (int, float) or not math.isfinite(score)):
        raise fields.wrong("score", "a number")
    texts = fields.listed("source_texts")
    if not all(isinstance(text, str) for text in texts):
        raise fields.wrong("source_texts", "a list of texts")
    return Translation(
        *(fields.text("source_id"), fields.text("source_language"), tuple(texts)),
        *(fields.text("model"), score, fields.text("score_signature", "")),
    )


def row_of(record: Record, *, encoded: bool) -> dict[str, Any]:
    """What `parse` reads; `encoded`: with a picture's bytes as base64, as JSON needs them."""
    shown = record.translation
    return _told(
        {
            **{key: getattr(record, key) for key in ("id", "source", "language", "task")},
            "messages": [
                {"role": turn.role, "content": [_part_row(part) for part in turn.parts]}
                for turn in record.messages
            ],
            "images": [_picture_row(one, encoded) for one in record.images] or None,
            "video": None if record.video is None else _clip_row(record.video, encoded),
            "origin": record.origin,
            "translation": None if shown is None else _translation_row(shown),
            "licence": record.licence or None,
            "split": record.split,
        }
    )


def _part_row(part: Part) -> dict[str, str]:
    return {"type": "text", "text": part.text} if isinstance(part, Text) else {"type": part.value}


def _picture_row(picture: Picture, encoded: bool) -> dict[str, Any]:
    data = base64.b64encode(picture.data).decode() if encoded else picture.data
    return _told(
        {
            "path": picture.path or None,
            "bytes": data or None,
            "width": picture.width or None,
            "height": picture.height or None,
            "sha256": picture.sha256 or None,
        }
    )


def _clip_row(clip: Clip, encoded: bool) -> dict[str, Any]:
    frames = [_picture_row(one, encoded) for one in clip.frames]
    return {"frames": frames} if frames else {"path": clip.path}


def _translation_row(translation: Translation) -> dict[str, Any]:
    row = {key: getattr(translation, key) for key in Translation.__dataclass_fields__}
    row["source_texts"] = list(translation.source_texts)
    row["score_signature"] = translation.score_signature or None
    return _told(row)


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
