"""What goes into every request's key: what changes an answer, and not where a model lies."""

from __future__ import annotations

import dataclasses
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.test_checkpoints import checkpoint
from tests.test_cli import error_line, installed, towereval
from towereval.errors import UsageError
from towereval.subject import Subject, find_subject, respondent_of


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(
        installed(tmp_path / "packages", transformers="5.19.0", torch="2.13.0")
    )


def subject(model: str, **engine_args: object) -> Subject:
    return find_subject(model, "transformers", engine_args)


def test_a_folder_is_known_by_its_content_however_its_path_is_written(
    packages: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = checkpoint(tmp_path / "models" / "step-100")
    shutil.copytree(folder, tmp_path / "elsewhere")
    (tmp_path / "link").symlink_to(folder)
    monkeypatch.chdir(tmp_path)
    spellings = (
        str(folder),
        f"{folder}/",
        "models/step-100",
        "./models/../models/step-100",
        "link",
        "elsewhere",
        f"generic:{folder}",
    )
    assert len({subject(name).respondent for name in spellings}) == 1
    (folder / "config.json").write_text('{"model_type": "other"}')
    assert subject(str(folder)).respondent != subject("elsewhere").respondent


@pytest.mark.parametrize(
    ("changed", "same"),
    [
        ({"context_length": 4096}, False),  # answers end there
        ({"reads_video": True}, False),
        ({"images": 2}, False),
        ({"frames": 9}, False),
        ({"frame_size": 100}, False),
        ({"dtype": "float32"}, False),
        ({"engine_args": {"max_num_seqs": 3}}, False),
        ({"licence": "mit"}, True),
        ({"architectures": ("Tiny",)}, True),
        ({"remote_code": True}, True),
    ],
    ids=str,
)
def test_what_changes_an_answer_is_in_the_key_and_nothing_else(
    packages: None, tmp_path: Path, changed: dict[str, Any], same: bool
) -> None:
    found = subject(str(checkpoint(tmp_path / "model")))
    assert found.model is not None
    limits = dataclasses.replace(found.model.checkpoint, **changed)
    other = dataclasses.replace(found.model, checkpoint=limits)
    versions = {"transformers": "5.19.0", "torch": "2.13.0"}
    respondent = respondent_of(other, found.kind, versions, {})
    assert (respondent.digest == found.respondent) == same


def test_an_engine_that_has_no_class_for_it_is_told_before_anything_is_downloaded(
    packages: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("vllm") is None:
        monkeypatch.syspath_prepend(installed(tmp_path / "vllm", vllm="0.33.0"))
    with pytest.raises(UsageError, match="vllm has no class for centurio-qwen: --engine trans"):
        find_subject("centurio-qwen", "vllm", {"trust_remote_code": True})
    with pytest.raises(UsageError, match="@COMMIT"):
        find_subject("centurio-qwen", "transformers", {"trust_remote_code": True})


def test_the_flag_reaches_the_check(tmp_path: Path) -> None:
    path = (installed(tmp_path / "packages", transformers="5.19.0", torch="2.13.0"),)
    words = ("run", "--model", "someone/model", "--tasks", "commute", "--engine", "transformers")
    done = towereval(*words, "--trust-remote-code", cwd=tmp_path, path=path)
    assert "--model someone/model@COMMIT" in error_line(done, 2)
