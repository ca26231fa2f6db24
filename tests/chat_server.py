"""A server on loopback that speaks OpenAI's chat completions as a test tells it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Reply:
    """What is sent back after `seconds`; status 0: the connection is closed without a word.

    With `drip` so many seconds pass before each byte of the content.
    """

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drip: float = 0.0


@dataclass(frozen=True)
class Asked:
    """A request as it arrived; `body` is None for a GET."""

    path: str
    headers: Mapping[str, str]
    body: Any

    @property
    def content(self) -> Any:
        return self.body["messages"][-1]["content"]

    @property
    def text(self) -> str:
        """The words of its last message."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part["text"] for part in self.content if part["type"] == "text")


# A text is the answer, a `Reply` is sent as it is, None is a null in the answer's place.
Script = Callable[[Asked], str | Reply | None]


def completion(text: object, finish_reason: str = "stop", **more: Any) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 7, "completion_tokens": len(str(text).split())}
    answer = {"choices": [choice | {"finish_reason": finish_reason}], "usage": usage}
    return Reply(content=json.dumps(answer | more).encode())


def refusal(status: int, words: str = "", **headers: str) -> Reply:
    """With `Retry_After="0"` it is tried again at once."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, words.encode(), given)


class ChatServer(ThreadingHTTPServer):
    """`asked` are the questions in the order of their arrival, `most` how many it had at once."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, script: Script, models: Reply | Callable[[], Reply] | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script = script
        self.models = models or Reply(content=b'{"object": "list", "data": []}')
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        self.asked: list[Asked] = []
        self.listed: list[Asked] = []
        self.now = self.most = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, *_: Any) -> None:
        """A client that hung up is no fault of the test."""


class _Handler(BaseHTTPRequestHandler):
    server: ChatServer

    def do_GET(self) -> None:
        self.server.listed.append(Asked(self.path, dict(self.headers), None))
        models = self.server.models
        self._send(models if isinstance(models, Reply) else models())

    def do_POST(self) -> None:
        server = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        asked = Asked(self.path, dict(self.headers), body)
        with server.lock:
            server.asked.append(asked)
            server.now, server.most = server.now + 1, max(server.most, server.now + 1)
            reply = server.script(asked)
        made = reply if isinstance(reply, Reply) else completion(reply)
        server.closing.wait(made.seconds)
        with server.lock:
            server.now -= 1
        self._send(made)

    def _send(self, reply: Reply) -> None:
        if reply.status:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            if not reply.drip:
                self.wfile.write(reply.content)
                return
            for byte in reply.content:
                if self.server.closing.wait(reply.drip):
                    return
                self.wfile.write(bytes([byte]))

    def log_message(self, *_: Any) -> None:
        pass
