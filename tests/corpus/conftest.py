"""A server that translates, for what asks a model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chat_server import ChatServer
from tests.corpus.corpora import translated
from towereval.corpus.translate import Translator


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ChatServer(translated) as found:
        yield found


@pytest.fixture
def translator(server: ChatServer) -> Translator:
    return Translator("t", "openai", {"base_url": server.url}, max_tokens=32)
