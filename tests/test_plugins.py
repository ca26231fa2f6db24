"""Tasks and adapters are found by their files' names: a user's first, never those of the folder in
which the command is run.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.test_cli import MAIN, ROOT, error_line, surroundings, towereval
from towereval import plugins
from towereval.errors import UnknownName, UsageError
from towereval.types import Checkpoint

TASKS = (
    *("alm_bench", "babel_imagenet_mc", "cc_ocr", "commute", "cvqa", "m3exam"),
    *("m5_vgr", "m5_vlod", "marvl", "maxm", "mmbench", "mme"),
    *("mtvqa", "multi30k", "ocrbench", "pope", "seedbench", "smpqa"),
    *("textvqa", "vimul_bench", "xgqa", "xm3600", "xmmmu", "xvnli"),
)
TASK = '''"""{summary}

More about it.
"""
from towereval.metrics.exact import ExactMatch


class Mine:
    name, variant, version = "{name}", "{variant}", 3
    languages, metrics, needs = ("de", "fr"), (ExactMatch(),), frozenset({{"generate"}})

    def samples(self, source, languages):
        return iter(())

    def requests(self, sample):
        return iter(())


variants = (Mine(),)
'''
ADAPTER = '''"""An adapter of one's own."""
from towereval.family import Family
from towereval.types import Checkpoint

