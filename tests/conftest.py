"""What every test starts from: its own cache folder, and the reference data where it is at hand."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """TOWEREVAL_CACHE, below this test's own folder."""
    folder = tmp_path / "towereval-cache"
    monkeypatch.setenv("TOWEREVAL_CACHE", str(folder))
    monkeypatch.delenv("TOWEREVAL_PATH", raising=False)
    return folder


@pytest.fixture
def shared() -> Path:
    """The reference data next to the checkout; a test that needs it is skipped without it."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the reference data in {SHARED}")
    return SHARED
