"""Samples and requests as JSON text, for the store."""

from __future__ import annotations

import json
from typing import Any

from towereval.types import (
    Decoding,
    Image,
    Message,
    Part,
    Prompt,
    Request,
    Sample,
    Text,
    Video,
    fields_of,
)


def dump(value: Sample | Request) -> str:
    content = fields_of(value)
    if isinstance(value, Request):
        content["decoding"] = fields_of(value.decoding)
    content["prompt"] = [
        [message.role, [_part(part) for part in message.parts]] for message in value.prompt
    ]
    return json.dumps(content, ensure_ascii=True, separators=(",", ":"))


def _part(part: Part) -> list[str]:
    if isinstance(part, Text):
        return [part.text]
    return [type(part).__name__, part.source, part.sha256]


def _load_part(content: list[str]) -> Part:
    if len(content) == 1:
        return Text(content[0])
    kind, source, sha256 = content
    return Image(source, sha256) if kind == "Image" else Video(source, sha256)


def _prompt(content: list[Any]) -> Prompt:
    return tuple(Message(role, tuple(map(_load_part, parts))) for role, parts in content)


def load_sample(text: str) -> Sample:
    content = json.loads(text)
    content["prompt"] = _prompt(content["prompt"])
    content["references"] = tuple(content["references"])
    content["choices"] = tuple(content["choices"])
    return Sample(**content)


def load_request(text: str) -> Request:
    content = json.loads(text)
    decoding = content["decoding"]
    listed = {name: tuple(decoding[name]) for name in ("stop", "choices")}
    return Request(
        **{
            **content,
            "prompt": _prompt(content["prompt"]),
            "decoding": Decoding(**{**decoding, **listed}),
        }
    )
