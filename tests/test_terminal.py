"""What people type by habit, and the page that is opened for them."""

from __future__ import annotations

import json
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.test_cli import MAIN, error_line, replay, towereval
from tests.test_replay import record
from towereval import __version__
from towereval.cli import completion
from towereval.cli.progress import Pace, Progress, rewrite
from towereval.cli.spellings import translated
from towereval.errors import UsageError
from towereval.store import Store
from towereval.types import Response

# A spelling that goes breaks a script of somebody who came from lm-eval.
SAME = [
    ("--model_args dtype=float32,seed=1", "--engine-args dtype=float32,seed=1"),
    ("--model_args=dtype=float32", "--engine-args dtype=float32"),
    ("--output_path there", "--output there"),
    ("--output-path=there", "--output there"),
    ("--log_samples --limit 3", "--limit 3"),
    ("--apply_chat_template --limit=3", "--limit 3"),
    ("--batch_size auto --num_fewshot 0", ""),
    ("--include_path folder --predict_only", "--include_path folder --predict_only"),
    ("--model ./vllm --trust_remote_code", "--model ./vllm --trust_remote_code"),
]
REFUSED = [
    ("--use_cache answers", "--use_cache: answers are always kept, in the run's folder"),
    ("--gen_kwargs temperature=1", "--gen_kwargs: how answers are decoded is a part of a task's"),
    ("--model_args pretrained=a/b,dtype=auto", "--model_args pretrained=...: the model is named"),
    ("--output_path scores.json", "--output_path scores.json: a run is a folder"),
    ("--limit 0.1", "--limit 0.1: a share is not taken"),
    ("--batch_size 8", "--batch_size 8: the engine fills its batches itself"),
    ("--num_fewshot 5", "--num_fewshot 5: examples in a prompt are a part of a task's protocol"),
    ("--model vllm --tasks x", "--model vllm: the model is named by --model, as a name, a folder"),
    ("--apply_chat_template=chatml", "--apply_chat_template=chatml: a prompt always has the model"),
    ("--system_instruction be", "--system_instruction: prompts are a part of a task's protocol"),
    ("--device cuda:1", "--device: the engine takes the GPUs that CUDA_VISIBLE_DEVICES names"),
    ("--wandb_args project=x", "--wandb_args: nothing is sent anywhere"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one run, asked by options that are spelled as lm-eval spells them."""
    folder = tmp_path_factory.mktemp("terminal")
    recorded = record(folder / "recorded", ["commute"])
    words = [str(word) for word in replay(recorded, "--tasks", "commute", "--log_samples")]
    words[words.index("--engine-args")] = "--model_args"
    done = towereval(*words, "--output_path", "runs", "--max_failed", 0, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(("theirs", "ours"), SAME)
def test_a_spelling_that_means_the_same_is_taken(theirs: str, ours: str) -> None:
    assert list(translated(theirs.split())) == ours.split()


@pytest.mark.parametrize(("words", "reason"), REFUSED)
def test_what_cannot_mean_the_same_is_refused_with_the_reason(words: str, reason: str) -> None:
    with pytest.raises(UsageError) as error:
        list(translated(words.split()))
    assert str(error.value).startswith(reason)


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    done = towereval("run", "--model", "tiny", "--gen_kwargs", "top_p=1", cwd=tmp_path)
    assert "--gen_kwargs: how answers are decoded" in error_line(done, 2)


def test_underscores_are_taken_everywhere(finished: Path) -> None:
    [run] = finished.glob("runs/made/*")
    assert towereval("score", run, "--max_failed=0", cwd=finished).returncode == 0
    board = towereval("leaderboard", "runs", "--samples_of", "made", cwd=finished)
    assert board.returncode == 0, board.stderr


def test_the_version_is_said(tmp_path: Path) -> None:
    done = towereval("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"towereval {__version__}\n")


def completed(words: str, folder: Path, **shell: str) -> list[str]:
    """What a shell is offered after these words, the last of them half typed."""
    script = f"import sys; sys.argv[0] = 'towereval'; {MAIN}"
    last = str(len(words.split(" ")) - 1)
    asked = {"_TOWEREVAL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": last}
    done = towereval(cwd=folder, script=script, **{**asked, **shell})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("towereval lea", ["leaderboard"]),
        ("towereval run --json", ["--json-logs"]),
        # Also after what is refused once it is typed.
        ("towereval run --use_cache x --tasks commute,multi", ["commute,multi30k"]),
        ("towereval run --engine ", ["vllm", "transformers", "ray", "openai", "replay"]),
    ],
)
def test_a_shell_completes_commands_options_and_values(
    tmp_path: Path, words: str, found: list[str]
) -> None:
    assert completed(words, tmp_path) == found


def test_names_are_completed_without_what_is_heavy(tmp_path: Path) -> None:
    arguments = {
        "_TOWEREVAL_COMPLETE": "complete_zsh",
        "_TYPER_COMPLETE_ARGS": "towereval models t",
    }
    found = completed("", tmp_path, **arguments)
    assert any("towervision-2b" in name for name in found)
    heavy = "import sys; sys.modules.update(dict.fromkeys(('torch', 'numpy', 'rich', 'PIL')))"
    script = f"{heavy}; from towereval.cli import completion as c; "
    script += "print(c.model('towervision-9b'), c.tasks('xgq'), c.languages('de,tier:T5'))"
    done = towereval(cwd=tmp_path, script=script)
    assert done.returncode == 0, done.stderr
    offered = "['towervision-9b', 'towervision-9b-pt'] ['xgqa'] ['de,tier:T5']\n"
    assert done.stdout == offered


def test_what_is_in_a_list_is_not_offered_again() -> None:
    assert completion.languages("core,tower20,tower") == []
    assert "ocrbench,ocrbench" not in completion.tasks("ocrbench,o")


def test_completion_is_installed_into_the_shell(tmp_path: Path) -> None:
    asked = {"HOME": str(tmp_path), "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = f"import sys; sys.argv[0] = 'towereval'; {MAIN}"
    done = towereval("--install-completion", "bash", cwd=tmp_path, script=script, **asked)
    assert done.returncode == 0, done.stderr
    [written] = tmp_path.glob(".bash_completions/towereval.sh")
    assert "_TOWEREVAL_COMPLETE=complete_bash" in written.read_text()
    assert str(written) in (tmp_path / ".bashrc").read_text()


# --- view ---


def browser(folder: Path) -> str:
    """A BROWSER that writes down what it was shown."""
    script = folder / "browser.py"
    script.write_text(f"import sys; open({str(folder / 'shown')!r}, 'w').write(sys.argv[1])")
    return f"{sys.executable} {script} %s"


def test_a_run_is_opened_in_the_browser(finished: Path, tmp_path: Path) -> None:
    [run] = finished.glob("runs/made/*")
    done = towereval("view", run, cwd=finished, BROWSER=browser(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{run}/report.html\n"
    assert (tmp_path / "shown").read_text() == (run / "report.html").as_uri()


def test_the_path_is_told_where_no_browser_is(finished: Path) -> None:
    [run] = finished.glob("runs/made/*")
    nothing = {"BROWSER": "", "DISPLAY": "", "WAYLAND_DISPLAY": ""}
    done = towereval("view", run, cwd=finished, **nothing)
    assert (done.returncode, done.stdout) == (0, f"{run}/report.html\n")
    assert done.stderr == "no browser here: open this file in one\n"


def test_a_folder_of_runs_is_opened_as_a_board(finished: Path, tmp_path: Path) -> None:
    words = ("view", "runs", "--output", tmp_path / "board")
    done = towereval(*words, cwd=finished, BROWSER=browser(tmp_path))
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}/board/index.html\n")
    board = json.loads((tmp_path / "board" / "leaderboard.json").read_text())
    assert [model["name"] for model in board["models"]] == ["made"]
    again = towereval("view", tmp_path / "board", cwd=tmp_path, BROWSER=browser(tmp_path))
    assert again.stdout == done.stdout
    assert (tmp_path / "shown").read_text() == (tmp_path / "board" / "index.html").as_uri()


def test_a_report_that_is_gone_is_made_again(finished: Path, tmp_path: Path) -> None:
    [run] = finished.glob("runs/made/*")
    copy = shutil.copytree(run, tmp_path / "copy")
    (copy / "report.html").unlink()
    assert towereval("view", copy, cwd=tmp_path, BROWSER=browser(tmp_path)).returncode == 0
    pages = [(folder / "report.html").read_text() for folder in (run, copy)]
    assert pages[0][:2000] == pages[1][:2000]  # then come the data, with the time


def test_what_has_no_page_is_one_line(finished: Path, tmp_path: Path) -> None:
    assert "results: no such folder" in error_line(towereval("view", cwd=tmp_path), 2)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "manifest.json").write_text("{}")
    done = towereval("view", "run", cwd=tmp_path)
    assert "run has no results yet; run: towereval score run" in error_line(done, 2)


# --- how far it is ---


def pace(**known: float) -> Pace:
    return Pace("asking", 200, began=time.monotonic() - 10, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "line"),
    [
        ({}, "asking 0/200 (0.0/s)"),
        ({"done": 50}, "asking 50/200 (5.0/s, 30 s left)"),
        ({"done": 2, "tokens": 5000}, "asking 2/200 (0.2/s, 500 tokens/s, 16 min left)"),
        ({"done": 100, "failed": 3, "found": 7}, "asking 100/200 (10.0/s, 10 s left), 3 failed, 7"),
    ],
)
def test_a_line_says_how_fast_how_long_and_what_failed(known: dict[str, int], line: str) -> None:
    assert pace(**known).line().startswith(line)


def test_answers_are_counted_by_what_they_are() -> None:
    seen: list[Pace] = []
    progress = Progress(seen.append)
    progress.found(4)
    progress.stage("asking", 3)
    progress.answered(Response("a", "text", token_count=20))
    progress.answered(Response("b", error="too long"))
    progress.answered(Response("c", logprob=-1.0, token_count=7))  # nothing was generated
    assert (seen[-1].done, seen[-1].failed, seen[-1].tokens, seen[-1].found) == (3, 1, 20, 4)
    progress.stage("scoring", None)
    assert seen[-1].line() == "scoring"


def test_an_earlier_start_is_told_as_found(finished: Path) -> None:
    recorded = finished / "recorded"
    words = ("--tasks", "commute", "--output", "more", "--model", "made")
    assert towereval(*replay(recorded, *words, "--limit", 1), cwd=finished).returncode == 0
    [run] = finished.glob("more/made/*")
    with Store(run) as store:
        before = store.count_questions()
        store._db.execute(
            "DELETE FROM responses WHERE rowid IN (SELECT rowid FROM responses LIMIT 2)"
        )
        store._db.commit()
    again = towereval(*replay(recorded, *words, "--limit", 1, "--json_logs"), cwd=finished)
    assert again.returncode == 0, again.stderr
    events = [json.loads(line) for line in again.stderr.splitlines()]
    last = [event for event in events if event.get("stage") == "asking"][-1]
    assert (last["done"], last["total"], last["found"]) == (2, 2, before - 2)


def test_quiet_says_where_the_results_are(finished: Path) -> None:
    [run] = finished.glob("runs/made/*")
    words = replay(finished / "recorded", "--tasks", "commute", "--output", "runs", "--quiet")
    done = towereval(*words, cwd=finished)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"0 asked, {run.relative_to(finished)}/results.json\n"
    scored = towereval("score", run, "--quiet", cwd=finished)
    assert (scored.returncode, scored.stdout, scored.stderr) == (0, "", "")


def test_errors_and_failures_are_json_where_that_is_asked(finished: Path, tmp_path: Path) -> None:
    done = towereval("run", "--model", "tiny", "--json-logs", cwd=tmp_path)
    told = json.loads(done.stderr)
    assert (done.returncode, told["event"], told["status"]) == (2, "error", 2)
    assert told["message"].startswith("run wants --model and --tasks")
    words = replay(finished / "recorded", "--tasks", "ocrbench", "--output", tmp_path)
    failed = towereval(*words, "--json-logs", cwd=finished)
    *_, last, end = [json.loads(line) for line in failed.stderr.splitlines()]
    assert failed.returncode == end["status"] == 4
    assert (Path(end["folder"]) / "results.json").is_file()
    reason = "this request is not in the recorded run"
    assert (last["event"], last["reason"], last["count"]) == ("failed", reason, 30)


@pytest.mark.parametrize(
    ("variable", "value", "rewritten"),
    [
        ("TERM", "xterm", True),
        ("CI", "false", True),
        ("CI", "true", False),
        ("TERM", "dumb", False),
        ("TERM", "", False),
    ],
)
def test_lines_are_rewritten_where_they_can_be(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, rewritten: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv(variable, value)
    assert Progress().terminal == rewritten


def test_a_rewritten_line_fits_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    rewrite(pace(done=50, failed=2, tokens=4000))
    shown = capsys.readouterr().err.removeprefix("\r\x1b[K").removesuffix("\r")
    assert shown == "[#####...............] asking 50/200 (5"
    assert len(shown) == 39
