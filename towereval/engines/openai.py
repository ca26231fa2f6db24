"""Any server that speaks OpenAI's chat completions: `--engine openai --engine-args base_url=URL`.

The key is read from the environment variable that `api_key_env` names (OPENAI_API_KEY), and is
never stored, nor sent to where a server redirects. Log-probabilities of candidates are asked as
vLLM gives them; a server that has not this extension can only generate.
"""

from __future__ import annotations

import math
import os
import re
import time
import urllib.parse
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from towereval.engines import KINDS
from towereval.engines.connection import Connection, Refused
from towereval.engines.data_urls import FORMATS, DataUrls
from towereval.errors import EngineError, UsageError
from towereval.printable import visible
from towereval.types import Message, Model, Prompt, Request, Response, Text, Usage

CONCURRENCY = 8
# Of a model in the server's list. vLLM's `root` is the folder or hub id behind the name.
STABLE = ("root", "owned_by")
_KEY_ENV = "OPENAI_API_KEY"
# vLLM's extensions without which no candidate can be scored.
_SCORING = {"prompt_logprobs": 0, "return_token_ids": True}
_BEGUN = {"add_generation_prompt": False, "continue_final_message": True}
# Ends at which what was said by then is no answer.
_BROKEN = ("content_filter", "abort", "error")
_CANNOT_SCORE = "this server cannot score candidates: it has not vLLM's prompt_logprobs"


@dataclass(frozen=True, slots=True)
class Settings:
    base_url: str
    api_key_env: str = _KEY_ENV
    concurrency: int = CONCURRENCY
    timeout: float = 600.0
    image_format: str = ""

    def identity(self, name: str) -> dict[str, Any]:
        """What is part of the model: how many requests it is sent at once, say, is not.

        Raises `EngineError` where no server answers: it may hold another model by that name.
        """
        shown = {"image_format": self.image_format} if self.image_format else {}
        listed = self.connection().look("/models")
        told = {"served": entry} if (entry := _entry(listed, name)) else {}
        return {"base_url": self.base_url.rstrip("/"), **shown, **told}

    def connection(self) -> Connection:
        return Connection(self.base_url.rstrip("/"), _key(self.api_key_env), self.timeout)


def settings(engine_args: Mapping[str, Any]) -> Settings:
    """Checked before anything is asked or stored: a key has no place among the arguments. Raises
    `UsageError`.
    """
    known = ("base_url", "api_key_env", "concurrency", "timeout", "image_format")
    if unknown := sorted(set(engine_args) - set(known)):
        raise UsageError(f"the openai engine knows {', '.join(known)}, not {unknown[0]}")
    found = Settings(**{"base_url": "", **engine_args})
    if not _is_address(found.base_url):
        raise UsageError(
            "the openai engine wants base_url=http://HOST:PORT/v1, without user, password or query"
        )
    name = found.api_key_env
    if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name)):
        raise UsageError("api_key_env is the name of an environment variable, never a key")
    if type(found.concurrency) is not int or not 1 <= found.concurrency <= 1000:
        raise UsageError(f"concurrency is from 1 to 1000, not {found.concurrency!r}")
    if type(found.timeout) not in (int, float) or not 0 < found.timeout <= 86400:
        raise UsageError(f"timeout is a number of seconds, not {found.timeout!r}")
    if found.image_format not in FORMATS:
        raise UsageError(f"image_format is png or jpeg, not {found.image_format!r}")
    return found


def start(model: Model, *, engine_args: Mapping[str, Any], seed: int) -> OpenAiEngine:
    return OpenAiEngine(model, settings(engine_args))


