"""A model with a sense of time (Qwen2.5-VL) is told when its frames were; both engines agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.engines.tiny_models import video_model
from towereval.engines.prompts import decode_ahead
from towereval.types import Decoding, Engine, Image, Model, Request, Response, Video

pytestmark = pytest.mark.engine

Ask = Callable[..., list[Response]]
Question = Callable[..., Request]
Film = Callable[..., Video]

SCORE = Decoding(max_tokens=1)


@pytest.fixture(scope="module")
def tiny(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Instead of the picture model."""
    return video_model("qwen", tmp_path_factory.mktemp("models"))


def test_clips_pictures_and_both_are_answered_alike(
    transformers_engine: Engine,
    vllm_engine: Engine,
    question: Question,
    film: Film,
    draw: Callable[[int], Image],
    ask: Ask,
) -> None:
    clips = [question(n, shown=(film(n, rate=4 + n, count=5 + n % 7),)) for n in range(16)]
    pictures = [question(number) for number in range(16)]
    both = [question(number, shown=(draw(number), film(number))) for number in range(4)]
    requests = [*clips, *pictures, *both]
    one, other = ask(transformers_engine, requests), ask(vllm_engine, requests)
    assert not any(response.error for response in (*one, *other))
    assert [r.text for r in one] == [r.text for r in other]
    assert [r.token_count for r in one] == [r.token_count for r in other]
    assert len({response.text for response in one}) >= 34


def test_the_time_between_frames_matters(
    engine: Engine, question: Question, film: Film, ask: Ask
) -> None:
    """The same pictures at another rate have another log-probability."""
    fast, slow = (
        ask(
            engine,
            [
                question(n, shown=(film(n, rate=rate),), decoding=SCORE, continuation="Ein Hund.")
                for n in range(4)
            ],
        )
        for rate in (25, 3)
    )
    for one, other in zip(fast, slow, strict=True):
        assert abs(one.logprob - other.logprob) > 1e-2


def long_clips(question: Question, film: Film) -> list[Request]:
    """Clips that last longer, in the model's units of time, than their frames are wide."""
    return [
        question(n, shown=(film(n, rate=1, count=8 + n),), decoding=SCORE, continuation="Ein Hund.")
        for n in range(4)
    ]


@pytest.mark.xfail(
    strict=True,
    raises=AssertionError,
    reason="transformers 5.19 begins the text after a clip's width; vLLM, transformers 4 and the"
    " model's authors after its time",
)
def test_long_clips_score_alike(
    transformers_engine: Engine, vllm_engine: Engine, question: Question, film: Film, ask: Ask
) -> None:
    requests = long_clips(question, film)
    one, other = ask(transformers_engine, requests), ask(vllm_engine, requests)
    wanted = pytest.approx([response.logprob for response in one], abs=1e-3)
    assert [response.logprob for response in other] == wanted


def test_long_clips_score_as_by_hand_in_vllm(
    transformers_engine: Any, vllm_engine: Engine, question: Question, film: Film, ask: Ask
) -> None:
    """With the positions that the model was trained with: text comes after all that was shown.

    Legend: S tokens, 3 axes of position (time, height, width), V vocabulary.
    """
    import torch

    requests = long_clips(question, film)
    network = transformers_engine.network
    wanted = []
    for decoded in decode_ahead(transformers_engine.model, requests):
        encoded = transformers_engine.encoder.encode(decoded)
        inputs = transformers_engine.inputs([decoded], [encoded])
        known = {k: v for k, v in inputs.items() if not k.startswith("pixel")}
        positions_31S, _ = network.model.get_rope_index(**known)
        clip_S = (inputs["mm_token_type_ids"][0] == 2).nonzero()[:, 0]
        shown, text = positions_31S[:, :, clip_S], positions_31S[:, :, clip_S[-1] + 1 :]
        late = int(shown.max() + 1 - text.min())
        assert late > 0
        text += late
        with torch.inference_mode():
            logits_SV = network(**inputs, position_ids=positions_31S).logits[0]
        tokens_S = inputs["input_ids"][0]
        logprobs_SV = logits_SV.log_softmax(-1)
        count = encoded.continuation_tokens
        wanted.append(sum(float(logprobs_SV[n - 1, tokens_S[n]]) for n in range(-count, 0)))
    found = [response.logprob for response in ask(vllm_engine, requests)]
    assert found == pytest.approx(wanted, abs=1e-3)
