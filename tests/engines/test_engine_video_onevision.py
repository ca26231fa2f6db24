"""A model that reads video (LLaVA-OneVision) is given the clip's frames, and both engines agree."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.engines.tiny_models import video_model
from towereval.types import Decoding, Engine, Image, Model, Request, Response, Video

pytestmark = pytest.mark.engine

Ask = Callable[..., list[Response]]
Question = Callable[..., Request]
Film = Callable[..., Video]


@pytest.fixture(scope="module")
def tiny(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Instead of the picture model."""
    return video_model("onevision", tmp_path_factory.mktemp("models"))


def test_clips_pictures_and_both_are_answered_alike(
    transformers_engine: Engine,
    vllm_engine: Engine,
    question: Question,
    film: Film,
    draw: Callable[[int], Image],
    ask: Ask,
) -> None:
    clips = [question(n, shown=(film(n, rate=2 + n, count=5 + n % 7),)) for n in range(16)]
    pictures = [question(number) for number in range(16)]
    both = [question(number, shown=(draw(number), film(number))) for number in range(4)]
    requests = [*clips, *pictures, *both]
    one, other = ask(transformers_engine, requests), ask(vllm_engine, requests)
    assert not any(response.error for response in (*one, *other))
    assert [r.text for r in one] == [r.text for r in other]
    assert [r.token_count for r in one] == [r.token_count for r in other]
    assert len({response.text for response in one}) >= 34


def test_candidates_about_clips_score_alike(
    transformers_engine: Engine, vllm_engine: Engine, question: Question, film: Film, ask: Ask
) -> None:
    score = Decoding(max_tokens=1)
    requests = [
        question(number, shown=(film(number),), decoding=score, continuation=continuation)
        for number in range(4)
        for continuation in ("Ein Hund.", "Die Katze schläft.")
    ]
    one, other = ask(transformers_engine, requests), ask(vllm_engine, requests)
    wanted = pytest.approx([response.logprob for response in one], abs=1e-3)
    assert [response.logprob for response in other] == wanted


def test_two_clips_are_an_error(engine: Engine, question: Question, film: Film, ask: Ask) -> None:
    responses = ask(engine, [question(0, shown=(film(0), film(1))), question(0, shown=(film(0),))])
    assert "2 clips" in responses[0].error
    assert not responses[1].error


def test_vllm_refuses_several_pictures_which_it_would_cut_otherwise(
    transformers_engine: Engine,
    vllm_engine: Engine,
    question: Question,
    draw: Callable[[int], Image],
    ask: Ask,
) -> None:
    requests = [question(0, shown=(draw(0), draw(1))), question(1)]
    several, one = ask(vllm_engine, requests)
    assert "cuts each of several pictures into tiles" in several.error
    assert not one.error
    assert not any(response.error for response in ask(transformers_engine, requests))
