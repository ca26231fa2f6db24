"""A task asked otherwise than its benchmark does, to find out what its score rests on.

`NAME@VARIANT+KIND` is a task like any other, so that a run, its store, `score` and `compare` need
not know of it. What kinds need of prompts and the pictures in them is here, too.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from towereval.types import Image, Message, Prompt, Task, Text, Video

Shown: TypeAlias = tuple[Image | Video, ...]
Content: TypeAlias = tuple[str, tuple[str, ...]]  # a language, and the hashes of what is shown


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What all kinds have of the task. `seed` is the run's."""

    task: Task
    seed: int = 0

    kind: ClassVar[str]

    @property
    def name(self) -> str:
        return self.task.name

    @property
    def variant(self) -> str:
        return f"{self.task.variant}+{self.kind}"

    @property
    def version(self) -> int:
        return self.task.version

    @property
    def languages(self) -> tuple[str, ...]:
        return self.task.languages


def media_of(prompt: Prompt) -> Shown:
    return tuple(part for message in prompt for part in message.parts if not isinstance(part, Text))


def showing(prompt: Prompt, shown: Shown) -> Prompt:
    """The prompt with other media in the places of its own, or without any for `()`."""
    rest = iter(shown)
    messages = []
    for message in prompt:
        parts = [
            part if isinstance(part, Text) else next(rest)
            for part in message.parts
            if shown or isinstance(part, Text)
        ]
        if parts:
            messages.append(Message(message.role, tuple(parts)))
    return tuple(messages)


def hashes(shown: Iterable[Image | Video]) -> tuple[str, ...]:
    return tuple(part.sha256 for part in shown)


def strangers(
    of_language: Mapping[str, Mapping[tuple[str, ...], Shown]], seed: int
) -> dict[Content, Shown]:
    """For the pictures of each language, by their hashes, others of it, none the same by content.

    Each gets the next one that fits in a seeded order of all; what none fits is left out.
    """
    found: dict[Content, Shown] = {}
    for language, contents in of_language.items():
        # The seed alone: parallel items get the same wrong picture in every language.
        ring = list(contents.values())
        random.Random(seed).shuffle(ring)
        for index, own in enumerate(ring):
            others = (ring[(index + step) % len(ring)] for step in range(1, len(ring)))
            if stranger := next((each for each in others if differ(own, each)), ()):
                found[language, hashes(own)] = stranger
    return found


def differ(own: Shown, other: Shown) -> bool:
    """As many of the same kinds, and none of the same content."""
    alike = [type(part) for part in own] == [type(part) for part in other]
    return alike and not {*hashes(own)} & {*hashes(other)}
