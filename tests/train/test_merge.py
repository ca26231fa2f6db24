"""Merging: the rules by hand, and that nothing but the language model is touched."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlavaNextForConditionalGeneration

from towereval import mending
from towereval.cli import merge as command
from towereval.errors import ModelError, UsageError
from towereval.train import export, merge_rules
from towereval.train.merge import MERGE_MARK, Merge, merge, text_name

BASE = torch.tensor([1.0, 1.0, 1.0, 1.0])
DELTAS = [torch.tensor([4.0, -2.0, 1.0, 0.5]), torch.tensor([2.0, 4.0, -3.0, 0.25])]


def test_linear_by_hand() -> None:
    assert merge_rules.linear(DELTAS, (0.75, 0.25)).tolist() == [3.5, -0.5, 0.0, 0.4375]


def test_task_arithmetic_by_hand() -> None:
    assert merge_rules.task_arithmetic(BASE, DELTAS, (1, 0.5)).tolist() == [6.0, 1.0, 0.5, 1.625]


def test_ties_by_hand() -> None:
    # Of each the two largest are kept: 4 -2 . .  and . 4 -3 .  The second's sign is plus, by 4 - 2.
    assert merge_rules.trimmed(DELTAS[0], 0.5).tolist() == [4.0, -2.0, 0.0, 0.0]
    assert merge_rules.ties(BASE, DELTAS, (1, 1), 0.5).tolist() == [5.0, 5.0, -2.0, 1.0]
    # All kept: agreeing ones are averaged.
    assert merge_rules.ties(BASE, DELTAS, (1, 1), 1.0).tolist() == [4.0, 5.0, -2.0, 1.375]
    assert merge_rules.ties(BASE, DELTAS, (3, 1), 1.0).tolist() == [4.5, -1.0, 1.0, 1.4375]


def test_dare_keeps_some_and_their_mean() -> None:
    whole = merge_rules.dare(BASE, DELTAS, (1, 0.5), 1.0, seed=0)
    assert whole.tolist() == merge_rules.task_arithmetic(BASE, DELTAS, (1, 0.5)).tolist()
    many = torch.ones(100_000)
    kept = merge_rules.dare(torch.zeros(100_000), [many], (1,), 0.25, seed=0)
    assert set(kept.tolist()) == {0.0, 4.0}
    assert float(kept.mean()) == pytest.approx(1.0, abs=0.02)
    assert torch.equal(kept, merge_rules.dare(torch.zeros(100_000), [many], (1,), 0.25, seed=0))
    assert not torch.equal(kept, merge_rules.dare(torch.zeros(100_000), [many], (1,), 0.25, seed=1))


def test_the_language_model_has_one_name_everywhere() -> None:
    for prefix in ("model.", "model.language_model.", "language_model.model."):
        assert text_name(f"{prefix}layers.0.mlp.up_proj.weight") == "layers.0.mlp.up_proj.weight"
    assert text_name("language_model.lm_head.weight") == "lm_head.weight"
    for other in ("model.vision_tower.x", "model.image_newline", "multi_modal_projector.linear_1"):
        assert text_name(other) is None


@pytest.fixture(scope="module")
def folders(built: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A LLaVA in bfloat16, and two language models of its shape that know fewer tokens."""
    from transformers import Gemma2ForCausalLM

    folder = tmp_path_factory.mktemp("merge")
    model, processor = built
    half = copy.deepcopy(model).to(torch.bfloat16)
    export.write(half, processor, folder / "vlm", 1.0, "card")
    config = model.config.text_config.__class__(**model.config.text_config.to_dict())
    config.vocab_size = 1000
    for seed, name in enumerate(("base", "other")):
        torch.manual_seed(seed)
        Gemma2ForCausalLM(config).save_pretrained(folder / name)
    return {name: folder / name for name in ("vlm", "base", "other")}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {n: t for f in sorted(folder.glob("*.safetensors")) for n, t in load_file(f).items()}


