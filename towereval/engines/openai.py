"""Any server that speaks OpenAI's chat completions: `--engine openai --engine-args base_url=URL`.

The key is read from the environment variable that `api_key_env` names (OPENAI_API_KEY), and is
never stored. Pictures travel as they are, frames of clips as PNG.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from towereval.data.media import decode_frames, decode_image
from towereval.engines import KINDS
from towereval.errors import EngineError, TowerevalError, UsageError
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


def start(model: Model, *, engine_args: Mapping[str, Any], seed: int) -> OpenAiEngine:
    known = {"base_url", "api_key_env", "concurrency", "timeout"}
    if unknown := set(engine_args) - known:
        raise UsageError(f"the openai engine knows {', '.join(sorted(known))}, not {unknown.pop()}")
    if "base_url" not in engine_args:
        raise UsageError("the openai engine wants --engine-args base_url=http://HOST:PORT/v1")
    return OpenAiEngine(model, Settings(**engine_args))


class OpenAiEngine:
    capabilities = KINDS["openai"].capabilities

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.url = settings.base_url.rstrip("/")
        if urllib.parse.urlsplit(self.url).scheme not in ("http", "https"):
            raise UsageError(f"base_url is an http address, not {settings.base_url!r}")
        self.headers = {"Content-Type": "application/json"}
        if key := os.environ.get(settings.api_key_env):
            self.headers["Authorization"] = f"Bearer {key}"
        try:
            self._send("/models", None)
        except urllib.error.HTTPError:
            pass  # a server without this list is a server all the same
        except (OSError, http.client.HTTPException) as error:
            raise EngineError(f"no server answers at {self.url}: {error}") from error

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
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
            pool.shutdown(wait=True, cancel_futures=True)

    def close(self) -> None:
        pass

    def _answer(self, request: Request) -> Response:
        began = time.monotonic()
        try:
            answer = self._ask(self._body(request))
            choice = answer["choices"][0]
            text = choice["message"]["content"]
            if text is None or choice.get("finish_reason") == "content_filter":
                raise EngineError(f"the server gave no answer ({choice.get('finish_reason')})")
            count = int((answer.get("usage") or {}).get("completion_tokens") or 0)
        except (TowerevalError, OSError, http.client.HTTPException) as error:
            return Response(request.key, error=f"{type(error).__name__}: {error}")
        except (KeyError, IndexError, TypeError, ValueError) as error:
            return Response(request.key, error=f"not a chat completion: {error!r}")
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

    def _ask(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Post, again where the server asks for patience; a refusal is raised with its words."""
        for attempt in range(TRIES):
            try:
                return self._send("/chat/completions", body)
            except urllib.error.HTTPError as error:
                words = error.read(500).decode(errors="replace").strip()
                if error.code not in TRY_AGAIN or attempt == TRIES - 1:
                    raise EngineError(f"HTTP {error.code}: {words}") from error
                time.sleep(_patience(error.headers.get("Retry-After"), attempt))
            except (OSError, http.client.HTTPException):
                if attempt == TRIES - 1:
                    raise
                time.sleep(_patience(None, attempt))
        raise AssertionError("the last attempt returns or raises")

    def _send(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, self.headers)
        with urllib.request.urlopen(request, timeout=self.settings.timeout) as reply:
            answer: dict[str, Any] = json.loads(reply.read())
        return answer


def _patience(wanted: str | None, attempt: int) -> float:
    """Seconds until the next try: what the server wants, at most a minute, else 0.5, 1, 2, ..."""
    if wanted and wanted.replace(".", "", 1).isdigit():
        return min(float(wanted), 60.0)
    return float(0.5 * 2**attempt)


def _data_url(image: Image) -> str:
    """The file's own bytes where servers know the format, else a PNG of the same pixels."""
    decoded = decode_image(image)  # tells a torn file before the server does
    data = Path(image.source).read_bytes()
    for signature, kind in SIGNATURES.items():
        if data.startswith(signature):
            return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
    return _png_url(decoded)


def _png_url(picture: Any) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
