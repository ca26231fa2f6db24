"""What a model learns from: conversations about pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from numpy.typing import NDArray

# Stands in a turn's text where a picture is shown: Unicode's own sign for an embedded object.
PLACE = "\N{OBJECT REPLACEMENT CHARACTER}"


@dataclass(frozen=True, slots=True)
class LaterPicture:
    """A picture that is decoded when it is wanted. `shape` begins with height and width."""

    shape: tuple[int, int]
    decode: Callable[[], NDArray[Any]]


@dataclass(frozen=True, slots=True)
class LaterClip:
    """A clip as so many frames, decoded when they are wanted."""

    frames: int
    decode: Callable[[], Any]


# height, width, 3; uint8
Picture: TypeAlias = NDArray[Any] | LaterPicture | LaterClip


def pixels_of(picture: Picture) -> Any:
    """A picture's pixels, or a clip's frames. Raises `DataError` where they cannot be decoded."""
    return picture.decode() if isinstance(picture, LaterPicture | LaterClip) else picture


@dataclass(frozen=True, slots=True)
class Turn:
    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class Record:
    """A conversation; its pictures stand where its turns have `PLACE`.

    Where no turn has one, they stand before the first user's text.
    """

    source: str
    language: str
    turns: tuple[Turn, ...]
    pictures: tuple[Picture, ...] = ()