class OpenAiEngine:
    capabilities = KINDS["openai"].capabilities

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model, self.concurrency = model, settings.concurrency
        self.connection = settings.connection()
        most = 4 * settings.concurrency
        self.urls = DataUrls(settings.image_format, model.checkpoint.frames, most)
        self._cannot_score = ""
        self.usage = Usage()
        # Candidates of one prompt follow each other.
        self._prompt_tokens = lru_cache(maxsize=most)(self._tokens_of)
        self.connection.check("/models")

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        self.connection.resume()
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="ask")
        running: set[Future[Response]] = set()
        try:
            for request in requests:
                running.add(pool.submit(self._answer, request))
                if len(running) >= 2 * self.concurrency:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from self._counted(done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from self._counted(done)
        except KeyboardInterrupt:
            answered = [future for future in running if future.done()]
            self.connection.stop()
            yield from (future.result() for future in answered)
            raise
        finally:
            self.connection.stop()
            pool.shutdown(wait=True, cancel_futures=True)

    def _counted(self, done: Iterable[Future[Response]]) -> Iterator[Response]:
        for response in (future.result() for future in done):
            if response.logprob is None:
                self.usage += Usage(output_tokens=response.token_count)
            yield response

    def close(self) -> None:
        self.connection.stop()

    def _answer(self, request: Request) -> Response:
        began = time.monotonic()
        try:
            if request.decoding.choices:
                raise EngineError("a served model answers freely, not from fixed choices")
            if request.continuation is not None:
                logprob, count = self._score(request.prompt, request.continuation)
                response = Response(request.key, logprob=logprob, token_count=count)
            else:
                text, count = _answered(self._ask(self._body(request)))
                response = Response(request.key, text, token_count=count)
        except Exception as error:  # noqa: BLE001 the engine border: it becomes the request's own error
            kind = EngineError if isinstance(error, EngineError) else type(error)
            reason = " ".join(f"{kind.__name__}: {error}".split())
            return Response(request.key, error=visible(self.connection.without_key(reason)))
        return replace(response, seconds=time.monotonic() - began)

    def _body(self, request: Request) -> dict[str, Any]:
        decoding = request.decoding
        body: dict[str, Any] = {
            "model": self.model.name,
            "messages": self._messages(request.prompt),
            "max_tokens": decoding.max_tokens,
            "temperature": decoding.temperature,
            "seed": decoding.seed,
        }
        if decoding.stop:
            body["stop"] = list(decoding.stop)
        return body

    def _messages(self, prompt: Prompt) -> list[dict[str, Any]]:
        return [self._message(message) for message in prompt]

    def _message(self, message: Message) -> dict[str, Any]:
        if all(isinstance(part, Text) for part in message.parts):
            # One string is what every server takes, also those that read no pictures.
            text = "".join(part.text for part in message.parts if isinstance(part, Text))
            return {"role": message.role, "content": text}
        content: list[dict[str, Any]] = []
        for part in message.parts:
            if isinstance(part, Text):
                content.append({"type": "text", "text": part.text})
                continue
            urls = self.urls.of(part)
            content += [{"type": "image_url", "image_url": {"url": url}} for url in urls]
        return {"role": message.role, "content": content}

    def _ask(self, body: Mapping[str, Any]) -> Any:
        return self.connection.ask("/chat/completions", body)

    def _score(self, prompt: Prompt, continuation: str) -> tuple[float, int]:
        """The continuation's log-probability and number of tokens, as the other engines count.

        The tokens are those of the begun answer from where they leave the prompt's own: a token
        that straddles the prompt's end belongs to the continuation.
        """
        if continuation != continuation.strip():
            raise EngineError("a chat server may strip the spaces at this candidate's ends")
        before = self._prompt_tokens(prompt)
        begun = [*self._messages(prompt), {"role": "assistant", "content": continuation}]
        tokens, logprobs = self._asked_of_prompt({"messages": begun, **_BEGUN})
        pairs = zip(before, tokens, strict=False)
        common = next((at for at, (one, other) in enumerate(pairs) if one != other), len(before))
        if common < len(before) - 2 or common >= len(tokens):
            raise EngineError(
                "this server cannot score candidates: its chat template renders a begun answer"
                " otherwise than the start of one"
            )
        entries = zip(tokens[common:], logprobs[common:], strict=True)
        total = math.fsum(float(entry[str(token)]["logprob"]) for token, entry in entries)
        if math.isnan(total):
            raise EngineError("the log-probability is not a number")
        return total, len(tokens) - common

    def _tokens_of(self, prompt: Prompt) -> list[int]:
        tokens, _ = self._asked_of_prompt({"messages": self._messages(prompt)})
        return tokens

    def _asked_of_prompt(self, body: Mapping[str, Any]) -> tuple[list[int], list[Any]]:
        """The prompt's tokens, pictures expanded, and the log-probability of each."""
        if self._cannot_score:
            raise EngineError(self._cannot_score)
        question = {"model": self.model.name, "max_tokens": 1, "temperature": 0.0, **_SCORING}
        try:
            answer = self._ask({**question, **body})
        except Refused as refusal:
            if refusal.status in (400, 422) and any(
                n in str(refusal) for n in (*_SCORING, *_BEGUN)
            ):
                self._cannot_score = _CANNOT_SCORE
                raise EngineError(f"{_CANNOT_SCORE} ({refusal})") from refusal
            raise
        _read(answer)
        tokens, logprobs = answer.get("prompt_token_ids"), answer.get("prompt_logprobs")
        if not (tokens and isinstance(tokens, list) and isinstance(logprobs, list)):
            self._cannot_score = _CANNOT_SCORE
            raise EngineError(_CANNOT_SCORE)
        if len(tokens) != len(logprobs):
            raise EngineError(f"{len(logprobs)} log-probabilities of {len(tokens)} tokens")
        return tokens, logprobs


def _is_address(url: object) -> bool:
    """Without a password or a query: the address is written down, the key is not."""
    try:
        parts = urllib.parse.urlsplit(url if isinstance(url, str) else "")
        known = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        return False
    return bool(known) and not ("@" in parts.netloc or parts.query or parts.fragment)


def _entry(listed: Any, name: str) -> dict[str, str]:
    """What the server's list says of the model and says again: vLLM's `created` is the time now."""
    try:
        (entry,) = (one for one in listed["data"] if one["id"] == name)
        return {key: entry[key] for key in STABLE if isinstance(entry.get(key), str)}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _key(variable: str) -> str:
    key = os.environ.get(variable, "").strip()
    if not key and variable != _KEY_ENV:
        # Not named: whoever takes it for the key's own place would see the key in a log.
        raise UsageError("the environment variable that api_key_env names is not set")
    if not (key.isascii() and key.isprintable()):
        raise UsageError(f"{variable} holds characters that no key has")
    return key


def _answered(answer: Any) -> tuple[str, int]:
    """The answer and its number of tokens. Raises `EngineError` where there is none.

    A model may end without a word, which is an answer; one that was cut before its first did not
    say it, and one that called a tool said it elsewhere.
    """
    text, count, ended = _read(answer)
    if not text and ended == "length":
        raise EngineError(
            "the server gave no answer (length): all tokens that it may have were used up before"
            " its first word, as by thinking; switch the server's thinking off"
        )
    if not text and ended in ("tool_calls", "function_call"):
        raise EngineError(f"the server gave no answer ({ended})")
    return text, count


def _read(answer: Any) -> tuple[str, int, Any]:
    """A completion's text, number of tokens and `finish_reason`. Raises `EngineError`."""
    try:
        choice = answer["choices"][0]
        message, ended = choice["message"], choice.get("finish_reason")
        text, refusal = message["content"], message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise EngineError(f"not a chat completion: {str(answer)[:300]}") from error
    if not isinstance(text, str) or ended in _BROKEN or refusal:
        raise EngineError(f"the server gave no answer ({refusal or ended})")
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else 0
    return text, count if type(count) is int and 0 <= count < 2**31 else 0, ended
