"""The table that `make demo` ends with: what the tiny recipe's model has learned, and does it look?

    python scripts/demo_table.py trained/tiny

Exit status 1 unless every task's mean is surely better than the untrained model's (`towereval
compare`) and above chance (its 95% interval), and wrong pictures take at least two thirds of what
is above.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from towereval.compare import MEAN, Comparison, compare
from towereval.measured import read
from towereval.results import read_run
from towereval.types import Result

# Task -> the score of one who does not look. Multi30K has none: the English caption says it all.
CHANCE = {"ocrbench": 0.0, "commute": 0.5, "alm_bench": 0.25, "vimul_bench": 0.25}
LEFT = 1 / 3


def main(folder: Path) -> int:
    runs = {
        "untrained": newest(folder / "scores", "*untrained"),
        "trained": newest(folder / "scores", "*model"),
        "wrong picture": newest(folder / "scores-wrong-pictures", "*model"),
    }
    report = compare(read(runs["untrained"]), read(runs["trained"]))
    gains: dict[tuple[str, str], Comparison] = {}
    for one in report.comparisons:
        if one.gated and (one.language == MEAN or (one.task, one.metric) not in gains):
            gains[one.task, one.metric] = one
    scores = {name: by_task(run) for name, run in runs.items()}
    print(f"{'task':28}{'metric':22}{'n':>5}  chance{''.join(f'  {name:>22}' for name in scores)}")
    amiss = [f"no comparison of {task}" for task in CHANCE if task not in {t for t, _ in gains}]
    for (task, metric), gain in gains.items():
        own = {name: found[task, metric] for name, found in scores.items()}
        chance = CHANCE.get(task)
        shown = "-" if chance is None else f"{chance:g}"
        cells = "".join(f"  {cell(row):>22}" for row in own.values())
        print(f"{f'{task}@{gain.variant}':28}{metric:22}{gain.n:>5}  {shown:>6}{cells}")
        amiss += faults(task, gain.verdict, own["trained"], own["wrong picture"])
    print("multi30k: the English caption says it all, so with a wrong picture much is left.")
    for reason in amiss:
        print(f"not as it should be: {reason}", file=sys.stderr)
    return 1 if amiss else 0


def faults(task: str, verdict: str, trained: Result, wrong: Result) -> Iterator[str]:
    if verdict != "improvement":
        yield f"{task}: trained against untrained is {verdict!r}, no improvement"
    if task not in CHANCE:
        return
    if trained.value is None or wrong.value is None:
        yield f"{task}: not scored"
    elif (trained.value if trained.ci_low is None else trained.ci_low) <= CHANCE[task]:
        yield f"{task}: {cell(trained)} is not surely above chance"
    elif wrong.value - CHANCE[task] > LEFT * (trained.value - CHANCE[task]):
        yield f"{task}: {wrong.value:.3f} with wrong pictures, which is not near chance"


def newest(folder: Path, pattern: str) -> Path:
    """The run that was scored last of a model."""
    found = sorted(folder.glob(f"{pattern}/*/results.json"), key=lambda file: file.stat().st_mtime)
    if not found:
        raise SystemExit(f"{folder}: no run of {pattern}")
    return found[-1].parent


def by_task(run: Path) -> dict[tuple[str, str], Result]:
    """The mean over languages, or the one language, of each task's metrics."""
    found: dict[tuple[str, str], Result] = {}
    for row in read_run(run).rows:
        if not row.group and (row.language == MEAN or (row.task, row.metric) not in found):
            found[row.task, row.metric] = row
    return found


def cell(row: Result) -> str:
    if row.value is None:
        return "-"
    digits = 1 if row.value > 1 or (row.ci_high or 0) > 1 else 3
    if row.ci_low is None or row.ci_high is None:
        return f"{row.value:.{digits}f}"
    return f"{row.value:.{digits}f} ({row.ci_low:.{digits}f} to {row.ci_high:.{digits}f})"


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
