"""What a run shows while it is asked, in terminals of several kinds."""

from __future__ import annotations

import io
import re
import signal
import time
from pathlib import Path

import pytest
from rich.console import Console

from tests.terminal_screen import Terminal
from tests.test_checkpoints import checkpoint
from tests.test_cli import MAIN, surroundings
from towereval.cli import progress
from towereval.cli.live import drawn
from towereval.cli.progress import Pace, Progress
from towereval.progress import Standing, State
from towereval.statistics import Estimate
from towereval.types import Usage

# An engine that answers nineteen requests at once and another half a second later, and then waits
# for a file. Every fifth fails; the first answer to a sample is the likelier one.
PAUSING = f"""
import pathlib, signal, sys, time, types
import towereval.run
from towereval import engines
from towereval.types import Response, Usage

signal.signal(signal.SIGINT, signal.default_int_handler)
running = towereval.run.Running  # with all the time it wants, on however slow a machine
towereval.run.Running = lambda *words: running(*words, share=1e9)

class Pausing:
    capabilities = frozenset({{"generate", "score"}})
    usage = Usage()

    def run(self, requests):
        for count, request in enumerate(requests, start=1):
            if count == 20:
                self.usage = Usage(prompt_tokens=200, cached_tokens=50)
                time.sleep(0.6)
            if count == 21:
                print("a library says this")
                print("a library warns", file=sys.stderr)
                while not pathlib.Path("go").exists():
                    time.sleep(0.05)
            if count % 5:
                yield Response(request.key, logprob=-float(count), token_count=4)
            else:
                yield Response(request.key, error="too long")

    def close(self):
        pass

engines.KINDS["pausing"] = engines.EngineKind("pausing", (), "", Pausing.capabilities)
module = types.ModuleType("towereval.engines.pausing")
module.start = lambda model, **options: Pausing()
sys.modules[module.__name__] = module
{MAIN}
"""


def commute(folder: Path, size: tuple[int, int], **environment: str) -> Terminal:
    model = checkpoint(folder / "model")
    words = ("run", "--model", model, "--tasks", "commute", "--split", "sample")
    words = (*words, "--engine", "pausing", "--max-failed", "100%")
    known = {k: v for k, v in surroundings().items() if k not in ("COLUMNS", "CI", "NO_COLOR")}
    settings = {**known, "TERM": "xterm", **environment}
    return Terminal(["-c", PAUSING, *words], size, folder, **settings)


def test_a_terminal_shows_the_run_and_each_task_with_its_score(tmp_path: Path) -> None:
    with commute(tmp_path, (100, 30)) as terminal:
        shown = terminal.until(b"  20/48")
        # What is printed meanwhile stands above.
        assert shown[:2] == ["a library says this", "a library warns"]
        assert re.fullmatch(r"asking 20/48 ━+[╸╺]?━+", shown[2])
        facts = r"[\d.]+/s, \d+ s left, 4 failed, 25% of prompts cached"
        assert re.fullmatch(facts, shown[3])
        assert shown[4].split() == ["task", "answered", "failed", "so", "far", "by"]
        # Of ten samples four have a failed answer; of the others the first answer is likelier.
        by = "contrastive_accuracy, mean of 4 languages, n=6"
        assert shown[5:] == [f"commute     20/48       4  1.000   {by}"]
        (tmp_path / "go").touch()
        screen = terminal.end()
        assert terminal.process.returncode == 0
        left = screen.shown()
        assert screen.cursor_shown
        assert not [line for line in left if line.startswith(("asking", "scoring"))]
        assert left[2].split()[:3] == ["task", "metric", "language"]
        [run] = tmp_path.glob("results/model/*")
        page = f"page: {run.relative_to(tmp_path)}/report.html; to open it: towereval view"
        assert any(line.startswith(page) for line in left)
        assert left[-1] == f"48 asked, {run.relative_to(tmp_path)}/results.json"


