"""Requests made ready ahead of an engine: decoded in threads, then processed in one, in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from towereval.engines.prompts import Decoded, Decoders
from towereval.types import Request

# So many are decoded, processed or being so: a large photograph takes 36 MB.
AHEAD = 48


@dataclass(frozen=True, slots=True)
class Ready:
    """A processed prompt, or the reason why there is none."""

    prompt: Any = None
    continuation_tokens: int = 0
    error: str = ""


class Ahead:
    """Draws at most AHEAD requests ahead of those that were taken.

    Requests are drawn and taken in the caller's thread. `render` runs in one thread alone and in
    the order of the requests: vLLM keeps a cache of pictures on either side of its engine's border,
    which must see them in one order, and neither is safe to share between threads.
    """

    def __init__(
        self, requests: Iterable[Request], decoders: Decoders, render: Callable[[Decoded], Ready]
    ) -> None:
        self._source = iter(requests)
        self._decoders = decoders
        self._render = render
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="render")
        self._coming: deque[tuple[Request, Future[Ready]]] = deque()
        self._drawing = True

    def more(self) -> bool:
        """Draw what may be drawn; whether anything is to be taken."""
        while self._drawing and len(self._coming) < AHEAD:
            if (request := next(self._source, None)) is None:
                self._drawing = False
                break
            wait = self._decoders.submit(request)
            self._coming.append((request, self._thread.submit(self._process, wait)))
        return bool(self._coming)

    def take(self, most: int, patience: float | None) -> list[tuple[Request, Ready]]:
        """The next requests, as many as are ready within `patience` seconds; None waits for all."""
        until = None if patience is None else time.monotonic() + patience
        taken: list[tuple[Request, Ready]] = []
        while self._coming and len(taken) < most:
            request, coming = self._coming[0]
            try:
                left = None if until is None else max(0.0, until - time.monotonic())
                ready = coming.result(left)
            except TimeoutError:
                break
            self._coming.popleft()
            taken.append((request, ready))
        return taken

    def between(self, do: Callable[[], None]) -> None:
        """Do it in the thread that renders, after what is queued there."""
        self._thread.submit(do)

    def stop(self) -> bool:
        """End both threads; whether something had been drawn that nobody took."""
        self._decoders.close()
        self._thread.shutdown(cancel_futures=True)
        return bool(self._coming)

    def _process(self, wait: Callable[[], Decoded]) -> Ready:
        return self._render(wait())
