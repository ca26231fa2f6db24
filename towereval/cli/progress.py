"""How far a run is: a display in a terminal, lines in a log, JSON, or nothing."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from towereval.progress import Look, Standing, State
from towereval.types import Response

BAR = 20
# Seconds between a log's lines: while a stage is young, and later.
OFTEN, SELDOM = 10.0, 60.0
YOUNG = 180.0
WITHOUT_CURSOR = ("dumb", "unknown", "")


@dataclass(slots=True)
class Pace:
    """Where a stage is. `found`: answers that an earlier start left, so that they cost nothing.

    `tokens` are those that were generated, not the prompts'. `state` is what `look` told last.
    """

    name: str = ""
    total: int | None = None
    found: int = 0
    look: Look | None = None
    done: int = 0
    failed: int = 0
    tokens: int = 0
    began: float = field(default_factory=time.monotonic)
    state: State = field(default_factory=State)

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
        usage = self.state.usage
        if usage.cached_tokens:
            told["prompts_cached"] = usage.cached_tokens / usage.prompt_tokens
        if self.state.standings:
            told["tasks"] = [_record(one) for one in self.state.standings]
        return told

    def facts(self) -> tuple[str, str]:
        """Of a stage with an end: how fast and how long; what failed or had an answer."""
        told = self.record()
        speed = [f"{told['per_second']:.1f}/s"]
        if "tokens_per_second" in told:
            speed.append(f"{told['tokens_per_second']:,.0f} tokens/s")
        if "seconds_left" in told:
            speed.append(f"{_span(told['seconds_left'])} left")
        counts = [f"{self.failed} failed"] if self.failed else []
        counts += [f"{self.found} found"] if self.found else []
        if "prompts_cached" in told:
            counts.append(f"{told['prompts_cached']:.0%} of prompts cached")
        return ", ".join(speed), ", ".join(counts)

    def line(self) -> str:
        """All in one; of the tasks those that are being asked."""
        if not self.total:
            return f"{self.name} {self.done}" if self.done else self.name
        speed, counts = self.facts()
        line = f"{self.name} {self.done}/{self.total} ({speed})" + (f", {counts}" if counts else "")
        for one in self.state.standings:
            if 0 < one.done < one.total:
                line += f"; {one.task} {one.done}/{one.total}"
                told = f"{score(one, sys.stderr.encoding)} so far by {basis(one)}"
                line += f", {told}" if one.score else ""
        return line


class Progress:
    """A `progress.Listener`. `show` gets the pace at each stage, every so many seconds and at the
    stage's last step.
    """

    def __init__(
        self, show: Callable[[Pace], None] | None = None, every: float | None = None
    ) -> None:
        self.terminal = show is None and _is_terminal()
        self.every = every
        self.pace = Pace()
        self.shown = time.monotonic()
        self.waiting = 0
        self.show, self._close = show or _log, _nothing
        if self.terminal:
            from towereval.cli.live import Display

            display = Display()
            self.show, self._close, self.every = display.show, display.close, every or 0.5

    def stage(self, name: str, total: int | None, look: Look | None = None) -> None:
        self.pace, self.waiting = Pace(name, total, self.waiting, look), 0
        self._tell()

    def found(self, count: int) -> None:
        self.waiting = count

    def advance(self) -> None:
        pace, now = self.pace, time.monotonic()
        pace.done += 1
        every = self.every or (OFTEN if now - pace.began < YOUNG else SELDOM)
        last = pace.done == pace.total and not pace.look  # else it is told when it is kept
        if last or now - self.shown >= every:
            self._tell()

    def answered(self, response: Response) -> None:
        if response.error:
            self.pace.failed += 1
        elif response.logprob is None:
            self.pace.tokens += response.token_count
        self.advance()

    def ended(self) -> None:
        self._tell()

    def close(self) -> None:
        self._close(self.pace)

    def _tell(self) -> None:
        if self.pace.look and self.show is not _nothing:
            self.pace.state = self.pace.look()
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
    """Whether lines can be rewritten: a build's log is none, also where it claims to be one."""
    build = os.environ.get("CI", "").lower() not in ("", "0", "false")
    return sys.stderr.isatty() and not build and os.environ.get("TERM", "") not in WITHOUT_CURSOR


def rewrite(pace: Pace) -> None:
    """One line of a terminal, with a bar where the end is known."""
    line = pace.line()
    if pace.total:
        filled = BAR * pace.done // pace.total
        line = f"[{'#' * filled}{'.' * (BAR - filled)}] {line}"
    width = shutil.get_terminal_size().columns - 1  # a line that breaks cannot be rewritten
    # The cursor goes back to where a library that writes meanwhile should begin.
    print(f"\r\x1b[K{line[:width]}\r", end="", file=sys.stderr, flush=True)


def score(one: Standing, encoding: str | None) -> str:
    """`0.512 ±0.113`; no half-width where fewer than five clusters are scored."""
    if one.score is None:
        return ""
    value, low, high = one.score.value, one.score.low, one.score.high
    if low is None or high is None:
        return f"{value:.3f}"
    return f"{value:.3f} {plus_minus(encoding)}{(high - low) / 2:.3f}"


def basis(one: Standing) -> str:
    """What the score is: the metric, over what it is a mean, of how many samples."""
    if one.score is None:
        return one.metric
    over = f", mean of {one.languages} languages" if one.languages > 1 else ""
    return f"{one.metric}{over}, n={one.score.n}"


def plus_minus(encoding: str | None) -> str:
    """In the letters that the terminal has."""
    try:
        "±".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "+/-"
    return "±"


def _record(one: Standing) -> dict[str, Any]:
    told: dict[str, Any] = {"task": one.task, "done": one.done, "total": one.total}
    told |= {"failed": one.failed} if one.failed else {}
    if one.score:
        told |= {"metric": one.metric, "value": one.score.value, "n": one.score.n}
        told |= {"low": one.score.low, "high": one.score.high, "languages": one.languages}
        told["provisional"] = True
    return told


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
