"""Requests are made ready in order by one thread, a bounded number ahead, and may be left there."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from towereval import plugins
from towereval.engines.ahead import AHEAD, Ahead, Ready
from towereval.engines.prompts import Decoded, Decoders
from towereval.types import Checkpoint, Decoding, Image, Message, Model, Request, Text


def asked(number: int) -> Request:
    return Request(str(number), (Message("user", (Text(f"What is {number}?"),)),), Decoding(4))


def showing(picture: Image) -> Request:
    return Request("0", (Message("user", (picture, Text("What is it?"))),), Decoding(4))


def number_of(decoded: Decoded) -> Ready:
    return Ready(prompt=decoded.request.sample_id, error=decoded.error)


@pytest.fixture
def decoders() -> Decoders:
    adapter = plugins.load_adapter("tiny")
    checkpoint = Checkpoint("", images=1)
    return Decoders(Model("tiny", adapter, checkpoint, Path(), "none"))


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(5)  # a decoder ends by itself once it is told
        assert not thread.is_alive(), thread.name


@pytest.mark.usefixtures("no_thread_is_left")
def test_in_order_and_a_bounded_number_ahead(decoders: Decoders) -> None:
    drawn = 0

    def source() -> Iterator[Request]:
        nonlocal drawn
        for drawn in range(1, 301):
            yield asked(drawn)

    threads = set()

    def render(decoded: Decoded) -> Ready:
        threads.add(threading.get_ident())
        return number_of(decoded)

    ahead = Ahead(source(), decoders, render)
    taken: list[str] = []
    assert drawn == 0
    while ahead.more():
        assert drawn <= len(taken) + AHEAD
        taken += [one.prompt for _, one in ahead.take(7, None)]
    assert taken == [str(number) for number in range(1, 301)]
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    assert not ahead.stop()


@pytest.mark.usefixtures("no_thread_is_left")
def test_what_takes_long_holds_nobody_up(decoders: Decoders) -> None:
    slow = threading.Event()

    def render(decoded: Decoded) -> Ready:
        if decoded.request.sample_id == "3":
            assert slow.wait(20)
        return number_of(decoded)

    ahead = Ahead(map(asked, range(6)), decoders, render)
    assert ahead.more()
    began = time.monotonic()
    first = ahead.take(16, 0.5)
    assert [one.prompt for _, one in first] == ["0", "1", "2"]
    assert time.monotonic() - began < 10
    slow.set()
    assert [one.prompt for _, one in ahead.take(16, None)] == ["3", "4", "5"]
    ahead.stop()


@pytest.mark.usefixtures("no_thread_is_left")
@pytest.mark.parametrize("fault", [KeyboardInterrupt, ValueError])
def test_broken_off_in_the_middle(decoders: Decoders, fault: type[BaseException]) -> None:
    def source() -> Iterator[Request]:
        yield from map(asked, range(20))
        raise fault

    ahead = Ahead(source(), decoders, number_of)
    with pytest.raises(fault):
        ahead.more()
    assert ahead.stop()  # what was drawn is there, and nobody took it


@pytest.mark.usefixtures("no_thread_is_left")
def test_a_queue_full_of_one_broken_picture(decoders: Decoders, tmp_path: Path) -> None:
    file = tmp_path / "torn.png"
    file.write_bytes(b"\x89PNG\r\n\x1a\n torn")
    torn = Image(str(file), "1" * 64)
    requests = [*[showing(torn)] * 500, asked(1)]
    ahead = Ahead(iter(requests), decoders, number_of)
    found = []
    while ahead.more():
        found += ahead.take(16, None)
    assert [request for request, _ in found] == requests
    assert all("torn.png" in one.error for _, one in found[:-1])
    assert not found[-1][1].error
    ahead.stop()


@pytest.mark.usefixtures("no_thread_is_left")
def test_what_is_done_between_comes_after_what_is_queued(decoders: Decoders) -> None:
    done: list[str] = []

    def render(decoded: Decoded) -> Ready:
        done.append(decoded.request.sample_id)
        return number_of(decoded)

    ahead = Ahead(itertools.islice(map(asked, itertools.count()), 4), decoders, render)
    assert ahead.more()
    ahead.between(partial(done.append, "between"))
    ahead.take(4, None)
    ready = threading.Event()
    ahead.between(ready.set)
    assert ready.wait(10)
    ahead.stop()
    assert done == ["0", "1", "2", "3", "between"]
