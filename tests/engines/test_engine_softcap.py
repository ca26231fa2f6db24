"""Log-probabilities and sampled answers have Gemma2's final softcap, which transformers leaves out.

The tiny model's logits are too small to feel a cap of 30, so these tests change both.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image as pil

from towereval.types import Decoding, Engine, Model, Request, Response

pytestmark = pytest.mark.engine

CAP = 5.0
LOUDNESS = 20.0
CANDIDATES = ("das rote Ufer ist nah.", "die blaue Bank.")
Ask = Callable[..., list[Response]]


@pytest.fixture(scope="module")
def tiny(tiny: Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Logits 20 times as large, capped at 5."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("loud") / "tiny"
    shutil.copytree(tiny.folder, folder)
    weights = load_file(folder / "model.safetensors")
    (norm,) = (name for name in weights if name.endswith("model.norm.weight"))
    weights[norm] = (1 + weights[norm]) * LOUDNESS - 1  # Gemma multiplies by one more
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["final_logit_softcapping"] = CAP
    (folder / "config.json").write_text(json.dumps(config))
    return dataclasses.replace(tiny, folder=folder)


@pytest.fixture(scope="module")
def scorings(question: Callable[..., Request]) -> list[Request]:
    return [
        question(number, decoding=Decoding(max_tokens=1), continuation=candidate)
        for number in range(16)
        for candidate in CANDIDATES
    ]


@pytest.fixture(scope="module")
def plain(tiny: Model) -> Callable[[Request], Any]:
    """The logits of each token of a request's text, unbatched; as the class gives them, uncapped.

    Legend: S tokens of prompt and continuation, V vocabulary.
    """
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(tiny.folder)
    network = AutoModelForImageTextToText.from_pretrained(
        tiny.folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()

    def logits(request: Request) -> tuple[Any, Any]:
        image, text = request.prompt[0].parts
        with pil.open(image.source) as picture:
            inputs = processor(
                images=picture.convert("RGB"),
                text=f"<bos><start_of_turn>user\n<image>\n{text.text}<end_of_turn>\n"
                f"<start_of_turn>model\n{request.continuation}",
                add_special_tokens=False,
                return_tensors="pt",
            )
        with torch.inference_mode():
            return inputs["input_ids"][0], network(**inputs).logits[0]

    return logits


def logprob(tokens_S: Any, logits_SV: Any, count: int) -> float:
    logprobs_SV = logits_SV.log_softmax(-1)
    return sum(float(logprobs_SV[at - 1, tokens_S[at]]) for at in range(-count, 0))


def test_candidates_score_as_by_hand(
    engine: Engine, scorings: list[Request], plain: Callable[[Request], Any], ask: Ask
) -> None:
    import torch

    responses = ask(engine, scorings)
    capped, uncapped = [], []
    for request in scorings:
        count = len((request.continuation or "").encode())  # the tokens are bytes
        tokens_S, logits_SV = plain(request)
        uncapped.append(logprob(tokens_S, logits_SV, count))
        capped.append(logprob(tokens_S, CAP * torch.tanh(logits_SV / CAP), count))
    found = [response.logprob for response in responses]
    assert found == pytest.approx(capped, abs=1e-3)
    assert all(abs(one - other) > 0.05 for one, other in zip(found, uncapped, strict=True))
    assert [r.token_count for r in responses] == [len(c) for c in CANDIDATES] * 16
    assert not any(response.text or response.error for response in responses)


def test_text_scores_as_gemma2_with_its_own_head(
    tiny: Model,
    transformers_engine: Any,
    vllm_engine: Engine,
    question: Callable[..., Request],
    ask: Ask,
) -> None:
    """The language model's own class applies the softcap that the LLaVA class leaves out."""
    import torch
    from transformers import AutoModelForImageTextToText, Gemma2ForCausalLM

    llava = AutoModelForImageTextToText.from_pretrained(
        tiny.folder, dtype=torch.float32, attn_implementation="eager"
    )
    gemma = Gemma2ForCausalLM(llava.config.text_config).eval()
    gemma.model = llava.model.language_model
    gemma.lm_head = llava.lm_head
    request = question(0, "Noun?", shown=(), continuation="Straße")
    prompt = "<bos><start_of_turn>user\nNoun?<end_of_turn>\n<start_of_turn>model\nStraße"
    tokens_S = transformers_engine.encoder.tokenizer(
        prompt, add_special_tokens=False, return_tensors="pt"
    )["input_ids"][0]
    with torch.inference_mode():
        logits_SV = gemma(input_ids=tokens_S[None]).logits[0]
    wanted = logprob(tokens_S, logits_SV, count=7)
    for engine in (transformers_engine, vllm_engine):
        assert ask(engine, [request])[0].logprob == pytest.approx(wanted, abs=1e-3)


def test_sampled_answers_are_drawn_from_capped_probabilities(
    transformers_engine: Any, vllm_engine: Engine, question: Callable[..., Request], ask: Ask
) -> None:
    """The first tokens that both engines draw are as widely spread."""
    requests = [
        question(0, decoding=Decoding(max_tokens=1, temperature=1.0, seed=seed))
        for seed in range(200)
    ]
    entropies = []
    for engine in (transformers_engine, vllm_engine):
        texts = [response.text for response in ask(engine, requests)]
        shares = [texts.count(text) / len(texts) for text in set(texts)]
        entropies.append(-sum(share * math.log(share) for share in shares))
    assert entropies[0] == pytest.approx(entropies[1], abs=0.3)
