"""JSON over HTTP to one server: with patience, a time limit, and a key that goes nowhere else."""

from __future__ import annotations

import contextlib
import functools
import http.client
import json
import random
import socket
import threading
import time
import urllib.error
import urllib.request
import weakref
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from towereval.errors import EngineError

TRIES = 5
# Too many requests, and what a server says while it starts or is overrun.
TRY_AGAIN = (408, 409, 429, 500, 502, 503, 504)
LONGEST_WAIT = 60.0
CONNECT_SECONDS = 20.0
MOST_BYTES = 1 << 28


class Refused(EngineError):
    """The server's last word to one request."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(f"HTTP {status}: {words}")
        self.status = status


class Connection:
    """`timeout` seconds are for one try, from the question to the answer's last byte."""

    def __init__(self, url: str, key: str, timeout: float) -> None:
        self.url, self.timeout, self._key = url, timeout, key
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._open = _Sockets()
        # A proxy reads what is sent in the clear, the key too; of https it sees CONNECT alone.
        tunnels = {kind: at for kind, at in urllib.request.getproxies().items() if kind == "https"}
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler(tunnels),
            _NoRedirects,
            _Http(self._open),
            _Https(self._open),
        )

    def resume(self) -> None:
        self._open.stopped.clear()

    def stop(self) -> None:
        """Nothing is asked again, and what is being asked fails at once."""
        self._open.shut()

    def check(self, path: str) -> None:
        """That somebody answers there, whatever it is. Raises `EngineError`."""
        try:
            self._send(path, None)
        except urllib.error.HTTPError as error:
            error.close()
        except EngineError:
            pass
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"no server answers at {self.url}: {error}") from error

    def look(self, path: str) -> Any:
        """The JSON that lies there, None where there is none.

        Raises `EngineError` where nobody answers, `Refused` where all that is said is "later".
        """
        try:
            return self._send(path, None)
        except urllib.error.HTTPError as error:
            error.close()
            return self.ask(path, None) if error.code in TRY_AGAIN else None
        except EngineError:
            return None
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"no server answers at {self.url}: {error}") from error

    def ask(self, path: str, body: Mapping[str, Any] | None) -> Any:
        """The JSON that comes back. Asked again where the server wants patience or hangs up.

        Raises `Refused` with the server's words, `EngineError` for what is no JSON, `OSError` and
        `HTTPException` for a server that cannot be reached.
        """
        data = None if body is None else json.dumps(body).encode()
        for attempt in range(1, TRIES + 1):
            try:
                return self._send(path, data)
            except urllib.error.HTTPError as error:
                with error:
                    words = self.without_key(_words(error))
                if error.code not in TRY_AGAIN or attempt == TRIES:
                    raise Refused(error.code, words) from error
                seconds = patience(error.headers.get("Retry-After"), attempt)
            except (OSError, http.client.HTTPException):
                if attempt == TRIES:
                    raise
                seconds = patience(None, attempt)
            if self._open.stopped.wait(seconds):
                break
        raise EngineError("the run was broken off")

    def without_key(self, text: str) -> str:
        """Some servers say a wrong key back."""
        return text.replace(self._key, "(the key)") if self._key else text

    def _send(self, path: str, data: bytes | None) -> Any:
        deadline = time.monotonic() + self.timeout
        request = urllib.request.Request(self.url + path, data, self._headers)
        if self._open.stopped.is_set():
            raise EngineError("the run was broken off")
        with self._opener.open(request, timeout=self.timeout) as reply:
            content = _content(reply, deadline)
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as error:
            start = " ".join(content[:200].decode(errors="replace").split())
            raise EngineError(self.without_key(f"the answer is not JSON: {start!r}")) from error


def patience(wanted: str | None, attempt: int) -> float:
    """Seconds until the next try: what Retry-After says (RFC 9110, 10.2.3), at most a minute.

    Else 0.5, 1, 2, ... and up to a quarter more, lest all that were refused come back together.
    """
    if wanted and wanted.strip().replace(".", "", 1).isdecimal():
        return min(float(wanted), LONGEST_WAIT)
    try:
        date = parsedate_to_datetime(wanted or "")
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        return min(max(seconds, 0.0), LONGEST_WAIT)
    except (ValueError, OverflowError):
        backoff: float = 0.5 * 2 ** (attempt - 1)
        return backoff * random.uniform(1.0, 1.25)


def _content(reply: http.client.HTTPResponse, deadline: float) -> bytes:
    """The body, which a slow server may send byte by byte without ever being silent for long."""
    parts: list[bytes] = []
    size = 0
    while part := reply.read1(1 << 16):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise EngineError(f"the answer has more than {MOST_BYTES} bytes")
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
    content = b"".join(parts)
    if reply.length:  # what Content-Length promised and did not come
        raise http.client.IncompleteRead(content, reply.length)
    return content


def _words(error: urllib.error.HTTPError) -> str:
    """What the server says of its refusal: the message of its JSON, or its text."""
    if 300 <= error.code < 400:
        return "redirects are not followed: base_url is where the server itself is"
    try:
        content = error.read(1 << 16)
    except (OSError, http.client.HTTPException):
        return str(error.reason)
    try:
        said = json.loads(content)["error"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        said = content.decode(errors="replace")
    if str(said).lstrip().lower().startswith(("<!doctype", "<html")):
        return f"{error.reason} (a page in HTML)"
    return " ".join(str(said).split())[:500] or str(error.reason)


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the server that the user named, and a redirect would lose the question."""

    def redirect_request(self, *_: Any) -> None:
        return None


class _Sockets:
    """Those in use. urllib shows them to nobody, so each connection enters its own."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._known: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._lock = threading.Lock()

    def enter(self, one: socket.socket) -> None:
        with self._lock:
            self._known.add(one)
        if self.stopped.is_set():  # while it was being opened
            raise ConnectionAbortedError("the run was broken off")

    def shut(self) -> None:
        self.stopped.set()
        with self._lock:
            for one in self._known:
                with contextlib.suppress(OSError):  # it was closed already
                    one.shutdown(socket.SHUT_RDWR)


class _Entered:
    sockets: _Sockets
    timeout: Any
    sock: Any

    def connect(self) -> None:
        whole, self.timeout = self.timeout, min(self.timeout, CONNECT_SECONDS)
        super().connect()  # type: ignore[misc]
        self.sock.settimeout(whole)
        self.sockets.enter(self.sock)


class _PlainConnection(_Entered, http.client.HTTPConnection):
    pass


class _SecureConnection(_Entered, http.client.HTTPSConnection):
    pass


def _made(kind: Any, sockets: _Sockets, host: str, **settings: Any) -> Any:
    connection = kind(host, **settings)
    connection.sockets = sockets
    return connection


class _Http(urllib.request.HTTPHandler):
    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self.make = functools.partial(_made, _PlainConnection, sockets)

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self.make, req)


class _Https(urllib.request.HTTPSHandler):
    def __init__(self, sockets: _Sockets) -> None:
        super().__init__()
        self.make = functools.partial(_made, _SecureConnection, sockets)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(self.make, req)
