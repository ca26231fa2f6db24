"""Pictures are told apart by their content and by how they are read, whatever their tags say."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import ExifTags
from PIL import Image as pil

from towereval.data.media import decode_image, image_file
from towereval.engines.prompts import Decoded
from towereval.engines.vllm_prompts import as_tensor, picture_id, reading_of
from towereval.types import Frame, Image, Model, Request, Response, Video

pytestmark = pytest.mark.engine


def test_an_id_is_of_content_part_and_reading() -> None:
    image, other = Image("a.png", "1" * 64), Image("a.png", "2" * 64)
    clip = Video("a.png", "1" * 64)
    shown = [image, other, clip, Frame(clip, 0, 8), Frame(clip, 1, 8), Frame(clip, 0, 4)]
    ids = {picture_id(item, reading) for item in shown for reading in ("one", "two")}
    assert len(ids) == 12
    assert picture_id(replace(image, source="moved.png"), "one") == picture_id(image, "one")
    assert picture_id(Image("", ""), "one") is None  # vLLM is then to hash the pixels


def test_the_reading_is_of_model_and_processing(tiny: Model) -> None:
    wide = replace(tiny, checkpoint=replace(tiny.checkpoint, frame_size=64))
    more = replace(tiny, checkpoint=replace(tiny.checkpoint, frames=9))
    models = (tiny, wide, more, replace(tiny, digest="another"))
    readings = [reading_of(model, {}) for model in models]
    readings.append(reading_of(tiny, {"mm_processor_kwargs": {"do_rescale": False}}))
    assert len(set(readings)) == 5
    assert reading_of(tiny, {"max_num_seqs": 3}) == readings[0]


def test_pictures_that_share_an_exif_id_are_not_mixed_up(
    vllm_engine: Any,
    question: Callable[..., Request],
    ask: Callable[..., list[Response]],
    draw: Callable[[int], Image],
) -> None:
    from vllm.multimodal.hasher import MultiModalHasher

    tag = uuid.uuid4()
    ready, seen = [], []
    for number in (1, 6, 11):  # of one size
        picture = decode_image(draw(number))
        picture.getexif()[ExifTags.Base.ImageID] = tag
        request = question(3, shown=(draw(number),))
        rendered = vllm_engine.model.adapter.render(request.prompt, vllm_engine.model.checkpoint)
        decoded = Decoded(request, rendered, [picture])
        seen.append(MultiModalHasher.hash_kwargs("blake3", image=picture))
        ready.append(vllm_engine._render(decoded))
    assert len(set(seen)) == 1  # by itself vLLM takes them for one
    assert not any(one.error for one in ready)
    assert len({one.prompt["mm_hashes"]["image"][0] for one in ready}) == 3
    pixels = [one.prompt["mm_kwargs"]["image"][0]["pixel_values"].data for one in ready]
    assert not pixels[0].equal(pixels[1])
    vllm_engine.llm.llm_engine.reset_mm_cache()  # it was processed and not given to the engine
    # And what is asked about each is answered from its own pixels.
    asked = [question(word, shown=(draw(each),)) for each in (1, 6, 11) for word in range(8)]
    found = ask(vllm_engine, asked)
    assert not any(response.error for response in found)
    texts = [response.text for response in found]
    assert texts[:8] != texts[8:16] != texts[16:] != texts[:8]


def test_the_order_of_requests_changes_no_answer(
    vllm_engine: Any, question: Callable[..., Request], draw: Callable[[int], Image]
) -> None:
    pictures = [draw(number) for number in range(12)]
    requests = [
        question(100 * language + number, shown=(picture,))
        for language in range(7)
        for number, picture in enumerate(pictures)
    ]
    orders = [requests, sorted(requests, key=lambda one: one.media[0].sha256), requests.copy()]
    random.Random(0).shuffle(orders[2])
    answers = []
    for order in orders:
        found = {response.key: response.text for response in vllm_engine.run(order)}
        answers.append([found[request.key] for request in requests])
    assert answers[0] == answers[1] == answers[2]
    assert len(set(answers[0])) > 60


def test_a_prompt_that_is_refused_leaves_its_picture_to_the_next(
    vllm_engine: Any, question: Callable[..., Request], draw: Callable[[int], Image]
) -> None:
    """vLLM keeps processed pictures on either side: one that only one side has fails the next."""
    picture = draw(77)
    requests = [
        question(0, "w" * 1985, shown=(picture,)),  # too long with the picture's tokens only
        *(question(number, shown=(picture,)) for number in range(1, 5)),
    ]
    found = {response.key: response for response in vllm_engine.run(requests)}
    assert "2048" in found[requests[0].key].error
    assert [found[request.key].error for request in requests[1:]] == [""] * 4


def test_a_stream_that_is_broken_off_leaves_its_pictures_to_the_next(
    vllm_engine: Any, question: Callable[..., Request], draw: Callable[[int], Image]
) -> None:
    requests = [question(number, shown=(draw(200 + number),)) for number in range(24)]
    with closing(vllm_engine.run(requests)) as responses:
        next(responses)
    assert not any(response.error for response in vllm_engine.run(requests[::-1]))


def test_pictures_a_few_pixels_wide_are_read_alike(
    vllm_engine: Any, question: Callable[..., Request], tmp_path: Path
) -> None:
    """Their columns must not be taken for channels."""
    for width in (1, 3, 4, 5):
        file = tmp_path / f"{width}.png"
        pil.effect_noise((width, 60), 80).convert("RGB").save(file)
        shown = image_file(file)
        ready = []
        for convert in (None, as_tensor):
            request = question(width, shown=(shown,))
            rendered = vllm_engine.model.adapter.render(
                request.prompt, vllm_engine.model.checkpoint
            )
            picture = decode_image(shown)
            decoded = Decoded(request, rendered, [convert(picture) if convert else picture])
            ready.append(vllm_engine._render(decoded))
            vllm_engine.llm.llm_engine.reset_mm_cache()
        pixels = [one.prompt["mm_kwargs"]["image"][0]["pixel_values"].data for one in ready]
        assert pixels[0].equal(pixels[1])