def test_ctrl_c_leaves_a_small_plain_terminal_as_it_was(tmp_path: Path) -> None:
    plain = {"NO_COLOR": "1", "PYTHONIOENCODING": "ascii"}
    with commute(tmp_path, (44, 12), **plain) as terminal:
        shown = terminal.until(b"  20/48")
        assert re.fullmatch(r"asking 20/48 -+ -+|asking 20/48 -+", shown[2])
        assert shown[-1].split() == ["commute", "20/48", "4", "1.000"]
        terminal.process.send_signal(signal.SIGINT)
        screen = terminal.end()
        assert terminal.process.returncode == 130
        assert screen.shown()[2:] == ["stopped; the same command goes on from here"]
        assert screen.cursor_shown
        assert not screen.colours


def test_a_build_gets_lines_also_from_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    with commute(tmp_path, (100, 30), CI="true") as terminal:
        terminal.end()
        lines = terminal.raw.decode().splitlines()
        assert lines[:3] == ["reading samples", "starting pausing", "asking 0/48 (0.0/s)"]
        assert lines[3:5] == ["a library says this", "a library warns"]
        assert lines[5].startswith("asking 48/48 (")
        assert lines[5].endswith(" left), 9 failed, 25% of prompts cached")


# --- what is drawn where ---


def standing(index: int, done: int) -> Standing:
    score = Estimate(0.25 + index / 100, 0.2, 0.4, done, done, 1.0, "wilson") if done else None
    return Standing(f"task_{index:02}", 40, done, 0, "accuracy", score, 3)


def on(width: int, height: int, standings: list[Standing]) -> list[str]:
    pace = Pace("asking", 800, done=100, look=State, state=State(tuple(standings)))
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True)
    with console.capture() as capture:
        console.print(drawn(pace, console))
    return [line.rstrip() for line in re.sub(r"\x1b\[[\d;]*m", "", capture.get()).splitlines()]


def test_a_low_terminal_shows_the_tasks_that_are_being_asked() -> None:
    standings = [standing(i, 40 if i < 3 else 7 if i < 5 else 0) for i in range(20)]
    lines = on(100, 10, standings)
    assert [line.split()[0] for line in lines[3:]] == [
        "task_01",
        "task_02",
        "task_03",
        "task_04",
        "and",
    ]
    assert lines[-1] == "and 16 more"
    assert len(on(100, 40, standings)) == 3 + 20
    assert len(on(100, 6, standings)) == 2  # no room for one


def test_a_narrow_terminal_drops_what_says_least() -> None:
    wide, middle, narrow = (on(width, 20, [standing(1, 7)])[-1].split() for width in (100, 70, 50))
    told = ["task_01", "7/40", "0.260", "±0.100"]
    assert narrow == told
    assert middle == [*told, "accuracy"]
    assert wide == [*told, "accuracy,", "mean", "of", "3", "languages,", "n=7"]


# --- lines ---


def test_a_log_gets_a_line_often_at_first_and_seldom_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown = Progress()
    shown.stage("asking", 10_000)
    shown.pace.began = now[0]
    for _ in range(600):
        now[0] += 1.0
        shown.advance()
    lines = capsys.readouterr().err.splitlines()
    done = [int(line.split()[1].partition("/")[0]) for line in lines]
    assert done == [*range(0, 180, 10), 230, 290, 350, 410, 470, 530, 590]


def test_a_line_has_the_tasks_that_are_being_asked(capsys: pytest.CaptureFixture[str]) -> None:
    one = [standing(1, 40), standing(2, 7), standing(3, 0)]
    state = State(tuple(one), Usage(prompt_tokens=10, cached_tokens=9))
    pace = Pace("asking", 120, done=47, look=lambda: state, state=state)
    assert pace.line().partition("), ")[2] == (
        "90% of prompts cached; task_02 7/40, 0.270 ±0.100 so far by accuracy, mean of 3 languages,"
        " n=7"
    )
    told = pace.record()
    assert told["prompts_cached"] == 0.9
    assert told["tasks"][1] == {
        "task": "task_02",
        "done": 7,
        "total": 40,
        "metric": "accuracy",
        "value": 0.27,
        "low": 0.2,
        "high": 0.4,
        "n": 7,
        "languages": 3,
        "provisional": True,
    }
    assert progress.basis(one[2]) == "accuracy"
