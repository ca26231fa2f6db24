"""How far a run is: a line that is rewritten in a terminal, lines in a log, JSON, or nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from towereval.types import Response

BAR = 20


@dataclass(slots=True)
class Pace:
    """Where a stage is. `found`: answers that an earlier start left, so that they cost nothing.

    `tokens` are those that were generated, not the prompts'.
    """

    name: str = ""
    total: int | None = None
    found: int = 0
    done: int = 0
    failed: int = 0
    tokens: int = 0
    began: float = field(default_factory=time.monotonic)

    def record(self) -> dict[str, Any]:
        """Rates are those since the stage began; what is not known is left out."""
        seconds = max(time.monotonic() - self.began, 1e-9)
        told: dict[str, Any] = {"stage": self.name, "done": self.done}
        if self.total:
            told |= {"total": self.total, "per_second": self.done / seconds}
            if self.done:
                told["seconds_left"] = (self.total - self.done) * seconds / self.done
        if self.tokens:
            told["tokens_per_second"] = self.tokens / seconds
        told |= {k: v for k, v in (("failed", self.failed), ("found", self.found)) if v}
        return told

    def line(self) -> str:
        told = self.record()
        if not self.total:
            return f"{self.name} {self.done}" if self.done else self.name
        parts = [f"{told['per_second']:.1f}/s"]
        if "tokens_per_second" in told:
            parts.append(f"{told['tokens_per_second']:,.0f} tokens/s")
        if "seconds_left" in told:
            parts.append(f"{_span(told['seconds_left'])} left")
        line = f"{self.name} {self.done}/{self.total} ({', '.join(parts)})"
        line += f", {self.failed} failed" if self.failed else ""
        return line + (f", {self.found} found" if self.found else "")


class Progress:
    """A `progress.Listener`. `show` gets the pace at each stage, every so many seconds and at the
    stage's last step.
    """

    def __init__(
        self, show: Callable[[Pace], None] | None = None, every: float | None = None
    ) -> None:
        self.terminal = show is None and _is_terminal()
        self.show = show or (rewrite if self.terminal else _log)
        self.every = (0.2 if self.terminal else 10.0) if every is None else every
        self.pace = Pace()
        self.shown = time.monotonic()
        self.waiting = 0

    def stage(self, name: str, total: int | None) -> None:
        self.pace, self.waiting = Pace(name, total, self.waiting), 0
        self._tell()

    def found(self, count: int) -> None:
        self.waiting = count

    def advance(self) -> None:
        pace = self.pace
        pace.done += 1
        if pace.done == pace.total or time.monotonic() - self.shown >= self.every:
            self._tell()

    def answered(self, response: Response) -> None:
        if response.error:
            self.pace.failed += 1
        elif response.logprob is None:
            self.pace.tokens += response.token_count
        self.advance()

    def close(self) -> None:
        if self.terminal:
            print(end="\r\x1b[K", file=sys.stderr)

    def _tell(self) -> None:
        self.shown = time.monotonic()
        self.show(self.pace)


def listener(*, quiet: bool, json_logs: bool) -> Progress:
    if quiet:
        return Progress(_nothing)
    return Progress(_json, 1.0) if json_logs else Progress()


def event(name: str, **about: object) -> None:
    """One line of JSON on stderr."""
    text = json.dumps({"event": name, "time": time.time(), **about}, allow_nan=False)
    print(text, file=sys.stderr, flush=True)


def _is_terminal() -> bool:
    """Whether a line can be rewritten: a build's log is none, also where it claims to be one."""
    plain = os.environ.get("CI") or os.environ.get("TERM") == "dumb"
    return sys.stderr.isatty() and not plain


def rewrite(pace: Pace) -> None:
    """The line of a terminal, with a bar where the end is known."""
    line = pace.line()
    if pace.total:
        filled = BAR * pace.done // pace.total
        line = f"[{'#' * filled}{'.' * (BAR - filled)}] {line}"
    width = shutil.get_terminal_size().columns - 1  # a line that breaks cannot be rewritten
    print(f"\r\x1b[K{line[:width]}", end="", file=sys.stderr, flush=True)


def _log(pace: Pace) -> None:
    print(pace.line(), file=sys.stderr, flush=True)


def _json(pace: Pace) -> None:
    event("progress", **pace.record())


def _nothing(pace: Pace) -> None:
    pass


def _span(seconds: float) -> str:
    whole = round(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes = whole // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