MINE = Checkpoint("org/mine-1b", licence="mit", context_length=4096)
adapter = Family("mine", 4, {"mine-1b": MINE})
'''


def user_folder(folder: Path, **files: str) -> Path:
    """A folder for TOWEREVAL_PATH: `tasks_x` is tasks/x.py, `model_adapters_x` an adapter."""
    for name, content in files.items():
        kind = "tasks" if name.startswith("tasks_") else "model_adapters"
        file = folder / kind / f"{name.removeprefix(f'{kind}_')}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode("latin-1"))
    return folder


def task(name: str, variant: str = "mine", summary: str = "A task of one's own.") -> str:
    return TASK.format(name=name, variant=variant, summary=summary)


# --- what there is ---


def test_the_tasks_and_their_files_are_found() -> None:
    found = plugins.names("tasks")
    assert set(TASKS) <= set(found)
    assert list(found) == sorted(found)
    for name in TASKS:
        assert found[name] == ROOT / "tasks" / f"{name}.py"
        assert plugins.summary(found[name]).endswith((".", "?"))


@pytest.mark.parametrize("name", TASKS)
def test_a_tasks_variants_have_its_name_and_differ(name: str) -> None:
    variants = plugins.load_tasks(name)
    assert {each.name for each in variants} == {name}
    assert len({each.variant for each in variants}) == len(variants)
    assert plugins.load_task(name) is variants[0]
    for each in variants:
        assert plugins.load_task(f"{name}@{each.variant}") is each
        assert each.version >= 1
        assert each.metrics
        assert each.needs <= {"generate", "score", "choices"}
        signatures = [metric.signature for metric in each.metrics]
        assert len(set(signatures)) == len(signatures)


@pytest.mark.parametrize("name", plugins.names("model_adapters"))
def test_an_adapter_has_the_name_of_its_file(name: str) -> None:
    adapter = plugins.load_adapter(name)
    assert adapter.name == name
    assert adapter.version >= 1


def test_no_two_adapters_claim_a_model() -> None:
    models = [name for adapter in plugins.adapters() for name in adapter.checkpoints]
    repos = [c.repo for adapter in plugins.adapters() for c in adapter.checkpoints.values()]
    assert len(set(models)) == len(models)
    assert len(set(repos)) == len(repos)


def test_listing_imports_nothing(tmp_path: Path) -> None:
    script = f"""
import atexit, sys
atexit.register(lambda: print([m for m in sys.modules if m.startswith("towereval.tasks.")]))
{MAIN}
"""
    listed = towereval("tasks", cwd=tmp_path, script=script)
    assert listed.stdout.endswith("[]\n")
    shown = towereval("tasks", "commute", cwd=tmp_path, script=script)
    assert shown.stdout.endswith("['towereval.tasks.commute']\n")


# --- a user's own ---


def test_a_users_task_is_found_and_shown(tmp_path: Path) -> None:
    own = user_folder(
        tmp_path / "own", tasks_mine=task("mine"), tasks__draft=task("draft"), tasks_bare="x = 1\n"
    )
    listed = towereval("tasks", cwd=tmp_path, TOWEREVAL_PATH=str(own))
    assert (listed.returncode, listed.stderr) == (0, "")
    lines = listed.stdout.splitlines()
    width = max(map(len, TASKS))
    assert f"{'mine':{width}} A task of one's own." in lines
    assert f"{'bare':{width}} " in lines
    assert "draft" not in listed.stdout
    assert len(lines) == len(TASKS) + 2
    shown = towereval("tasks", "mine", cwd=tmp_path, TOWEREVAL_PATH=str(own))
    assert shown.stdout == (
        "mine@mine (version 3)\n  languages: de fr\n"
        f"  metric: exact_match|rule:lmms_eval|version:1\n  file: {own}/tasks/mine.py\n"
    )


def test_a_users_file_wins_and_of_two_folders_the_first(tmp_path: Path) -> None:
    first = user_folder(tmp_path / "first", tasks_commute=task("commute", "first"))
    second = user_folder(
        tmp_path / "second",
        tasks_commute=task("commute", "second"),
        tasks_ocrbench=task("ocrbench", "second"),
    )
    path = os.pathsep.join(["", str(tmp_path / "nowhere"), str(first), str(second)])
    for name, variant in (("commute", "first"), ("ocrbench", "second")):
        shown = towereval("tasks", name, cwd=tmp_path, TOWEREVAL_PATH=path)
        assert shown.stdout.startswith(f"{name}@{variant} (version 3)\n")
    listed = towereval("tasks", cwd=tmp_path, TOWEREVAL_PATH=path)
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(TASKS)
    wrong = towereval(
        *("run", "--model", "tiny", "--tasks", "commute@official"),
        cwd=tmp_path,
        TOWEREVAL_PATH=path,
    )
    assert "unknown variant of commute 'official'; known: first" in error_line(wrong, 2)


def test_a_users_adapter_is_found_and_shown(tmp_path: Path) -> None:
    own = user_folder(tmp_path / "own", model_adapters_mine=ADAPTER)
    listed = towereval("models", cwd=tmp_path, TOWEREVAL_PATH=str(own))
    repos = [line.index(line.split()[1]) for line in listed.stdout.splitlines()[:-1]]
    assert len(set(repos)) == 1  # one column, however long a name
    assert re.search(r"^mine-1b +org/mine-1b$", listed.stdout, re.MULTILINE)
    for name in ("mine-1b", "org/mine-1b", "mine:./here"):
        shown = towereval("models", name, cwd=tmp_path, TOWEREVAL_PATH=str(own))
        assert shown.stdout.startswith(f"{name} (adapter mine 4)\n")
        assert "  context: 4096\n" in shown.stdout


BROKEN = {
    "does not parse": ("def samples(:\n", "SyntaxError"),
    "imports what is missing": ("import no_such_module\n", "No module named 'no_such_module'"),
    "fails while it is imported": ("languages = LANGUAGES\n", "NameError: name 'LANGUAGES'"),
    "is no text": ("variants = '\xff\xfe'\n", "cannot be imported"),
    "holds a NUL": ("x = 1\x00\n", "cannot be imported"),
    "is empty": ("", "defines no"),
    "offers nothing": ("variants = ()\nadapter = None\n", "defines no"),
    "wants an extra": (
        "from towereval.errors import MissingExtra\nraise MissingExtra('mine', 'data')\n",
        "mine is not installed; run: pip install 'towereval[data]'",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_users_broken_file_is_one_line(tmp_path: Path, fault: str) -> None:
    content, message = BROKEN[fault]
    own = user_folder(tmp_path / "own", tasks_mine=content)
    for words in (("tasks", "mine"), ("run", "--model", "tiny", "--tasks", "multi30k,mine")):
        done = towereval(*words, cwd=tmp_path, TOWEREVAL_PATH=str(own))
        line = error_line(done, 2)
        assert message in line
        assert f"{own}/tasks/mine.py" in line or "extra" in fault
    listed = towereval("tasks", cwd=tmp_path, TOWEREVAL_PATH=str(own))
    assert (listed.returncode, listed.stderr) == (0, "")
    assert len(listed.stdout.splitlines()) == len(TASKS) + 1


# What a task that runs would be without, and what is said of it.
MISTAKES = {
    "no tuple": ("variants = (Mine(),)", "variants = Mine()", "variants is no tuple"),
    "a class": ("(Mine(),)", "(Mine,)", "Mine is a class; write: Mine()"),
    "another name": ('"mine"', '"other"', "the task is called 'other'; it must be 'mine'"),
    "a noun is missing": ("metrics, ", "", "cannot be imported: ValueError"),
    "a method is missing": ("def requests", "def ask", "Mine has no requests: see Task in"),
    "a metric's class": ("ExactMatch()", "ExactMatch", "ExactMatch is a class; write: ExactMatch"),
    "no metric": ("ExactMatch()", "len", "len has no name, signature, scale, mean, better, sample"),
    "no such way": (
        "ExactMatch()",
        "type('Up', (ExactMatch,), {'better': 'higher'})()",
        "exact_match: better is 'higher', not larger, smaller, neither",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_users_task_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    right, wrong, message = MISTAKES[mistake]
    assert right in task("mine")
    own = user_folder(tmp_path, tasks_mine=task("mine").replace(right, wrong))
    monkeypatch.setenv("TOWEREVAL_PATH", str(own))
    monkeypatch.setattr("towereval.tasks.__path__", plugins.search_path("tasks"))
    monkeypatch.delitem(sys.modules, "towereval.tasks.mine", raising=False)
    with pytest.raises(UsageError, match=re.escape(message)) as caught:
        plugins.load_tasks("mine")
    assert str(own / "tasks" / "mine.py") in str(caught.value)


def test_a_users_broken_adapter_hides_no_other(tmp_path: Path) -> None:
    own = user_folder(tmp_path / "own", model_adapters_mine="adapter = Mine()\n")
    fault = f"{own}/model_adapters/mine.py cannot be imported: NameError: name 'Mine'"
    shown = towereval("models", "tiny", cwd=tmp_path, TOWEREVAL_PATH=str(own))
    assert (shown.returncode, shown.stderr) == (0, "")
    listed = towereval("models", cwd=tmp_path, TOWEREVAL_PATH=str(own))
    assert fault in listed.stdout
    # Where it is named, or may be what is meant, it is told of.
    for name in ("mine:./here", "mine-1b"):
        done = towereval("models", name, cwd=tmp_path, TOWEREVAL_PATH=str(own))
        assert fault in error_line(done, 2)


# --- the folder in which the command is run ---


def test_files_in_the_working_directory_are_not_imported(tmp_path: Path) -> None:
    neutral, hostile = tmp_path / "neutral", tmp_path / "hostile"
    trap = f"open({str(tmp_path / 'sprung')!r}, 'w').close()\nraise SystemExit('trapped')\n"
    neutral.mkdir()
    for folder in ("", "tasks", "model_adapters"):
        (hostile / folder).mkdir(parents=True, exist_ok=True)
    for file in (
        *("tasks.py", "tasks/__init__.py", "tasks/commute.py", "tasks/mine.py"),
        *("model_adapters.py", "model_adapters/__init__.py", "model_adapters/tiny.py"),
    ):
        (hostile / file).write_text(trap)
    for words in (("tasks",), ("tasks", "commute"), ("models",), ("models", "tiny")):
        expected = towereval(*words, cwd=neutral)
        assert (expected.returncode, expected.stderr) == (0, "")
        # The working directory is first on the path of `python -c`.
        done = towereval(*words, cwd=hostile, path=(hostile,))
        assert (done.returncode, done.stdout, done.stderr) == (0, expected.stdout, "")
    assert not (tmp_path / "sprung").exists()
    sprung = towereval("tasks", cwd=hostile, script="import tasks")
    assert "trapped" in sprung.stderr


# --- models ---


@pytest.mark.parametrize(
    ("name", "adapter", "repo"),
    [
        ("tiny", "tiny", ""),
        ("towervision-2b", "towervision", "utter-project/TowerVision-2B"),
        ("utter-project/TowerVision-2B", "towervision", "utter-project/TowerVision-2B"),
        ("utter-project/TowerVision-9B", "towervision", "utter-project/TowerVision-9B"),
        ("someone/else", "generic", "someone/else"),
        ("towervision:/models/step-100", "towervision", "/models/step-100"),
        ("towervision:someone/finetuned", "towervision", "someone/finetuned"),
        ("tiny:./here", "tiny", "./here"),
        ("generic:../there", "generic", "../there"),
    ],
)
def test_a_models_name_finds_its_adapter(name: str, adapter: str, repo: str) -> None:
    found, checkpoint = plugins.find_model(name)
    assert (found.name, checkpoint.repo) == (adapter, repo)


def test_an_adapter_that_is_named_gives_its_limits_to_any_checkpoint() -> None:
    _, known = plugins.find_model("towervision-9b")
    _, other = plugins.find_model("towervision:someone/finetuned")
    assert (other.revision, other.repo) == ("main", "someone/finetuned")
    assert other.engine_args == known.engine_args
    assert (other.context_length, other.images) == (known.context_length, known.images)
    generic = Checkpoint("x/y", dtype="auto")
    assert plugins.find_model("x/y")[1] == plugins.find_model("generic:x/y")[1] == generic


def test_a_folder_is_a_model_of_the_generic_adapter(tmp_path: Path) -> None:
    adapter, checkpoint = plugins.find_model(str(tmp_path))
    assert (adapter.name, checkpoint) == ("generic", Checkpoint(str(tmp_path), dtype="auto"))


@pytest.mark.parametrize(
    "name", ["tinny", "a/b/c", "/no/such/folder", "nofamily:/models/x", "a b/c", "org/name\n"]
)
def test_what_is_no_model_is_refused(name: str) -> None:
    with pytest.raises(UnknownName, match="unknown model"):
        plugins.find_model(name)


# --- the wheel ---


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    ready = importlib.util.find_spec("hatchling") is not None
    words = ["wheel", "--no-deps", "--wheel-dir", folder, ROOT]
    done = pip(*words, *(["--no-build-isolation"] if ready else []))
    if done.returncode and not ready:
        pytest.skip(f"the build needs hatchling or the network: {done.stderr.strip()[-200:]}")
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("*.whl")
    return file


def pip(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_wheel_holds_tasks_adapters_and_samples_inside_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    assert {file.split("/")[0].partition("-")[0] for file in files} == {"towereval"}
    assert {f"towereval/tasks/{name}.py" for name in TASKS} <= files
    assert {"towereval/model_adapters/tiny.py", "towereval/tasks/__init__.py"} <= files
    assert "towereval/data/samples/multi30k/test.jsonl" in files
    assert "towereval/data/samples/multi30k/images/dog.png" in files
    assert "towereval/data/published/towervision.csv" in files
    assert not [file for file in files if "__pycache__" in file or file.endswith(".sqlite")]


def test_an_installed_wheel_lists_the_tasks(wheel: Path, tmp_path: Path) -> None:
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = pip("install", "--no-deps", "--no-index", "--target", site, wheel)
    assert done.returncode == 0, done.stderr
    where = "import towereval, sys; print(towereval.__file__, file=sys.stderr)\n"
    environment = surroundings()
    environment["PYTHONPATH"] = str(site)
    listed = subprocess.run(
        [sys.executable, "-c", where + MAIN, "tasks"],
        capture_output=True,
        text=True,
        cwd=elsewhere,
        env=environment,
        timeout=180,
    )
    assert listed.stderr == f"{site}/towereval/__init__.py\n"
    assert [line.split()[0] for line in listed.stdout.splitlines()] == list(TASKS)
    shown = subprocess.run(
        [sys.executable, "-c", MAIN, "tasks", "commute"],
        capture_output=True,
        text=True,
        cwd=elsewhere,
        env=environment,
        timeout=180,
    )
    assert shown.stdout.endswith(f"file: {site}/towereval/tasks/commute.py\n")