def test_only_the_language_model_is_merged(folders: dict[str, Path], tmp_path: Path) -> None:
    target = tmp_path / "merged"
    merge(folders["vlm"], [folders["other"]], None, Merge("linear", (0.75, 0.25)), target)
    before, after, other = (weights(f) for f in (folders["vlm"], target, folders["other"]))
    assert before.keys() == after.keys()
    theirs = {text_name(name): value for name, value in other.items()}
    merged = 0
    for name, value in after.items():
        inner = text_name(name)
        if inner is None:
            assert torch.equal(value, before[name]), name
            continue
        mine, its = before[name].float(), theirs[inner]
        # The picture's token is the sixth; from it on no row is merged.
        rows = 6 if inner == "embed_tokens.weight" else mine.shape[0]
        wanted = mine.clone()
        wanted[:rows] = 0.75 * mine[:rows] + 0.25 * its[:rows]
        assert torch.equal(value, wanted.to(torch.bfloat16)), name
        merged += 1
    assert merged == 2 + 11 * 4
    assert mending.find_mends(target) == []
    marked = json.loads((target / "config.json").read_text())[MERGE_MARK]
    assert (marked["method"], marked["weights"], len(marked["models"])) == (
        "linear",
        [0.75, 0.25],
        2,
    )
    read = LlavaNextForConditionalGeneration.from_pretrained(target, dtype=torch.bfloat16)
    (newline,) = (value for name, value in before.items() if name.endswith("image_newline"))
    assert torch.equal(read.state_dict()["model.image_newline"], newline)


def test_a_base_brings_back_what_all_began_as(folders: dict[str, Path], tmp_path: Path) -> None:
    """With no weight on any difference, the base itself is left."""
    for method in ("task_arithmetic", "ties", "dare"):
        how = Merge(method, (0.0, 0.0))  # type: ignore[arg-type]
        merge(folders["vlm"], [folders["other"]], folders["base"], how, tmp_path / method)
        base = {text_name(name): value for name, value in weights(folders["base"]).items()}
        for name, value in weights(tmp_path / method).items():
            inner = text_name(name)
            if inner is not None and inner != "embed_tokens.weight":
                assert torch.equal(value, base[inner].to(torch.bfloat16))


def test_the_command_merges_equally(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.merge(folders["vlm"], [folders["other"]], tmp_path / "out")
    assert "towereval run --model" in capsys.readouterr().out
    marked = json.loads((tmp_path / "out" / "config.json").read_text())[MERGE_MARK]
    assert marked["weights"] == [0.5, 0.5]
    with pytest.raises(UsageError, match="exists"):
        command.merge(folders["vlm"], [folders["other"]], tmp_path / "out")
    with pytest.raises(UsageError, match="unknown method 'tie'; did you mean ties"):
        command.merge(folders["vlm"], [folders["other"]], tmp_path / "x", method="tie")


@pytest.mark.parametrize(
    ("how", "base", "said"),
    [
        (("linear", (0.9, 0.2)), False, "sum to 1, found 1.1"),
        (("linear", (1.0,)), False, "2 models want as many weights: 1 given"),
        (("linear", (0.5, 0.5)), True, "a linear merge has no base"),
        (("ties", (1.0, 1.0)), False, "ties wants the base they began as"),
        (("dare", (1.0, 1.0), 0.0), True, "density is above 0"),
    ],
)
def test_what_does_not_fit_is_refused(
    how: Any, base: bool, said: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        merge(
            *(folders["vlm"], [folders["other"]], folders["base"] if base else None),
            *(Merge(*how), tmp_path / "out"),
        )


def test_models_of_other_shapes_are_named(
    folders: dict[str, Path], built: Any, tmp_path: Path
) -> None:
    from transformers import Gemma2ForCausalLM

    config = built[0].config.text_config.__class__(**built[0].config.text_config.to_dict())
    config.intermediate_size = 256
    Gemma2ForCausalLM(config).save_pretrained(tmp_path / "narrow")
    with pytest.raises(ModelError, match=r"mlp.*: the models do not fit together: .* and"):
        merge(
            folders["vlm"], [tmp_path / "narrow"], None, Merge("linear", (0.5, 0.5)), tmp_path / "x"
        )
    assert [path.name for path in tmp_path.iterdir()] == ["narrow"]
