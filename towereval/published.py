"""Numbers that papers print and authors logged, and a run beside those that mean the same thing.

A published number stands beside ours only where a `Protocol` says which task, variant and metric of
ours it is. Everything else is refused with the reason, never matched by a similar name.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from towereval.errors import UnknownName
from towereval.protocols import MEANS, PROTOCOLS, TASKS, Protocol
from towereval.results import Run
from towereval.types import Result

DATA = Path(__file__).parent / "data" / "published"


@dataclass(frozen=True, slots=True)
class Published:
    """One number as it was printed or logged.

    `score` is in the source's own unit, to `digits` decimals. `checkpoint` is what the authors' log
    calls the model, `repo` its hub id and `repo_guess` one that the paper does not name.
    `reconstructed` says how the number was put back where it was displaced in the source, else "".
    """

    origin: str
    kind: Literal["paper", "logs"]
    paper: str
    table: str
    source: str
    model: str
    checkpoint: str
    repo: str
    repo_guess: str
    benchmark: str
    metric: str
    language: str
    score: float
    digits: int
    n: int | None
    reconstructed: str

    @property
    def task(self) -> str:
        return TASKS.get(self.benchmark, self.benchmark)

    @property
    def names(self) -> frozenset[str]:
        """What the model may be asked for by; a guessed hub id is not one of them."""
        return frozenset({self.model, self.checkpoint, self.repo} - {""})


@dataclass(frozen=True, slots=True)
class Beside:
    """`value` is the published number in our unit.

    `inside` is whether it lies in our interval, None without one; `same` whether ours, rounded as
    theirs, is theirs.
    """

    published: Published
    ours: Result
    value: float
    difference: float
    inside: bool | None
    same: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    published: Published
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`absent` counts published numbers by benchmark of which this run has no task."""

    names: tuple[str, ...]
    beside: tuple[Beside, ...]
    refused: tuple[Refused, ...]
    absent: dict[str, int]


def load() -> tuple[Published, ...]:
    """All published numbers, in the order of the papers and their tables."""
    about = json.loads((DATA / "sources.json").read_text(encoding="utf-8"))
    return tuple(
        row for origin, paper in about["papers"].items() for row in _rows(origin, paper, about)
    )


def _rows(origin: str, paper: dict[str, Any], about: dict[str, Any]) -> list[Published]:
    with (DATA / f"{origin}.csv").open(encoding="utf-8", newline="") as stream:
        return [
            Published(
                origin=origin,
                kind="logs" if paper["kind"] == "logs" else "paper",
                paper=paper["paper"],
                table=raw["table"],
                source=about["sources"][raw["source"]],
                model=raw["model"],
                checkpoint=raw["checkpoint"],
                repo=raw["repo"],
                repo_guess=raw["repo_guess"],
                benchmark=raw["benchmark"],
                metric=raw["metric"],
                language=raw["language"],
                score=float(raw["score"]),
                digits=int(paper["digits"]),
                n=int(raw["n"]) if raw["n"] else None,
                reconstructed=raw["reconstructed"],
            )
            for raw in csv.DictReader(stream)
        ]


def beside(run: Run, published: Sequence[Published], names: Sequence[str] = ()) -> Comparison:
    """The run's rows beside the numbers that were published of the models named.

    Without a name it is the run's own model name and checkpoint, which must be a published name to
    the letter. Raises `UnknownName`.
    """
    wanted = tuple(dict.fromkeys(names or (run.model, run.checkpoint)))
    known = {name for row in published for name in row.names}
    found = tuple(name for name in wanted if name in known)
    if missing := [name for name in names if name not in known]:
        raise UnknownName("published model", missing[0], known)
    if not found:
        raise UnknownName("published model", run.model, known)
    tasks = {row.task for row in run.rows}
    pairs: list[Beside] = []
    refused: list[Refused] = []
    absent: dict[str, int] = {}
    for row in published:
        if row.names.isdisjoint(found):
            continue
        if row.task not in tasks:
            absent[row.benchmark] = absent.get(row.benchmark, 0) + 1
            continue
        answer = _match(run, row)
        if isinstance(answer, Beside):
            pairs.append(answer)
        else:
            refused.append(Refused(row, answer))
    return Comparison(found, tuple(pairs), tuple(refused), absent)


def _match(run: Run, row: Published) -> Beside | str:
    """The pair, or why there is none: the first thing that differs."""
    if limit := run.limit:
        return f"the run was cut to {limit} samples a language"
    protocol = next(
        (
            each
            for each in PROTOCOLS
            if (each.origin, each.benchmark, each.metric) == (row.origin, row.benchmark, row.metric)
        ),
        None,
    )
    if protocol is None:
        return f"no rule says which of our metrics its {row.metric!r} is"
    rows = [each for each in run.rows if each.task == row.task and not each.group]
    if not rows:
        return "the run has only categories of it, no row over the whole"
    if {each.split for each in rows} != {"full"}:
        return "the run is on the bundled samples, not on the benchmark"
    variants = sorted({each.variant for each in rows})
    if protocol.variant not in variants:
        return f"another protocol: theirs is @{protocol.variant}, the run's @{', @'.join(variants)}"
    rows = [each for each in rows if each.variant == protocol.variant]
    metrics = sorted({each.metric for each in rows})
    if protocol.ours not in metrics:
        return f"another metric: theirs is {protocol.ours}, the run has {', '.join(metrics)}"
    rows = [each for each in rows if each.metric == protocol.ours]
    if not all(protocol.signature in f"{each.signature}|" for each in rows):
        return f"another metric: ours is signed {rows[0].signature}"
    return _pair(protocol, row, rows)


def _pair(protocol: Protocol, row: Published, rows: Sequence[Result]) -> Beside | str:
    languages, unknown = MEANS.get((row.origin, row.benchmark, row.language), (None, ""))
    if languages is not None:
        ours = next((each for each in rows if each.language == "*"), None)
        if ours is None or frozenset(ours.languages) != languages:
            over = f"over {len(ours.languages)}" if ours else "without one"
            return f"another mean: theirs is over {len(languages)} languages, the run is {over}"
    else:
        # Translations are named by their pair; we name them by what is written.
        code = row.language.removeprefix("en-")
        ours = next((each for each in rows if each.language == code), None)
        if ours is None:
            has = ", ".join(each.language for each in rows if each.language != "*")
            return f"no row of ours is over {row.language!r}: the run has {has}"
    if ours.value is None:
        return f"ours has no value: {ours.note}"
    value = row.score * protocol.unit
    inside = None
    if ours.ci_low is not None and ours.ci_high is not None:
        inside = ours.ci_low <= value <= ours.ci_high
    notes = tuple(_notes(row, ours, (protocol.doubt, unknown)))
    same = abs(ours.value / protocol.unit - row.score) <= 0.5 * 10**-row.digits + 1e-9
    return Beside(row, ours, value, ours.value - value, inside, same, notes)


def _notes(row: Published, ours: Result, doubts: Sequence[str]) -> Iterator[str]:
    if row.reconstructed:
        yield f"reconstructed: {row.reconstructed}"
    yield from filter(None, doubts)
    if row.n is not None and row.n != ours.n:
        yield f"theirs is over {row.n} samples, ours over {ours.n}"
    if ours.n_failed:
        yield f"{ours.n_failed} of our samples failed and are left out"
    if ours.n_unscored:
        yield f"{ours.n_unscored} of our samples cannot be judged and are left out"
