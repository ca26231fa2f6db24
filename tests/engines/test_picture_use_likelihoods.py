"""Picture use through vLLM against log-probabilities that transformers gives by itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as pil

from tests.engines.conftest import quiet, unchanged_classes
from towereval.diagnosis import media_of
from towereval.metrics.picture_use import order
from towereval.plan import Plan
from towereval.run import Outcome, run
from towereval.store import Store
from towereval.types import Model, Prompt, Text

pytestmark = pytest.mark.engine

SOFTCAP = 30.0  # transformers' LLaVA-NeXT leaves out Gemma2's last one
WORDS = ("Ein Kran.", "Ein Kranich steht da.", "Die Maus.", "Der Mauszeiger.")


def data(folder: Path) -> Path:
    """CoMMuTE's pairs with pictures that differ, Multi30K with two files of the same pixels."""
    for number in range(4):
        noise = np.random.RandomState(number).randint(0, 255, (40, 60 + 20 * number, 3), np.uint8)
        pil.fromarray(noise).save(folder / f"{number}.png")
    pil.open(folder / "0.png").save(folder / "same.png", compress_level=1)
    assert (folder / "0.png").read_bytes() != (folder / "same.png").read_bytes()
    pairs = [
        {
            "source": ("a crane", "a mouse")[number // 2],
            "correct_translation": WORDS[number],
            "incorrect_translation": WORDS[number ^ 1],
            "image": f"{number}.png",
        }
        for number in range(4)
    ]
    captions = [{"image": name, "en": "noise", "de": name} for name in ("0.png", "same.png")]
    for name, rows in (("de", pairs), ("test", captions)):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture(scope="module")
def outcome(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = data(tmp_path_factory.mktemp("picture-use"))
    plan = Plan(
        "tiny",
        ("commute+picture-use", "multi30k+picture-use"),
        languages=("de",),
        data={"commute": folder, "multi30k": folder},
        output=folder / "results",
    )
    with quiet(), unchanged_classes():
        return run(plan)


@pytest.fixture(scope="module")
def likelihood(outcome: Outcome, tiny: Model) -> Callable[[Prompt, str], float]:
    """log p(continuation | prompt), by transformers alone; the template is written out."""
    import torch
    from transformers import AutoProcessor, LlavaNextForConditionalGeneration

    with quiet():
        processor = AutoProcessor.from_pretrained(tiny.folder)
        network = LlavaNextForConditionalGeneration.from_pretrained(
            tiny.folder, attn_implementation="eager", dtype="float32"
        ).eval()

    def log_likelihood(prompt: Prompt, continuation: str) -> float:
        ((message),) = prompt
        words = "".join(part.text for part in message.parts if isinstance(part, Text))
        shown = media_of(prompt)
        turn = f"{'<image>' * len(shown)}\n{words}".strip()
        text = f"<bos><start_of_turn>user\n{turn}<end_of_turn>\n<start_of_turn>model\n"
        pictures = [pil.open(part.source).convert("RGB") for part in shown]
        inputs = processor(
            text=[text + continuation],
            images=pictures or None,
            return_tensors="pt",
            add_special_tokens=False,
        )
        tokens_S = inputs["input_ids"][0]
        assert (tokens_S == processor.image_token_id).any() == bool(shown)
        with torch.inference_mode():
            logits_SV = network(**inputs).logits[0]
        logits_SV = SOFTCAP * torch.tanh(logits_SV / SOFTCAP)
        count = len(continuation.encode())  # its tokens are bytes
        logprobs_SV = logits_SV.log_softmax(-1)[-count - 1 : -1]
        return float(logprobs_SV.gather(-1, tokens_S[-count:, None]).sum())

    return log_likelihood


def test_every_likelihood_is_what_transformers_gives(
    outcome: Outcome, likelihood: Callable[[Prompt, str], float]
) -> None:
    gains = []
    with Store(outcome.folder, reading=True) as store:
        wanted = {r.key: likelihood(r.prompt, r.continuation or "") for r in store.asked()}
        assert len(wanted) >= 16
        for key, logprob in wanted.items():
            response = store.response(key)
            assert response is not None and response.logprob == pytest.approx(logprob, abs=1e-3)
        for _, sample, responses in store.answered("commute"):
            found = dict(zip(order(sample), responses, strict=True))
            right, none = (found[name] for name in ("right", "none"))
            assert right is not None and none is not None
            gains.append(wanted[right.key] - wanted[none.key])
    (row,) = (r for r in outcome.results if (r.task, r.metric) == ("commute", "cxmi"))
    assert row.value == pytest.approx(np.mean(gains), abs=1e-3)
    assert max(map(abs, gains)) > 0.01


def test_a_wrong_picture_of_equal_pixels_changes_nothing(outcome: Outcome) -> None:
    with Store(outcome.folder, reading=True) as store:
        same, other = (
            [score.values[0] for score in store.scores(task, "right_minus_wrong")]
            for task in ("multi30k", "commute")
        )
        gains = [score.values[0] for score in store.scores("multi30k", "cxmi")]
    assert same == pytest.approx([0.0, 0.0], abs=1e-4)
    assert min(max(map(abs, gains)), max(map(abs, other))) > 0.01
