"""Pooled features are what the language model is given; numbers of the gap between them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engines.families import FAMILIES, family_model
from tests.test_cli import error_line, towereval
from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.engines.features import pooled
from towereval.engines.prompts import decode_ahead
from towereval.errors import DataError, UsageError
from towereval.figure_files import save
from towereval.modality_gap import draw, measure, pairs
from towereval.plan import SAMPLES
from towereval.types import Image, Model, Request

pytestmark = pytest.mark.engine

Question = Callable[..., Request]
Start = Callable[..., Any]
ALIKE = np.random.default_rng(1).normal(size=(2, 120, 8))


@pytest.mark.parametrize("family", ["tiny", *FAMILIES])
def test_features_are_what_the_language_model_is_given(
    family: str, tiny: Model, start: Start, question: Question, tmp_path: Path
) -> None:
    import torch

    model = tiny if family == "tiny" else family_model(FAMILIES[family], tmp_path)
    requests = [question(number, continuation="das rote Ufer") for number in range(2)]
    given: list[Any] = []
    with start("transformers", model) as engine:
        found = list(pooled(engine, requests))
        config = engine.network.config
        placeholder = getattr(config, "image_token_id", None) or config.image_token_index
        engine.network.model.language_model.register_forward_pre_hook(
            lambda _module, _inputs, named: given.append(named["inputs_embeds"]), with_kwargs=True
        )
        for decoded, features in zip(decode_ahead(model, requests), found, strict=True):
            encoded = engine.encoder.encode(decoded)
            inputs = engine.inputs([decoded], [encoded])
            with torch.inference_mode():
                engine.network(**inputs)
            embedded_SD = given.pop()[0].double().numpy()
            shown_S = (inputs["input_ids"][0] == placeholder).numpy()
            assert shown_S.sum() > 1
            assert features.image_D == pytest.approx(embedded_SD[shown_S].mean(0), abs=1e-6)
            text_SD = embedded_SD[-encoded.continuation_tokens :]
            assert features.text_D == pytest.approx(text_SD.mean(0), abs=1e-6)
    assert not np.allclose(found[0].image_D, found[1].image_D)


def test_a_class_that_does_not_tell_its_features_is_refused(
    transformers_engine: Any, question: Question, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(type(transformers_engine.network), "get_image_features")
    with pytest.raises(UsageError, match=r"LlavaNextFor.* has no get_image_features"):
        next(pooled(transformers_engine, [question(0, continuation="ja")]))


def test_two_alike_are_mixed_and_two_apart_are_not() -> None:
    pytest.importorskip("sklearn", reason="needs the plots extra")
    alike = measure(ALIKE[0], ALIKE[1], seed=0)
    assert alike.centroid_distance < 0.2
    assert alike.neighbour_mixing == pytest.approx(alike.mixing_by_chance, abs=0.05)
    assert 0.4 < alike.probe_accuracy < 0.6
    apart = measure(ALIKE[0] + 8, ALIKE[1] - 8, seed=0)
    assert apart.centroid_distance == pytest.approx(2.0, abs=0.05)
    assert (apart.neighbour_mixing, apart.probe_accuracy) == (0.0, 1.0)
    assert (alike.pairs, alike.dimensions, alike.neighbours) == (120, 8, 10)
    # A modality's scale says nothing, and equal seeds give equal numbers.
    assert measure(100 * ALIKE[0], ALIKE[1], seed=0) == alike == measure(ALIKE[0], ALIKE[1], 0)
    with pytest.raises(DataError, match="zero or no numbers"):
        measure(0 * ALIKE[0], ALIKE[1], seed=0)


def test_each_picture_has_one_text_and_the_languages_take_turns() -> None:
    task = plugins.load_task("multi30k")
    chosen = pairs(task, FolderSource(SAMPLES / "multi30k"), ["de", "fr"], 6)
    shown = [part.sha256 for s in chosen for part in s.prompt[0].parts if isinstance(part, Image)]
    assert len(set(shown)) == len(shown) == 6
    assert [sample.language for sample in chosen] == ["de", "fr"] * 3


def test_the_same_features_give_the_same_plot(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the plots extra")
    image_ND, text_ND = ALIKE[:, :12]
    found = measure(image_ND, text_ND, seed=0)
    for name in ("one.svg", "other.svg"):
        save(draw(image_ND, text_ND, "a model", found, seed=0), tmp_path / name)
    drawn = (tmp_path / "one.svg").read_text()
    assert drawn == (tmp_path / "other.svg").read_text()
    assert 'id="pictures"' in drawn and 'id="texts"' in drawn
    assert f"centroids {found.centroid_distance:.2f} apart" in drawn


def test_the_command_writes_numbers_and_plot(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="needs the plots extra")
    words = ("analyse", "modality-gap", "--model", "tiny", "--split", "sample", "--output", "gap")
    done = towereval(*words, "--task", "multi30k", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads((tmp_path / "gap/modality-gap.json").read_text())
    assert (content["pairs"], content["text"]) == (8, "first reference")
    assert content["languages"] == {"cs": 3, "de": 3, "fr": 2}
    assert f"centroid distance   {content['centroid_distance']:.3f}" in done.stdout
    assert {file.suffix for file in (tmp_path / "gap").iterdir()} == {".json", ".svg", ".png"}
    refused = towereval(*words, "--task", "alm_bench", cwd=tmp_path)
    assert "alm_bench: 0 samples have one picture each and a ref" in refused.stderr
    assert refused.returncode == 2
    assert "--task is one task" in error_line(towereval(*words, "--task", "", cwd=tmp_path), 2)
