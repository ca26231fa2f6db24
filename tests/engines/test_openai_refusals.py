"""A server that refuses, hangs, breaks off or is broken off."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.chat_server import Asked, ChatServer, Reply, completion, refusal
from tests.engines.asking import AGAIN, QUESTION, answers, in_turn, showing, start, words
from tests.test_cli import towereval
from towereval.data.media import image_file
from towereval.engines import connection
from towereval.types import Image, Request


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


@pytest.mark.parametrize(
    "first",
    [
        *(refusal(status, "later", **AGAIN) for status in (408, 409, 429, 500, 502, 503, 504)),
        Reply(0),
        Reply(content=b'{"choices"', headers={"Content-Length": "99"}),
    ],
)
def test_a_server_that_asks_for_patience_is_asked_again(first: Reply) -> None:
    [answer], asked = answers(in_turn(first, "Haus"), [words()])
    assert (answer.text, answer.error) == ("Haus", "")
    assert asked[0].body == asked[1].body


def test_patience_ends_after_five_tries() -> None:
    [answer], asked = answers(lambda _: refusal(429, "slow\n down", **AGAIN), [words()])
    assert answer.error == "EngineError: HTTP 429: slow down"
    assert len(asked) == 5


@pytest.mark.parametrize(
    ("wanted", "seconds"), [("0", 0.0), ("2", 2.0), (" 1.5 ", 1.5), ("3600", 60.0), ("9" * 400, 60)]
)
def test_the_server_says_how_long_to_wait(wanted: str, seconds: float) -> None:
    assert connection.patience(wanted, 3) == seconds


@pytest.mark.parametrize(("after", "least", "most"), [(-3600, 0, 0), (20, 17, 20), (3600, 60, 60)])
def test_the_server_says_when_to_come_back(after: float, least: float, most: float) -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=after), usegmt=True)
    assert least <= connection.patience(when, 1) <= most


@pytest.mark.parametrize("wanted", [None, "", "-1", "²", "1.2.3", "soon", "Wed, 99 Oct 2026"])
def test_else_it_is_left_alone_ever_longer(wanted: str | None) -> None:
    for attempt, least in enumerate((0.5, 1.0, 2.0, 4.0), start=1):
        assert least <= connection.patience(wanted, attempt) <= 1.25 * least


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 501])
def test_a_refusal_is_that_requests_error_with_the_servers_words(status: int) -> None:
    def script(asked: Asked) -> str | Reply:
        return refusal(status, "too  long:\n 9 tokens") if asked.text.endswith(" 1") else "Haus"

    found, asked = answers(script, [words(number) for number in range(3)])
    assert [answer.text for answer in found] == ["Haus", "", "Haus"]
    assert [answer.error for answer in found] == [
        "",
        f"EngineError: HTTP {status}: too long: 9 tokens",
        "",
    ]
    assert len(asked) == 3


def test_a_refusal_without_words_is_named_by_its_status() -> None:
    [answer], _ = answers(lambda _: refusal(404), [words()])
    assert answer.error == "EngineError: HTTP 404: Not Found"


@pytest.mark.parametrize("reply", [Reply(seconds=30.0), Reply(content=b" " * 99, drip=0.05)])
def test_a_server_that_hangs_is_left_after_the_timeout(
    monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    """Also one that is never silent for long."""
    monkeypatch.setattr(connection, "TRIES", 2)
    began = time.monotonic()
    [answer], asked = answers(lambda _: reply, [words()], timeout=0.3)
    assert answer.error == "TimeoutError: timed out"
    assert len(asked) == 2
    assert time.monotonic() - began < 5


def test_an_endless_answer_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "MOST_BYTES", 1 << 20)
    [answer], _ = answers(lambda _: Reply(content=b" " * (1 << 21)), [words()])
    assert answer.error == "EngineError: the answer has more than 1048576 bytes"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"error": {"message": "no  such model", "code": 404}}', "no such model"),
        (b'{"error": "gone"}', '{"error": "gone"}'),
        (b"<!DOCTYPE html><html><body>nginx</body></html>", "Not Found (a page in HTML)"),
        (b"", "Not Found"),
    ],
)
def test_a_refusal_is_told_in_one_line(content: bytes, told: str) -> None:
    [answer], _ = answers(lambda _: Reply(404, content), [words()])
    assert answer.error == f"EngineError: HTTP 404: {told}"


def test_what_a_server_says_does_not_steer_a_terminal(tmp_path: Path) -> None:
    hostile = refusal(400, "no\x1b]0;owned\x07 \u202esuch model")
    with ChatServer(lambda _: hostile) as server:
        at = ("--engine", "openai", "--engine-args", f"base_url={server.url}")
        given = ("--model", "served", "--tasks", "ocrbench", "--split", "sample")
        done = towereval("run", *given, *at, cwd=tmp_path)
    assert done.returncode == 4
    assert "HTTP 400: no\\u001b]0;owned\\u0007 \\u202esuch model" in done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    printed = [done.stdout.encode(), done.stderr.encode()]
    assert [text for text in printed if b"\x1b" in text or b"\x07" in text] == []
    kept = [path.name for path in files if b"\x1b]0;owned" in path.read_bytes()]
    assert kept == []


def test_a_torn_picture_is_its_own_requests_error(
    tmp_path: Path, draw: Callable[[int], Image]
) -> None:
    torn = tmp_path / "torn.png"
    torn.write_bytes(Path(draw(0).source).read_bytes()[:99])
    found, asked = answers(lambda _: "Haus", [showing(image_file(torn)), showing(draw(0))])
    assert found[0].error.startswith(f"DataError: {torn}: cannot be decoded")
    assert (found[1].text, len(asked)) == ("Haus", 1)


def test_fixed_choices_are_an_error() -> None:
    [answer], asked = answers(lambda _: "A", [words(choices=("A", "B"))])
    assert "a served model answers freely, not from fixed choices" in answer.error
    assert asked == []


# --- many at once ---


def test_no_more_requests_run_at_once_than_were_asked_for() -> None:
    with ChatServer(lambda asked: Reply(seconds=0.02, content=completion(asked.text).content)) as (
        server
    ):
        engine = start(server, concurrency=3)
        found = list(engine.run(words(number) for number in range(20)))
    assert server.most == 3
    texts = {words(number).key: f"{QUESTION} {number}" for number in range(20)}
    assert {answer.key: answer.text for answer in found} == texts


def test_it_looks_ahead_a_bounded_number_of_requests() -> None:
    pulled = 0

    def requests() -> Iterator[Request]:
        nonlocal pulled
        for number in range(1000):
            pulled += 1
            yield words(number)

    with (
        ChatServer(lambda _: "Haus") as server,
        closing(start(server, concurrency=2).run(requests())) as found,
    ):
        for count, _ in enumerate(found, start=1):
            assert pulled <= count + 2 * 2
            if count == 50:
                break
    assert len(server.asked) <= 50 + 2 * 2


def test_what_is_broken_off_is_not_asked_again() -> None:
    refused = threading.Event()

    def script(asked: Asked) -> str | Reply:
        if asked.text.endswith(" 0"):
            return "Haus"
        refused.set()
        return refusal(503, Retry_After="60")

    began = time.monotonic()
    with ChatServer(script) as server:
        found = start(server, concurrency=1).run(words(number) for number in range(9))
        assert next(found).text == "Haus"
        assert refused.wait(10)
        found.close()
    assert len(server.asked) == 2
    assert time.monotonic() - began < 10


def test_an_answer_that_is_waited_for_is_broken_off_at_once() -> None:
    began = time.monotonic()

    def script(asked: Asked) -> str | Reply:
        return "Haus" if asked.text.endswith(" 0") else Reply(seconds=20.0)

    with ChatServer(script) as server:
        found = start(server, concurrency=4).run(words(number) for number in range(9))
        assert next(found).text == "Haus"
        found.close()
        assert time.monotonic() - began < 10


def test_an_engine_answers_more_than_once() -> None:
    with ChatServer(in_turn("one", refusal(500, **AGAIN), "two")) as server:
        engine = start(server)
        texts = [[answer.text for answer in engine.run([words(number)])] for number in range(2)]
    assert texts == [["one"], ["two"]]
