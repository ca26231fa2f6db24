"""A training example: a conversation about pictures or a clip, or of text alone.

As a row of a file (`towereval.corpus.files` reads and writes JSONL and parquet):

    {"id": "pixmo-1", "source": "PixMo-Cap", "language": "de", "task": "caption",
     "messages": [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Was ist da?"}]},
        {"role": "assistant", "content": "Ein Hund."}],
     "images": [{"path": "images/1.jpg"}], "origin": "translated", "licence": "ODC-BY",
     "translation": {"source_id": "pixmo-1-en", "source_language": "en",
                     "source_texts": ["What is this?", "A dog."], "model": "..."}}

The k-th {"type": "image"} of a record is its k-th picture. Where a content is one string, `<image>`
and `<video>` in it mean the same. A file's `path` is below the media folder, which is the folder of
the records unless another is named; `bytes` are the encoded picture (base64 in JSONL).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal, TypeAlias, get_args

from towereval.types import Text

Role: TypeAlias = Literal["system", "user", "assistant"]
Origin: TypeAlias = Literal["public", "translated", "synthetic"]
ROLES: tuple[str, ...] = get_args(Role)
ORIGINS: tuple[str, ...] = get_args(Origin)


class Slot(Enum):
    """Where in a conversation the next picture, or the clip, is shown."""

    IMAGE = "image"
    VIDEO = "video"


Part: TypeAlias = Text | Slot


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, Text))


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture: its bytes, or the path of its file below the media folder.

    `width` and `height` in pixels; 0 and "" where the row does not tell.
    """

    path: str = ""
    data: bytes = b""
    width: int = 0
    height: int = 0
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Clip:
    """A file below the media folder, or the frames themselves."""

    path: str = ""
    frames: tuple[Picture, ...] = ()


@dataclass(frozen=True, slots=True)
class Translation:
    """Where a translated record comes from; `source_texts` are its texts before, in their order.

    `score` is that of the metric whose signature stands beside it.
    """

    source_id: str
    source_language: str
    source_texts: tuple[str, ...]
    model: str
    score: float | None = None
    score_signature: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """`id` is unique in a corpus; `task` is what is trained: "caption", "Doc VQA", ..."""

    id: str
    source: str
    language: str
    task: str
    messages: tuple[Turn, ...]
    images: tuple[Picture, ...] = ()
    video: Clip | None = None
    origin: Origin = "public"
    translation: Translation | None = None
    licence: str = ""
    split: str = "train"

    @property
    def texts(self) -> tuple[str, ...]:
        """All text parts, turn by turn."""
        return tuple(p.text for turn in self.messages for p in turn.parts if isinstance(p, Text))

    def with_texts(self, texts: Sequence[str]) -> Record:
        """The same conversation in other words: one text for each of `texts`."""
        rest = iter(texts)
        messages = []
        for turn in self.messages:
            parts = [Text(next(rest)) if isinstance(part, Text) else part for part in turn.parts]
            messages.append(replace(turn, parts=tuple(parts)))
        return replace(self, messages=tuple(messages))
