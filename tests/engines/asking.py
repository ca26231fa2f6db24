"""Questions to a scripted server, and what comes back."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from typing import Any

from tests.chat_server import Asked, ChatServer, Reply, Script
from towereval.engines import openai
from towereval.subject import find_subject
from towereval.types import Decoding, Image, Message, Request, Response, Text, Video

KEY = "sk-tower-0123456789"
AGAIN = {"Retry_After": "0"}
QUESTION = "Translate to German: the old bank"


def start(server: ChatServer, **settings: Any) -> openai.OpenAiEngine:
    engine_args = {"base_url": server.url, **settings}
    model = find_subject("org/served", "openai", engine_args).model
    assert model is not None
    return openai.start(model, engine_args=engine_args, seed=0)


def answers(
    script: Script, requests: Iterable[Request], **settings: Any
) -> tuple[list[Response], list[Asked]]:
    """Responses in the order of the requests, and what the server was asked."""
    asked = list(requests)
    with ChatServer(script) as server, closing(start(server, **settings)) as engine:
        found = {response.key: response for response in engine.run(asked)}
    assert len(found) == len(asked)
    return [found[request.key] for request in asked], server.asked


def words(number: int = 0, **decoding: Any) -> Request:
    prompt = (Message("user", (Text(f"{QUESTION} {number}"),)),)
    return Request(str(number), prompt, Decoding(**{"max_tokens": 16, **decoding}))


def showing(*media: Image | Video) -> Request:
    prompt = (Message("system", (Text("Be brief."),)), Message("user", (*media, Text(QUESTION))))
    return Request("0", prompt, Decoding(max_tokens=16))


def in_turn(*replies: str | Reply | None) -> Script:
    waiting = iter(replies)
    return lambda _: next(waiting)
