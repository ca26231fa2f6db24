"""The tiny models are the same whenever they are built, and building leaves chance as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from towereval.model_adapters.tiny import build

from tests.engines.tiny_models import BUILDERS, tiny_model
from towereval.checkpoints import check
from towereval.digests import files_digest

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("name", ["tiny", *BUILDERS])
def test_building_twice_gives_equal_files(name: str, libraries: None, tmp_path: Path) -> None:
    import torch

    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        state = torch.random.get_rng_state()
        {"tiny": build, **BUILDERS}[name](folder)
        assert torch.equal(torch.random.get_rng_state(), state)
        torch.rand(1)
        check(folder)
    weights = [(folder / "model.safetensors").read_bytes() for folder in folders]
    assert weights[0] == weights[1]
    assert files_digest(folders[0]) == files_digest(folders[1])


def test_a_model_is_built_once(libraries: None, tmp_path: Path) -> None:
    first = tiny_model(tmp_path).folder / "model.safetensors"
    stamp = first.stat().st_mtime_ns
    assert tiny_model(tmp_path).folder / "model.safetensors" == first
    assert first.stat().st_mtime_ns == stamp
