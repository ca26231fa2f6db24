"""How fast a run went: kept in results.json, told at its end, and what a dry run counts on."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from towereval.types import Usage


@dataclass(frozen=True, slots=True)
class Speed:
    """`seconds` are those of asking, from a started engine to the last answer."""

    answers: int
    starting_seconds: float
    seconds: float
    scoring_seconds: float
    usage: Usage

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answers / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        used, seconds = self.usage, self.seconds or 1.0
        parts = [f"{self.answers:,} answers in {self.seconds:.1f} s ({self.rate:.1f}/s)"]
        if used.prompt_tokens:
            cached = used.cached_tokens / used.prompt_tokens
            rate = used.prompt_tokens / seconds
            parts.append(f"prompts {rate:,.0f} tokens/s, {cached:.0%} cached")
        if used.output_tokens:
            parts.append(f"output {used.output_tokens / seconds:,.0f} tokens/s")
        if used.busy_seconds:
            busy, waiting = used.busy_seconds / seconds, used.waiting_seconds / seconds
            parts.append(f"engine busy {busy:.0%}, waiting for media {waiting:.0%}")
        parts.append(f"start {self.starting_seconds:.1f} s, scoring {self.scoring_seconds:.1f} s")
        return "; ".join(parts)

    def record(self) -> dict[str, Any]:
        """As results.json has it."""
        return asdict(self) | {"answers_per_second": self.rate}


def read_speed(folder: Path) -> Speed | None:
    """Of a run's results.json, None where it says nothing of it."""
    try:
        content = json.loads((folder / "results.json").read_text(encoding="utf-8"))["speed"]
        named = {one.name: content[one.name] for one in fields(Speed)}
        return Speed(**{**named, "usage": Usage(**named["usage"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


@dataclass(slots=True)
class Stopwatch:
    """Adds up the seconds of a run's parts, by their names."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timing(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + time.monotonic() - began
