"""What one request does wrong is its own response's error; all others are answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from towereval.data.media import image_file
from towereval.types import Decoding, Engine, Image, Request, Response, Video

pytestmark = pytest.mark.engine

Ask = Callable[..., list[Response]]
Question = Callable[..., Request]
Draw = Callable[[int], Image]


@pytest.fixture
def corrupt(draw: Draw, tmp_path: Path) -> Image:
    file = tmp_path / "torn.png"
    file.write_bytes(Path(draw(0).source).read_bytes()[:200])
    return image_file(file)


def test_bad_requests_fail_alone(
    engine: Engine, question: Question, draw: Draw, corrupt: Image, ask: Ask, tmp_path: Path
) -> None:
    good = [question(number) for number in range(12)]
    wanted = [response.text for response in ask(engine, good)]
    missing = Image(str(tmp_path / "nowhere.png"), "00")
    torn_clip = Video(corrupt.source, corrupt.sha256)
    bad = {
        "torn.png": question(20, shown=(corrupt,)),
        "nowhere.png": question(21, shown=(missing,)),
        "cannot be decoded": question(22, shown=(torn_clip,)),
        "2048": question(23, "word " * 600),
        "no tokens": question(24, continuation=""),
        "<image>": question(25, "What is in <image>?"),
        "5 pictures": question(26, shown=tuple(draw(number) for number in range(5))),
    }
    mixed = [*good[:3], *bad.values(), *good[3:]]
    responses = {response.key: response for response in engine.run(mixed)}
    assert set(responses) == {request.key for request in mixed}
    assert [responses[request.key].text for request in good] == wanted
    for reason, request in bad.items():
        response = responses[request.key]
        assert reason in response.error
        assert (response.text, response.logprob, response.token_count) == ("", None, 0)


def test_bad_scorings_fail_alone(
    engine: Engine, question: Question, corrupt: Image, ask: Ask
) -> None:
    score = Decoding(max_tokens=1)
    good = [question(n, decoding=score, continuation="das Ufer") for n in range(6)]
    wanted = [response.logprob for response in ask(engine, good)]
    bad = [
        question(20, decoding=score, continuation="das Ufer", shown=(corrupt,)),
        question(21, decoding=score, continuation=""),
        question(22, decoding=score, continuation="word " * 600),
    ]
    responses = ask(engine, [*good[:2], *bad, *good[2:]])
    assert all(response.error for response in responses[2:5])
    found = [response.logprob for response in (*responses[:2], *responses[5:])]
    assert found == pytest.approx(wanted, abs=1e-3)


def test_every_request_of_one_key_is_answered(
    engine: Engine, question: Question, corrupt: Image
) -> None:
    requests = [question(n % 3) for n in range(9)] + [question(9, shown=(corrupt,))] * 2
    keys = Counter(response.key for response in engine.run(requests))
    assert keys == Counter(request.key for request in requests)


def test_pictures_without_a_hash_are_not_taken_for_one(
    engine: Engine, question: Question, draw: Draw, ask: Ask
) -> None:
    """Their requests have one key, so they are asked by different words."""
    shown = [Image(draw(number).source, "") for number in (0, 5)]
    wanted = ask(engine, [question(n, f"What {n}?", shown=(draw(n * 5),)) for n in (0, 1)])
    found = ask(engine, [question(n, f"What {n}?", shown=(shown[n],)) for n in (0, 1)])
    assert [r.text for r in found] == [r.text for r in wanted]
