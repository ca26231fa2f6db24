"""`run` draws a bounded number of requests ahead of its answers, and may be broken off."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from towereval.engines import ahead, vllm
from towereval.types import Engine, Image, Request, Response

pytestmark = pytest.mark.engine

Question = Callable[..., Request]
AHEAD = {"VllmEngine": vllm.WINDOW + ahead.AHEAD, "TransformersEngine": 64}


class Endless:
    """Requests without end about one picture; counts those that were drawn."""

    def __init__(self, question: Question, picture: Image) -> None:
        self.question = question
        self.picture = picture
        self.drawn = 0
        self.closed = False

    def __iter__(self) -> Iterator[Request]:
        try:
            for number in itertools.count():
                self.drawn += 1
                yield self.question(number, shown=(self.picture,))
        finally:
            self.closed = True


def test_an_endless_stream_is_answered_as_it_comes(
    engine: Engine, question: Question, draw: Callable[[int], Image]
) -> None:
    stream = Endless(question, draw(0))
    with closing(engine.run(iter(stream))) as responses:
        assert stream.drawn == 0  # nothing is asked before an answer is wanted
        for answered, response in enumerate(itertools.islice(responses, 300), start=1):
            assert not response.error
            assert stream.drawn <= answered + AHEAD[type(engine).__name__]
    assert stream.closed


def test_a_stream_that_is_broken_off_leaves_the_engine_usable(
    engine: Engine,
    question: Question,
    draw: Callable[[int], Image],
    ask: Callable[..., list[Response]],
) -> None:
    requests = [question(number) for number in range(8)]
    wanted = [response.text for response in ask(engine, requests)]
    for answers in (1, 9):
        stream = Endless(question, draw(1))
        with closing(engine.run(iter(stream))) as responses:
            assert len(list(itertools.islice(responses, answers))) == answers
        if hasattr(engine, "llm"):
            assert not engine.llm.llm_engine.has_unfinished_requests()
        found = {response.key: response.text for response in engine.run(requests)}
        assert [found[request.key] for request in requests] == wanted
        assert len(found) == len(requests)  # none of the stream's


def test_an_error_in_the_stream_comes_through(
    engine: Engine, question: Question, ask: Callable[..., list[Response]]
) -> None:
    def torn() -> Iterator[Request]:
        yield from (question(number) for number in range(4))
        raise ValueError("the source is torn")

    with pytest.raises(ValueError, match="the source is torn"):
        list(engine.run(torn()))
    assert not ask(engine, [question(0)])[0].error
