"""Writes that fail: one clear error, nothing torn, and the same command goes on when there is room.

A file-size limit makes SQLite's writes fail as a bad disk does, a small tmpfs fills up as a disk
does, and a failing fsync is a disk that took the bytes and lost them.
"""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.reliability.killing import MODULE, answers, check_whole, content
from tests.test_checkpoints import checkpoint
from tests.test_cli import surroundings
from tests.test_replay import record, replayed
from towereval.errors import StoreError
from towereval.plan import Plan
from towereval.run import run

TASKS = ("commute", "multi30k")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("disk") / "recorded", TASKS)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def whole(recorded: Path, folder: Path) -> dict[str, object]:
    return content(run(replayed(recorded, folder, TASKS)).folder)


def check_goes_on(plan: Plan, wanted: dict[str, object]) -> None:
    """Nothing is torn by what failed, and what was answered before is kept."""
    check_whole(plan.output)
    before = {folder: answers(folder) for folder in plan.output.glob("*/*")}
    finished = run(plan)
    after = answers(finished.folder)
    assert all(after[key] == value for key, value in before.get(finished.folder, {}).items())
    assert content(finished.folder) == wanted


def test_a_disk_that_takes_no_more_at_any_point(tmp_path: Path, recorded: Path) -> None:
    wanted = whole(recorded, tmp_path / "undisturbed")
    failed = set()
    for size in (1, 1024, *range(16384, 147456, 16384)):
        plan = replayed(recorded, tmp_path / str(size), TASKS)
        try:
            with largest_file(size):
                run(plan)
        except StoreError as error:
            failed.add(str(error).replace(str(plan.output), "output"))
        check_goes_on(plan, wanted)
    # Opening, then the samples and answers: each was hit.
    assert any("cannot open the run" in one for one in failed), failed
    assert any("run.sqlite: disk I/O error" in one for one in failed), failed


@pytest.mark.parametrize("call", range(1, 13))
def test_a_disk_that_loses_what_it_took(
    tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    """The manifest three times, a table of samples a task, the results: whichever fsync fails.

    Each is one of the file and one of its folder; the last comes when the results have their name.
    """
    wanted = whole(recorded, tmp_path / "undisturbed")
    plan = replayed(recorded, tmp_path / "failing", TASKS)
    calls = 0
    real = os.fsync

    def fsync(handle: int) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(StoreError, match=r"cannot be written: .*Input/output error"):
            run(plan)
    assert len(list(plan.output.rglob("results.json"))) == (call == 12)
    check_goes_on(plan, wanted)


def test_what_a_power_cut_leaves(
    tmp_path: Path, recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file has its bytes on the disk before its name, and its name before the next one's."""
    done: list[tuple[str, Path]] = []
    fsync, replace = os.fsync, os.replace

    def synced(handle: int) -> None:
        fsync(handle)
        done.append(("sync", Path(f"/proc/self/fd/{handle}").readlink()))

    def renamed(old: Path, new: Path) -> None:
        assert done[-1] == ("sync", Path(old)), "a name before its bytes"
        replace(old, new)
        done.append(("name", Path(new)))

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", renamed)
    folder = run(replayed(recorded, tmp_path / "output", TASKS)).folder
    names = [index for index, (what, _) in enumerate(done) if what == "name"]
    assert [done[index][1].relative_to(folder) for index in names] == [
        *[Path("manifest.json")] * 3,
        *(Path("samples", f"{task}.parquet") for task in TASKS),
        Path("results.json"),
    ]
    for index in names:
        assert done[index + 1] == ("sync", done[index][1].parent)


# A file system of its own, which fills up, grows, and is copied out of its name space at the end.
SMALL_DISK = """
set -e
mount -t tmpfs -o size=$1 none "$2"; shift
disk=$1 copy=$2; shift 2
set +e
"$@"; echo "status $?"
mount -o remount,size=64m "$disk"
"$@"; echo "status $?"
cp -r "$disk/." "$copy"
"""


@pytest.mark.parametrize("size", ["28k", "160k"])
def test_a_full_disk(tmp_path: Path, size: str) -> None:
    alone = ("unshare", "--map-root-user", "--mount")
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    probe = (*alone, "mount", "-t", "tmpfs", "none", disk)
    if not shutil.which("unshare") or subprocess.run(probe, capture_output=True).returncode:
        pytest.skip("a file system of one's own cannot be made here")
    copy.mkdir()
    model = checkpoint(tmp_path / "model")

    def words(output: Path) -> tuple[object, ...]:
        given = ("--engine", "scripted", "--tasks", "commute,multi30k", "--split", "sample")
        run_it = ("run", "--model", model, *given, "--output", output)
        return (sys.executable, *MODULE, *run_it)

    def done(*command: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            list(map(str, command)),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=120,
            env=surroundings(),
        )

    small = done(*alone, "sh", "-c", SMALL_DISK, "sh", size, disk, copy, *words(disk))
    assert [line for line in small.stdout.splitlines() if line.startswith("status")] == [
        "status 4",
        "status 0",
    ], small.stderr
    [error] = [line for line in small.stderr.splitlines() if line.startswith("error: ")]
    assert "disk is full" in error or "No space left on device" in error
    assert "Traceback" not in small.stderr
    assert done(*words(tmp_path / "undisturbed")).returncode == 0
    [one], [other] = copy.glob("*/*"), (tmp_path / "undisturbed").glob("*/*")
    assert content(one) == content(other)
