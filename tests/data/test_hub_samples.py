"""A data set asks the same from the hub as from a folder: the bundled samples, put on a loopback
hub in the columns' own types, read through the real `datasets`.

This file, run as a script, is the client: see test_hub.py.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.hub_server import Hub, write_parquet
from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.hub import HubSource
from towereval.plan import SAMPLES
from towereval.types import Dataset, Image, Source, Video

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None,
    reason="needs the data extra: datasets and huggingface-hub",
)

# Task -> the languages asked: each with a split of its own costs the library a while.
ASKED = {
    "cvqa": ("id", "si"),
    "m3exam": ("th",),
    "m5_vgr": ("am",),
    "m5_vlod": ("ber",),
    "marvl": ("ta",),
    "maxm": ("he",),
    "mmbench": ("en",),
    "mme": ("en",),
    "mtvqa": ("ko", "ar"),
    "pope": ("en",),
    "seedbench": ("en",),
    "xgqa": ("bn",),
    "xmmmu": ("ar",),
    "xvnli": ("ru",),
}


class Recorded:
    """A folder that remembers which splits were read of it."""

    def __init__(self, folder: Path) -> None:
        self.source = FolderSource(folder)
        self.read: list[Dataset] = []

    def rows(self, dataset: Dataset) -> Iterator[tuple[int, Mapping[str, Any]]]:
        self.read.append(dataset)
        return self.source.rows(dataset)

    def image(self, value: object) -> Image:
        return self.source.image(value)

    def video(self, value: object) -> Video:
        return self.source.video(value)


def keys(source: Source, task: str) -> list[str]:
    benchmark = plugins.load_task(task)
    samples = benchmark.samples(source, ASKED[task])
    return [request.key for sample in samples for request in benchmark.requests(sample)]


def encoded(value: object) -> object:
    """A picture's path, or a list of them, as the hub has it: its bytes."""
    if isinstance(value, list):
        return [encoded(one) for one in value]
    return value.read_bytes() if isinstance(value, Path) else value


def put(repository: Path, task: str, dataset: Dataset) -> None:
    rows = [row for _, row in FolderSource(SAMPLES / task).rows(dataset)]
    full = [
        {**row, **{name: encoded(row[name]) for name in dataset.media if name in row}}
        for row in rows
    ]
    folder = repository / (dataset.config or "data")
    images = [name for name in dataset.media if name in rows[0]]
    write_parquet(folder / f"{dataset.split}-00000-of-00001.parquet", full, images=images)


def write_readme(repository: Path, read: Sequence[Dataset]) -> None:
    lines = ["---", "configs:", f"- config_name: {read[0].config or 'default'}", "  data_files:"]
    for dataset in read:
        path = f"{dataset.config or 'data'}/{dataset.split}-*"
        lines += [f"  - split: {dataset.split}", f"    path: {path}"]
    (repository / "README.md").write_text("\n".join([*lines, "---", ""]))


@pytest.fixture(scope="module")
def from_folders() -> dict[str, tuple[list[str], list[Dataset]]]:
    found = {}
    for task in ASKED:
        recorded = Recorded(SAMPLES / task)
        found[task] = keys(recorded, task), recorded.read
    return found


@pytest.fixture(scope="module")
def from_the_hub(
    tmp_path_factory: pytest.TempPathFactory,
    from_folders: dict[str, tuple[list[str], list[Dataset]]],
) -> dict[str, list[str]]:
    site, home = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("home")
    for task, (_, read) in from_folders.items():
        repository = site / "datasets" / read[0].repo
        repository.mkdir(parents=True)
        for dataset in read:
            put(repository, task, dataset)
        write_readme(repository, read)
    own = {"TOWEREVAL_CACHE": str(home / "own"), "PYTHONPATH": str(Path(__file__).parents[2])}
    with Hub(site) as hub:
        done = subprocess.run(
            [sys.executable, __file__],
            env=hub.environment(home) | own,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, done.stderr
    answered: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return answered


@pytest.mark.parametrize("task", ASKED)
def test_the_hub_asks_what_a_folder_asks(
    from_the_hub: dict[str, list[str]],
    from_folders: dict[str, tuple[list[str], list[Dataset]]],
    task: str,
) -> None:
    assert len(from_the_hub[task]) >= 3
    assert from_the_hub[task] == from_folders[task][0]


if __name__ == "__main__":
    print(json.dumps({task: keys(HubSource(task), task) for task in ASKED}))
