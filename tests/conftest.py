"""What every test starts from: its own cache folder, and the reference data where it is at hand."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
# An interpreter that has unbabel-comet. Only tests that ask for it see it: with it every run of
# Multi30K would want a checkpoint.
COMET_PYTHON = os.environ.get("TOWEREVAL_COMET_PYTHON", "")
NO_COMET = "TOWEREVAL_COMET_PYTHON names no interpreter with unbabel-comet"
# Settings of the machine's user with which a test would not be what it is on a bare machine.
SETTINGS = (
    *("TOWEREVAL_COMET_PYTHON", "TOWEREVAL_PATH", "HF_TOKEN", "HF_HUB_CACHE", "HF_ENDPOINT"),
    *("OPENAI_API_KEY", "FORCE_COLOR", "NO_COLOR", "COLUMNS"),
)
# Files that take half a minute or more, the longest first: several processes begin with these, so
# that none works alone at the end.
LONGEST = (
    "metrics/test_comet.py",
    "engines/test_ray.py",
    "reliability/test_kill.py",
    "engines/test_families.py",
    "bridges/test_lmms_tasks.py",
    "bridges/test_lmms_model.py",
    "bridges/test_lmms_export.py",
    "bridges/test_lmms_run.py",
    "reliability/test_kill_models.py",
    "engines/test_forecast.py",
    "data/test_hub.py",
    "engines/test_engine_close.py",
    "test_checkpoints.py",
    "corpus/test_tools.py",
    "engines/test_openai_vllm.py",
    "engines/test_image_scale.py",
    "train/test_processes.py",
    "reliability/test_failed.py",
    "test_judging.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In one of several processes."""
    if not hasattr(config, "workerinput"):
        return
    folder = Path(__file__).parent
    place = {folder / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


@pytest.fixture(autouse=True, scope="session")
def _nothing_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Also for what several tests share, which is made before a test's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWEREVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        for name in SETTINGS:
            patch.delenv(name, raising=False)
        for name in ("NO_PROXY", "no_proxy"):  # the tests' servers are on this machine
            patch.setenv(name, "127.0.0.1,localhost")
        yield


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TOWEREVAL_CACHE, below this test's own folder."""
    folder = tmp_path / "towereval-cache"
    monkeypatch.setenv("TOWEREVAL_CACHE", str(folder))
    return folder


@pytest.fixture
def comet(monkeypatch: pytest.MonkeyPatch) -> None:
    """The run sees the interpreter with unbabel-comet; skipped where none was named."""
    if not COMET_PYTHON:
        pytest.skip(NO_COMET)
    monkeypatch.setenv("TOWEREVAL_COMET_PYTHON", COMET_PYTHON)


@pytest.fixture
def shared() -> Path:
    """The reference data next to the checkout; a test that needs it is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data in {SHARED}")
    return SHARED
