"""Any server that speaks OpenAI's chat completions: `--engine openai --engine-args base_url=URL`.

The key is read from the environment variable that `api_key_env` names (OPENAI_API_KEY), and is
never stored, nor sent to where a server redirects. Pictures travel as they are, frames of clips as
PNG.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.data.media import decode_frames, decode_image, is_turned
from towereval.engines import KINDS
from towereval.errors import EngineError, UsageError
from towereval.types import Decoding, Frame, Image, Message, Model, Request, Response, Text, Video

CONCURRENCY = 8
TRIES = 5
# Too many requests, and what a server says while it starts or is overrun.
TRY_AGAIN = (408, 409, 429, 500, 502, 503, 504)
SIGNATURES = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


@dataclass(frozen=True, slots=True)
class Settings:
    base_url: str
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = CONCURRENCY
    timeout: float = 600.0


def settings(engine_args: Mapping[str, Any]) -> Settings:
    """Checked before anything is asked or stored: a key has no place among the arguments. Raises
    `UsageError`.
    """
    known = ("base_url", "api_key_env", "concurrency", "timeout")
    if unknown := sorted(set(engine_args) - set(known)):
        raise UsageError(f"the openai engine knows {', '.join(known)}, not {unknown[0]}")
    found = Settings(**{"base_url": "", **engine_args})
    if not _is_address(found.base_url):
        raise UsageError("the openai engine wants base_url=http://HOST:PORT/v1")
    if not (isinstance(found.api_key_env, str) and found.api_key_env):
        raise UsageError("api_key_env is the name of an environment variable")
    if type(found.concurrency) is not int or not 1 <= found.concurrency <= 1000:
        raise UsageError(f"concurrency is from 1 to 1000, not {found.concurrency!r}")
    if type(found.timeout) not in (int, float) or not 0 < found.timeout <= 86400:
        raise UsageError(f"timeout is a number of seconds, not {found.timeout!r}")
    return found


def start(model: Model, *, engine_args: Mapping[str, Any], seed: int) -> OpenAiEngine:
    return OpenAiEngine(model, settings(engine_args))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key is for the server that the user named, and a redirect would lose the question."""

    def redirect_request(self, *_: Any) -> None:
        return None


class OpenAiEngine:
    capabilities = KINDS["openai"].capabilities

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.url = settings.base_url.rstrip("/")
        self.key = _key(settings.api_key_env)
        self.headers = {"Content-Type": "application/json"}
        if self.key:
            self.headers["Authorization"] = f"Bearer {self.key}"
        self.opener = urllib.request.build_opener(_NoRedirects)
        self.stopped = threading.Event()
        try:
            self._send("/models", None)
        except urllib.error.HTTPError as error:
            error.close()  # a server without this list is a server all the same
        except ValueError:
            pass  # neither is JSON wanted of it
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"no server answers at {self.url}: {error}") from error

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        self.stopped.clear()
        pool = ThreadPoolExecutor(self.settings.concurrency, thread_name_prefix="ask")
        running: set[Future[Response]] = set()
        try:
            for request in requests:
                running.add(pool.submit(self._answer, request))
                if len(running) >= 2 * self.settings.concurrency:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            self.stopped.set()  # what still runs is not tried again
            pool.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        self.stopped.set()

    def _answer(self, request: Request) -> Response:
        began = time.monotonic()
        try:
            if request.continuation is not None or request.decoding.choices:
                raise EngineError("a served model only generates: nothing scored, no fixed choices")
            answer = self._ask(self._body(request))
            text, count = _read(answer)
        except Exception as error:  # noqa: BLE001 the engine border: it becomes the request's own error
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return Response(request.key, error=self._without_key(reason))
        return Response(request.key, text, token_count=count, seconds=time.monotonic() - began)

    def _body(self, request: Request) -> dict[str, Any]:
        decoding: Decoding = request.decoding
        body: dict[str, Any] = {
            "model": self.model.name,
            "messages": [self._message(message) for message in request.prompt],
            "max_tokens": decoding.max_tokens,
            "temperature": decoding.temperature,
            "seed": decoding.seed,
        }
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        return body

    def _message(self, message: Message) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, Text):
                content.append({"type": "text", "text": part.text})
                continue
            urls = self._frames(part) if isinstance(part, Video) else [_data_url(part)]
            content += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        if all(part["type"] == "text" for part in content):
            # What every server takes, also those that read no pictures.
            return {"role": message.role, "content": "".join(part["text"] for part in content)}
        return {"role": message.role, "content": content}

    def _frames(self, video: Video) -> list[str]:
        count = self.model.checkpoint.frames
        frames = decode_frames(tuple(Frame(video, index, count) for index in range(count)))
        return [_png_url(frame) for frame in frames]

    def _ask(self, body: Mapping[str, Any]) -> Any:
        """Post, again where the server asks for patience; a refusal is raised with its words."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._send("/chat/completions", body)
            except urllib.error.HTTPError as error:
                with error:
                    words = error.read(500).decode(errors="replace").strip()
                if error.code not in TRY_AGAIN or attempt == TRIES:
                    raise EngineError(f"HTTP {error.code}: {words or error.reason}") from error
                patience = _patience(error.headers.get("Retry-After"), attempt)
            except (OSError, http.client.HTTPException):
                if attempt == TRIES:
                    raise
                patience = _patience(None, attempt)
            if self.stopped.wait(patience):
                break
        raise EngineError("the run was broken off")

    def _send(self, path: str, body: Mapping[str, Any] | None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self.headers)
        with self.opener.open(request, timeout=self.settings.timeout) as reply:
            return json.loads(reply.read())

    def _without_key(self, text: str) -> str:
        """Some servers say a wrong key back."""
        return text.replace(self.key, "(the key)") if self.key else text


def _is_address(url: object) -> bool:
    """Without a password or a query: the address is written down, the key is not."""
    try:
        parts = urllib.parse.urlsplit(url if isinstance(url, str) else "")
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(known) and not ("@" in parts.netloc or parts.query or parts.fragment)


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{variable} holds characters that no key has")
    return key


def _read(answer: Any) -> tuple[str, int]:
    """The answer and its number of tokens. Raises `EngineError` where there is none."""
    try:
        choice = answer["choices"][0]
        text, ended = choice["message"]["content"], choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise EngineError(f"not a chat completion: {str(answer)[:300]}") from error
    if not isinstance(text, str) or ended == "content_filter":
        raise EngineError(f"the server gave no answer ({ended})")
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    return text, count if type(count) is int and 0 <= count < 2**31 else 0


def _patience(wanted: str | None, attempt: int) -> float:
    """Seconds until the next try: what the server wants, at most a minute, else 0.5, 1, 2, ..."""
    if wanted and wanted.replace(".", "", 1).isdecimal():
        return min(float(wanted), 60.0)
    return float(0.5 * 2 ** (attempt - 1))


def _data_url(image: Image) -> str:
    """The file's own bytes where servers know the format, else a PNG of the same pixels.

    A camera's orientation tag is what servers differ about, so such a picture is turned here.
    """
    decoded = decode_image(image)  # tells a torn file before the server does
    data = Path(image.source).read_bytes()
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature) and not is_turned(image):
            return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return _png_url(decoded)


def _png_url(picture: Any) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
