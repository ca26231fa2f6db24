"""What a terminal shows while a run is asked: the whole, then each task with its score so far."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from towereval.cli.progress import Pace, basis, rewrite, score
from towereval.progress import Standing

# Columns that a terminal must have for what a score is, for its metric's name alone, for failures.
WIDE, MIDDLE, NARROW = 90, 60, 40
AROUND = 5  # lines that are not a task's: the bar, facts in two, a heading, and the cursor's


class Display:
    """A stage that knows its tasks has several lines, which a thread draws; another stage has one.

    The thread and rich's hold on the standard streams end with the stage: an engine that starts
    may fork, and a process must not be forked with a lock that a thread holds.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._pace = Pace()
        self._live: Live | None = None

    def show(self, pace: Pace) -> None:
        if pace.look is None:
            self._stop()
            rewrite(pace)
            return
        self._pace = pace
        if self._live is None:
            self._clear()
            self._live = Live(
                console=self.console,
                transient=True,
                refresh_per_second=2,
                get_renderable=self._drawn,
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()
            # Nothing needs mending then, however the process ends.
            self.console.show_cursor(True)

    def close(self, pace: Pace) -> None:
        self._stop()
        self._clear()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _clear(self) -> None:
        print(end="\r\x1b[K", file=sys.stderr, flush=True)

    def _drawn(self) -> RenderableType:
        return drawn(self._pace, self.console)


def drawn(pace: Pace, console: Console) -> RenderableType:
    width, height = console.size
    facts = ", ".join(filter(None, pace.facts()))
    parts: list[RenderableType] = [_head(pace, width), Text(facts)]
    standings = pace.state.standings
    if standings and height >= AROUND + min(len(standings), 2):
        shown = _chosen(standings, height - AROUND)
        parts.append(_table(shown, width, console))
        if rest := len(standings) - len(shown):
            parts.append(Text(f"and {rest} more", "dim"))
    return Group(*parts)


def _head(pace: Pace, width: int) -> Table:
    head = Table.grid(padding=(0, 1), expand=True)
    head.add_column(no_wrap=True)
    head.add_column(ratio=1)
    total = pace.total or 0
    head.add_row(
        Text(f"{pace.name} {pace.done:,}/{total:,}"),
        ProgressBar(max(total, 1), min(pace.done, total)),
    )
    return head


def _chosen(standings: Sequence[Standing], most: int) -> Sequence[Standing]:
    """As many as there is room for: those that are being asked before those that are not."""
    if len(standings) <= most:
        return standings
    begun = [one for one in standings if 0 < one.done < one.total]
    finished = [one for one in reversed(standings) if one.done >= one.total]
    waiting = [one for one in standings if one.done == 0]
    chosen = {one.task for one in [*begun, *finished, *waiting][: most - 1]}
    return [one for one in standings if one.task in chosen]


def _table(standings: Sequence[Standing], width: int, console: Console) -> Table:
    overflow: Literal["crop", "ellipsis"] = "crop" if console.options.ascii_only else "ellipsis"
    failed = width >= NARROW and any(one.failed for one in standings)
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style="dim")
    table.add_column("task", no_wrap=True, overflow=overflow)
    table.add_column("answered", justify="right", no_wrap=True, overflow=overflow)
    if failed:
        table.add_column("failed", justify="right", no_wrap=True, overflow=overflow)
    scored = any(one.metric for one in standings)
    if scored:
        table.add_column("so far", no_wrap=True, overflow=overflow)
    if scored and width >= MIDDLE:
        table.add_column("by", no_wrap=True, overflow=overflow)
    for one in standings:
        row = [Text(one.task), Text(f"{one.done:,}/{one.total:,}")]
        row += [Text(str(one.failed), "red" if one.failed else "")] if failed else []
        if scored:
            row.append(Text(score(one, console.encoding) if one.metric else "at the end"))
        if scored and width >= MIDDLE:
            row.append(Text(basis(one) if width >= WIDE else one.metric))
        table.add_row(*row)
    return table
