"""A whole recipe in few steps: in one go, stage by stage, and again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.test_cli import error_line, towereval
from towereval.corpus import files
from towereval.errors import UsageError
from towereval.train import evaluation, example_records, recipe_run
from towereval.train.loop import Report
from towereval.train.recipe import Recipe

WEIGHTS = Path("model", "model.safetensors")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("WORDS", "CAPTIONS", "CHOICES", "CLIPS"):
        monkeypatch.setattr(evaluation, name, 2)
    monkeypatch.setattr(example_records, "COUNT", 5)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_stage_by_stage_is_all_at_once(recipe: Recipe, tmp_path: Path) -> None:
    reports: list[Report] = []
    recipe_run.train(recipe, tmp_path / "whole", say=reports.append)
    stages = ["tower_stand_in", "text_stand_in", "stage1", "stage2", "stage3"]
    assert [report.stage for report in reports] == stages
    for stage in ("stage1", "stage2", "stage3"):
        recipe_run.train(recipe, tmp_path / "parts", stage, say=reports.append)
    whole, parts = (tmp_path / folder / WEIGHTS for folder in ("whole", "parts"))
    assert whole.read_bytes() == parts.read_bytes()
    seen = dict(files.read(tmp_path / "whole" / "examples.jsonl"))
    assert {record.id.partition("-")[0] for record in seen.values()} == {*recipe.stages}
    assert sum(len(record.images) or record.video is not None for record in seen.values()) > 10
    untrained = tmp_path / "whole" / "untrained" / "model.safetensors"
    assert whole.read_bytes() != untrained.read_bytes()

    with pytest.raises(UsageError, match="has checkpoints of text_stand_in, stage1"):
        recipe_run.train(recipe, tmp_path / "whole", say=reports.append)
    before = len(reports)
    recipe_run.train(recipe, tmp_path / "whole", resume=True, say=reports.append)
    assert len(reports) == before
    assert whole.read_bytes() == parts.read_bytes()


def test_the_second_stage_wants_the_first(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stage2 begins where stage1 ends"):
        recipe_run.train(recipe, tmp_path, "stage2", say=print)
    with pytest.raises(UsageError, match="tiny has no stage4"):
        recipe_run.train(recipe, tmp_path, "stage4", say=print)


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    done = towereval("train", "tiny", "--set", "stages.stage2.step=3", cwd=tmp_path)
    assert "unknown key of stages.stage2 'step'; did you mean steps" in error_line(done, 2)
