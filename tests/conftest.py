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


@pytest.fixture(autouse=True, scope="session")
def _no_cache_of_the_users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For what several tests share, which is made before a test's own cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TOWEREVAL_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.delenv("TOWEREVAL_COMET_PYTHON", raising=False)
        yield


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TOWEREVAL_CACHE, below this test's own folder."""
    folder = tmp_path / "towereval-cache"
    monkeypatch.setenv("TOWEREVAL_CACHE", str(folder))
    monkeypatch.delenv("TOWEREVAL_PATH", raising=False)
    monkeypatch.delenv("TOWEREVAL_COMET_PYTHON", raising=False)
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
