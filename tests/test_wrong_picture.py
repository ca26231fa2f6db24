"""The score with wrong pictures: which are shown, of whom, and what is left of a model's score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as pil

from tests.test_replay import record, replayed, right
from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.diagnosis import media_of
from towereval.errors import UsageError
from towereval.leaderboard.build import build
from towereval.plan import SAMPLES
from towereval.run import run
from towereval.types import Request, Response, Sample
from towereval.wrong_picture import WrongPicture

TASKS = ("alm_bench", "ocrbench", "cc_ocr", "textvqa", "commute", "multi30k", "vimul_bench")
MULTI30K = "multi30k+wrong-picture"


def samples(reference: str, languages: Sequence[str] = (), seed: int = 0) -> list[Sample]:
    task = plugins.load_task(reference)
    if isinstance(task, WrongPicture):
        task = replace(task, seed=seed)
    return list(task.samples(FolderSource(SAMPLES / task.name), languages or task.languages))


@pytest.mark.parametrize("name", TASKS)
def test_all_is_asked_as_ever_but_of_another_picture(name: str) -> None:
    task = plugins.load_task(f"{name}+wrong-picture")
    own, mistaken = samples(name), samples(f"{name}+wrong-picture")
    assert len(own) == len(mistaken) > 0
    for right_one, wrong_one in zip(own, mistaken, strict=True):
        shown = media_of(wrong_one.prompt)
        assert not {part.sha256 for part in shown} & {p.sha256 for p in media_of(right_one.prompt)}
        assert replace(wrong_one, prompt=right_one.prompt) == right_one
        for request in task.requests(wrong_one):
            assert media_of(request.prompt) == shown


def test_the_seed_draws_them_alike_in_all_languages() -> None:
    drawn = []
    for seed in (0, 0, 1):
        found = samples(MULTI30K, ["de", "fr"], seed)
        by_language = [
            [media_of(sample.prompt) for sample in found if sample.language == language]
            for language in ("de", "fr")
        ]
        assert by_language[0] == by_language[1]
        drawn.append(by_language)
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_picture_without_another_is_named(tmp_path: Path) -> None:
    for name in ("a.png", "again.png"):
        pil.new("RGB", (8, 8)).save(tmp_path / name)
    rows = [{"image": name, "en": name, "cs": name} for name in ("a.png", "again.png")]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = plugins.load_task(MULTI30K)
    with pytest.raises(UsageError, match="sample 0 in cs has no other picture that could be shown"):
        list(task.samples(FolderSource(tmp_path), ["cs"]))


def test_a_model_that_looks_loses_and_the_board_says_nothing(tmp_path: Path) -> None:
    """It reads the word where its picture is shown, and another word where not."""
    of_picture = {media_of(sample.prompt): sample.references[0] for sample in samples("ocrbench")}

    def reads(sample: Sample, request: Request) -> Response:
        return replace(right(sample, request), text=of_picture[media_of(request.prompt)])

    scores = {}
    for name in ("ocrbench", "ocrbench+wrong-picture"):
        recorded = record(tmp_path / f"{name} recorded", [name], reads)
        outcome = run(replayed(recorded, tmp_path / name, [name]))
        (row, *_) = (row for row in outcome.results if not row.group)
        scores[row.variant] = row.value
    assert scores["official"] > 0.9  # two questions have one picture
    assert scores["official+wrong-picture"] < 0.1
    with pytest.raises(UsageError, match="a diagnosis ranks nobody"):
        build(tmp_path / "ocrbench+wrong-picture")
