"""vLLM and transformers answer alike, token for token, in whatever batch and order."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image as pil

from towereval.data.media import image_file
from towereval.data.video import decode_video
from towereval.types import Decoding, Engine, Image, Model, Request, Response, Video

pytestmark = pytest.mark.engine

Ask = Callable[..., list[Response]]


@pytest.fixture(scope="module")
def generations(question: Callable[..., Request]) -> list[Request]:
    return [question(number) for number in range(64)]


def test_greedy_answers_are_equal_token_for_token(
    transformers_engine: Engine, vllm_engine: Engine, generations: list[Request], ask: Ask
) -> None:
    one, other = ask(transformers_engine, generations), ask(vllm_engine, generations)
    assert [response.error for response in (*one, *other)] == [""] * 128
    assert [r.text for r in one] == [r.text for r in other]
    assert [r.token_count for r in one] == [r.token_count for r in other]
    assert len({response.text for response in one}) >= 60


def test_answers_do_not_depend_on_the_batch(
    tiny: Model,
    transformers_engine: Engine,
    start: Callable[..., Any],
    generations: list[Request],
    ask: Ask,
) -> None:
    with start("transformers", tiny, batch_size=1) as alone:
        texts = [response.text for response in ask(alone, generations[:16])]
    assert texts == [response.text for response in ask(transformers_engine, generations[:16])]


def test_text_and_picture_requests_may_alternate(
    engine: Engine, question: Callable[..., Request], ask: Ask
) -> None:
    requests = [question(n, shown=() if n % 2 else None) for n in range(8)]
    alone = [ask(engine, [request])[0].text for request in requests]
    assert [response.text for response in ask(engine, requests)] == alone
    assert [r.text for r in ask(engine, requests[::-1])] == alone[::-1]


def test_another_picture_gives_another_answer(
    engine: Engine, question: Callable[..., Request], draw: Callable[[int], Image], ask: Ask
) -> None:
    text = "What is this?"
    texts = [r.text for r in ask(engine, [question(n, text) for n in range(0, 80, 5)])]
    assert len(set(texts)) > 12
    pairs = [question(n, text, shown=(draw(n), draw(n + 1))) for n in range(4)]
    swapped = [question(n, text, shown=(draw(n + 1), draw(n))) for n in range(4)]
    assert [r.text for r in ask(engine, pairs)] != [r.text for r in ask(engine, swapped)]


def test_candidates_score_alike(
    transformers_engine: Engine,
    vllm_engine: Engine,
    question: Callable[..., Request],
    ask: Ask,
) -> None:
    scorings = [
        question(number, decoding=Decoding(max_tokens=1), continuation=candidate)
        for number in range(16)
        for candidate in ("das rote Ufer ist nah.", "die blaue Bank.")
    ]
    one, other = ask(transformers_engine, scorings), ask(vllm_engine, scorings)
    assert not any(response.text or response.error for response in (*one, *other))
    assert [r.token_count for r in one] == [r.token_count for r in other] == [22, 15] * 16
    wanted = pytest.approx([response.logprob for response in one], abs=1e-3)
    assert [response.logprob for response in other] == wanted


def test_a_clip_is_shown_as_its_frames_in_order(
    engine: Engine,
    tiny: Model,
    question: Callable[..., Request],
    film: Callable[..., Video],
    ask: Ask,
    tmp_path: Path,
) -> None:
    clips = [film(number) for number in range(4)]
    frames = []
    for clip in clips:
        pixels = decode_video(clip, tiny.checkpoint.frames).frames_THWC
        files = [tmp_path / f"{clip.sha256}-{index}.png" for index in range(len(pixels))]
        for frame, file in zip(pixels, files, strict=True):
            pil.fromarray(frame).save(file)
        frames.append(tuple(image_file(file) for file in files))

    def texts(shown: Sequence[tuple[Image | Video, ...]]) -> list[str]:
        requests = [question(n, "What happens?", shown=media) for n, media in enumerate(shown)]
        responses = ask(engine, requests)
        assert not any(response.error for response in responses)
        return [response.text for response in responses]

    answers = texts([(clip,) for clip in clips])
    assert answers == texts(frames)
    assert answers != texts([pictures[::-1] for pictures in frames])
    assert len(set(answers)) == 4


def test_order_and_repetition_change_no_answer(
    vllm_engine: Engine, question: Callable[..., Request], ask: Ask
) -> None:
    """The same pictures again, from vLLM's caches, in another order and under other keys."""
    first = [question(number) for number in range(32)]
    again = [question(number, respondent="another") for number in range(32)]
    texts = [response.text for response in ask(vllm_engine, first)]
    assert [response.text for response in ask(vllm_engine, again)] == texts
    mixed = list(zip([*first, *again], [*texts, *texts], strict=True))
    random.Random(0).shuffle(mixed)
    assert [r.text for r in ask(vllm_engine, [r for r, _ in mixed])] == [t for _, t in mixed]
