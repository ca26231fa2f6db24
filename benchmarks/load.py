"""Very many replayed responses through the store, scoring and export: no slowing down, no growing.

    python benchmarks/load.py [COUNT]        1,000,000 unless given

Prints the rate of each tenth of reading and of asking, the peak resident set, the seconds of each
part and what SQLite's integrity check says. Rates are by the process's own seconds of work beside
those of the clock, which on a shared machine tells of the others, too. Ends with 1 where the last
tenth of asking has less than 90% of the first one's rate of work, or the check finds something.
The answers come from a recorded run through the replay engine; the data are JSONL in OCRBench's
columns.
"""

from __future__ import annotations

import resource
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from memory import write_data, write_recording

from towereval.plan import Plan
from towereval.run import rescore, run
from towereval.types import Response


@dataclass(slots=True)
class Watch:
    """A `progress.Listener` that keeps, for every hundredth of what is counted, the time by the
    clock and the process's seconds of work.
    """

    count: int
    stages: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    name: str = ""
    done: int = 0

    def stage(self, name: str, total: int | None, look: object = None) -> None:
        self.name, self.done = name, 0
        self.stages[name] = [now()]

    def found(self, count: int) -> None:
        pass

    def answered(self, response: Response) -> None:
        self.advance()

    def ended(self) -> None:
        pass

    def advance(self) -> None:
        self.done += 1
        if self.done % (self.count // 100) == 0:
            self.stages[self.name].append(now())

    def rates(self, name: str, clock: int) -> list[float]:
        """Of each tenth, in items a second of the clock (0) or of work (1)."""
        times = [pair[clock] for pair in self.stages[name]]
        return [self.count / 10 / (times[at + 10] - times[at]) for at in range(0, 100, 10)]


def now() -> tuple[float, float]:
    return time.monotonic(), time.process_time()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_data(folder / "data", count)
        write_recording(folder / "recording", folder / "data")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        watch = Watch(count)
        plan = Plan(
            model="recorded",
            tasks=("ocrbench",),
            engine="replay",
            engine_args={"run": str(folder / "recording")},
            data={"ocrbench": folder / "data"},
            output=folder / "results",
        )
        began = time.monotonic()
        outcome = run(plan, watch)
        seconds = time.monotonic() - began
        began = time.monotonic()
        same = rescore(outcome.folder).results == outcome.results
        again = time.monotonic() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        with sqlite3.connect(outcome.folder / "run.sqlite") as database:
            (checked,) = database.execute("PRAGMA integrity_check").fetchone()
        size = (outcome.folder / "run.sqlite").stat().st_size / 1e6
    for name in ("reading samples", "asking"):
        for clock, kind in enumerate(("of the clock", "of work")):
            rates = watch.rates(name, clock)
            print(f"{name}: {', '.join(f'{rate:,.0f}' for rate in rates)} a second {kind}")
    print(f"{outcome.asked:,} asked, {len(outcome.failures)} kinds of failure, {seconds:.0f} s")
    print(f"scored again in {again:.0f} s, {'the same' if same else 'OTHER'} results")
    print(f"peak {peak:.0f} MB, {before:.0f} MB before; run.sqlite {size:.0f} MB, check: {checked}")
    rates = watch.rates("asking", 1)
    sys.exit(0 if checked == "ok" and same and rates[-1] >= 0.9 * rates[0] else 1)


if __name__ == "__main__":
    main()
