"""How a run went beside its scores: kept in results.json and told at its end."""

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


@dataclass(frozen=True, slots=True)
class Repetition:
    """Of `asked` requests that had an answer `flipped` got another one and `failed` none.

    `batch_invariant`: vLLM's batch-invariant kernels were asked for.
    """

    asked: int
    flipped: int
    failed: int
    batch_invariant: bool

    def __str__(self) -> str:
        answered = self.asked - self.failed
        rate = f"{self.flipped / answered:.2%}" if answered else "none answered"
        failed = f", {self.failed} failed" if self.failed else ""
        return f"asked again: {self.flipped} of {answered} answers flipped ({rate}){failed}"


@dataclass(frozen=True, slots=True)
class Performance:
    """None is what was not measured: nothing was asked, or not asked again."""

    speed: Speed | None = None
    determinism: Repetition | None = None

    def record(self) -> dict[str, Any]:
        """As results.json has it."""
        content = asdict(self)
        if self.speed:
            content["speed"]["answers_per_second"] = self.speed.rate
        return content


def read_performance(folder: Path) -> Performance:
    """From a run's results.json; what it does not say, or says otherwise, was not measured."""
    try:
        content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
        speed, repetition = content.get("speed"), content.get("determinism")
        if speed:
            named = {one.name: speed[one.name] for one in fields(Speed)}
            speed = Speed(**{**named, "usage": Usage(**named["usage"])})
        return Performance(speed, Repetition(**repetition) if repetition else None)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Performance()


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
