"""What is installed from the wheel is what lies in the checkout, whichever way it was built."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.test_cli import ROOT
from towereval import __version__

# Where a file of the checkout lies in the wheel, where that is not its own place.
INSTALLED = {
    "tasks": "towereval/tasks",
    "model_adapters": "towereval/model_adapters",
    "recipes": "towereval/recipes",
}
SINGLE = ("requirements/comet.txt", "requirements/lmms-eval.txt", "scripts/mend_torchvision.py")
NOT_OURS = {".pyc", ".pyo"}


def build(tree: Path, to: Path, *words: str) -> Path:
    """The one file that was made, by the backend that is installed here: no index is asked."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(to), *words]
    done = subprocess.run(
        [*command, str(tree)], capture_output=True, text=True, cwd=to.parent, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = to.iterdir()
    return made


def content(wheel: Path) -> dict[str, bytes]:
    """By name, without RECORD, whose lines come in the order of packing."""
    with ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if not name.endswith("/RECORD")]
        return {name: packed.read(name) for name in names}


def sources() -> dict[str, bytes]:
    """What the checkout has for the wheel, by the name it has there."""
    places: dict[Path, str] = {ROOT / name: f"towereval/{name}" for name in SINGLE}
    for folder, inside in {"towereval": "towereval", **INSTALLED}.items():
        files = [path for path in (ROOT / folder).rglob("*") if path.is_file()]
        for file in files:
            if file.suffix not in NOT_OURS:
                places[file] = f"{inside}/{file.relative_to(ROOT / folder).as_posix()}"
    return {name: file.read_bytes() for file, name in places.items()}


def differing(one: Mapping[str, bytes], other: Mapping[str, bytes]) -> list[str]:
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return content(build(ROOT, tmp_path_factory.mktemp("wheel") / "dist", "--wheel"))


def test_the_wheel_has_all_that_the_checkout_runs_from(wheel: Mapping[str, bytes]) -> None:
    about = f"towereval-{__version__}.dist-info/"
    assert (
        differing(
            {name: data for name, data in wheel.items() if not name.startswith(about)}, sources()
        )
        == []
    )
    entries = wheel[f"{about}entry_points.txt"].decode()
    assert "towereval = towereval.cli.app:main" in entries
    assert wheel[f"{about}licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_the_sdist_makes_the_same_wheel(wheel: Mapping[str, bytes], tmp_path: Path) -> None:
    sdist = build(ROOT, tmp_path / "dist", "--sdist")
    with tarfile.open(sdist) as packed:
        packed.extractall(tmp_path, filter="data")
    tree = tmp_path / sdist.name.removesuffix(".tar.gz")
    assert differing(content(build(tree, tmp_path / "again", "--wheel")), wheel) == []


def test_the_container_makes_the_same_wheel(wheel: Mapping[str, bytes], tmp_path: Path) -> None:
    """From the files that it copies, each to where it copies it."""
    image = tmp_path / "image"
    for line in (ROOT / "deploy" / "Containerfile").read_text(encoding="utf-8").splitlines():
        if not line.startswith("COPY "):
            continue
        *names, to = line.split()[1:]
        for name in names:
            # A folder's content goes into the folder that is named, a file below one with a slash.
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, image / to)
            else:
                (image / to).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, image / to)
    assert differing(content(build(image, tmp_path / "dist", "--wheel")), wheel) == []
