"""SIGKILL at random moments of a real command: nothing committed is lost, the end is the same.

KILLS says how many a test makes (`make soak` makes 60), SEED where they fall.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.reliability.killing import Bench, answers, check_answers, check_whole, content, moments
from tests.test_checkpoints import checkpoint
from tests.test_lmms_eval import caption, log

KILLS = int(os.environ.get("KILLS", "0"))
SEED = int(os.environ.get("SEED", "0"))
TASKS = "commute,multi30k,ocrbench"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("kill") / "model")


def asking(model: Path, output: Path, *more: object) -> tuple[object, ...]:
    words = ("--engine", "scripted", "--tasks", TASKS, "--split", "sample", "--output", output)
    return ("run", "--model", model, *words, *more)


def run_of(output: Path) -> Path:
    """The run's folder, also where it has not come to be yet."""
    return next(output.glob("*/*"), output)


def test_a_run_and_its_resumptions(tmp_path: Path, model: Path) -> None:
    bench = Bench(tmp_path, seconds=0.015)
    length = bench.finish(asking(model, tmp_path / "undisturbed"))
    killed = 0
    for round_, after in enumerate(moments(SEED, KILLS or 6, length)):
        # Three kills in a row before one run comes to its end: resumptions are killed as well.
        output = tmp_path / f"killed-{round_ // 3}"
        before = answers(run_of(output))
        killed += bench.kill(asking(model, output), after)
        check_answers(bench, run_of(output), before)
        check_whole(output)
    assert killed
    wanted = content(run_of(tmp_path / "undisturbed"))
    assert {"results.json", "run.sqlite", "samples/commute.parquet"} <= set(wanted)
    for output in tmp_path.glob("killed-*"):
        bench.finish(asking(model, output))
        assert content(run_of(output)) == wanted


@pytest.mark.parametrize("words", ["score", "leaderboard", "import"])
def test_what_reads_and_writes_a_finished_run(tmp_path: Path, model: Path, words: str) -> None:
    """Scoring again, a board, an import: killed, they leave what was there, and then they end."""
    bench = Bench(tmp_path)
    results = tmp_path / "results"
    bench.finish(asking(model, results))
    logs = tmp_path / "logs"
    log(logs, "multi30k-de", *(caption(number, "Ein Boot.") for number in range(40)))
    command: tuple[object, ...] = {
        "score": ("score", run_of(results)),
        "leaderboard": ("leaderboard", results, "--output", tmp_path / "board"),
        "import": ("import", "lmms-eval", logs, "--model", "logged", "--output", results),
    }[words]
    statuses = (0, 4) if words == "import" else (0,)
    before = answers(run_of(results / "model"))
    length = bench.finish(command, statuses)
    made = [results, *([tmp_path / "board"] if words == "leaderboard" else [])]
    wanted = [content(folder) for folder in made]
    killed = 0
    for after in moments(SEED, KILLS or 2, length):
        if words != "score":
            shutil.rmtree(tmp_path / "board" if words == "leaderboard" else results / "logged")
        killed += bench.kill(command, after)
        for folder in made:
            check_whole(folder)
        assert answers(run_of(results / "model")) == before
        bench.finish(command, statuses)
        assert [content(folder) for folder in made] == wanted
    assert killed


@pytest.mark.engine
@pytest.mark.slow
def test_a_run_of_the_tiny_model_through_vllm(tmp_path: Path) -> None:
    """The engine's own process goes along, and the next start is not hindered by it."""
    bench = Bench(tmp_path)

    def words(output: str) -> tuple[object, ...]:
        given = ("--tasks", "multi30k,commute", "--split", "sample", "--output", tmp_path / output)
        return ("run", "--model", "tiny", *given)

    length = bench.finish(words("undisturbed"))
    for after in moments(SEED, KILLS or 4, length):
        before = answers(run_of(tmp_path / "killed"))
        bench.kill(words("killed"), after)
        check_answers(bench, run_of(tmp_path / "killed"), before)
        check_whole(tmp_path / "killed")
    bench.finish(words("killed"))
    wanted = content(run_of(tmp_path / "undisturbed"))
    assert content(run_of(tmp_path / "killed")) == wanted
