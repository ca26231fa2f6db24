"""One vLLM engine a replica, on this machine or on a Ray cluster, over one stream.

The driver hands out runs of neighbours, so a picture's questions meet in one replica, and keeps
each replica a little fuller than its engine's window. It alone knows what is answered: a replica
that dies is replaced and what it still owed is asked again. A request is asked alone once two
replicas died over it, and fails if a third does, with all others about its pictures: one bad
picture costs its own answers and three replicas.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from towereval.engines import KINDS
from towereval.engines.ahead import AHEAD
from towereval.engines.vllm import WINDOW
from towereval.errors import EngineError, UsageError
from towereval.types import Image, Model, Request, Response, Usage, Video

CHUNK = 32
# What a replica is given to do: its engine must never wait for the driver.
OWED = WINDOW + AHEAD + 2 * CHUNK
# So many deaths in a row, without one answer in between, are not a request's fault.
MOST_DEATHS = 5
MOST_DEATHS_ALONE = 10
STRIKES = 2


@dataclass(frozen=True, slots=True)
class Layout:
    """Where replicas run: `address` "" is this machine; `patience` is in seconds."""

    replicas: int = 1
    address: str = ""
    patience: float = 900.0
    tensor_parallel_size: int = 1


def start(model: Model, *, engine_args: Mapping[str, Any], seed: int) -> RayEngine:
    return RayEngine(model, engine_args=engine_args, seed=seed)


class Replica:
    """A process of its own: an engine that is fed from a queue, whose answers are fetched."""

    def __init__(self, model: Model, engine_args: Mapping[str, Any], seed: int) -> None:
        from towereval.engines.vllm import VllmEngine

        self._engine = VllmEngine(model, engine_args=engine_args, seed=seed)
        self._asked: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._answered: queue.SimpleQueue[Response | EngineError] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True).start()

    def ready(self) -> int:
        return os.getpid()

    def exchange(self, requests: Sequence[Request], *, last: bool) -> tuple[list[Response], Usage]:
        """Take more to do, give what was answered since: at least one unless that takes long.

        `last`: nothing more comes for now, so the engine shall not wait for it.
        """
        for request in requests:
            self._asked.put(request)
        if last:
            self._asked.put(None)
        found: list[Response] = []
        with suppress(queue.Empty):
            while len(found) < 2 * CHUNK:
                # A little is gathered: each call costs the driver a message.
                one = self._answered.get(timeout=0.05 if found else 0.5)
                if isinstance(one, EngineError):
                    raise one
                found.append(one)
        return found, self._engine.usage

    def _work(self) -> None:
        try:
            while True:
                for response in self._engine.run(iter(self._asked.get, None)):
                    self._answered.put(response)
        except Exception as error:  # noqa: BLE001 the engine border: the driver is told
            self._answered.put(EngineError(f"{type(error).__name__}: {error}"))


@dataclass(slots=True)
class Seat:
    """A replica as the driver sees it: one call at a time, begun at `since`.

    `alone`: it is given one suspect request and nothing else. `drains`: its engine was told not to
    wait for more.
    """

    actor: Any
    owed: dict[str, Request] = field(default_factory=dict)
    call: Any = None
    since: float = 0.0
    alone: bool = False
    drains: bool = False
    usage: Usage = field(default_factory=Usage)


class RayEngine:
    capabilities = KINDS["ray"].capabilities

    def __init__(self, model: Model, *, engine_args: Mapping[str, Any], seed: int) -> None:
        self.layout, rest = layout(engine_args)
        self._ray = _connect(self.layout)
        self._arguments = (model, rest, seed)
        self._deaths = self._deaths_alone = 0
        self._deadly: set[tuple[Image | Video, ...]] = set()
        self._spent = Usage()  # by the dead
        self._strikes: dict[str, int] = {}
        self._again: deque[Request] = deque()
        try:
            self._check_room()
            self.seats = [Seat(self._hire()) for _ in range(self.layout.replicas)]
            self._await_all()
        except BaseException:
            self.close()
            raise

    @property
    def usage(self) -> Usage:
        """Of all replicas, those that died included: their seconds add up past the clock's."""
        return sum((seat.usage for seat in self.seats), self._spent)

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        stream = chunks(requests)
        while True:
            for seat in self.seats:
                if seat.call is None:
                    yield from self._fill(seat, stream)
            if not any(seat.owed for seat in self.seats):
                return
            yield from self._collect()

    def close(self) -> None:
        self._ray.shutdown()

    def _fill(self, seat: Seat, stream: Iterator[list[Request]]) -> Iterator[Response]:
        """Give a replica its share, and ask for its answers where it owes any.

        What shows a picture that took a replica down is answered here, by an error.
        """
        share: list[Request] = []
        more = True
        while more and not seat.alone and len(seat.owed) < OWED:
            chunk = self._next(seat, stream)
            more = bool(chunk)
            for request in chunk:
                if request.media in self._deadly:
                    seat.alone = False
                    yield Response(request.key, error="its picture took three replicas down")
                else:
                    share.append(request)
                    seat.owed[request.key] = request
        if seat.owed:
            # Told once that nothing more comes; what comes after all begins anew.
            last = (not more or seat.alone) and (bool(share) or not seat.drains)
            seat.drains = last or (seat.drains and not share)
            seat.call, seat.since = seat.actor.exchange.remote(share, last=last), time.monotonic()

    def _next(self, seat: Seat, stream: Iterator[list[Request]]) -> list[Request]:
        """What was owed by the dead comes first; nothing: there is no more for this seat."""
        if not self._again:
            return next(stream, [])
        if self._strikes[self._again[0].key] >= STRIKES:
            if seat.owed:
                return []
            seat.alone = True
        return [self._again.popleft()]

    def _collect(self) -> Iterator[Response]:
        """What the first replicas to answer have answered; the dead are replaced."""
        calls = [seat.call for seat in self.seats if seat.call is not None]
        done, _ = self._ray.wait(calls, timeout=1.0)
        for seat in list(self.seats):
            silent = time.monotonic() - seat.since
            if seat.call in done:
                try:
                    responses, seat.usage = self._ray.get(seat.call)
                except (self._ray.exceptions.RayError, EngineError) as error:
                    yield from self._replace(seat, " ".join(str(error).split())[:300])
                    continue
                seat.call = None
                for response in responses:
                    seat.owed.pop(response.key, None)
                    self._deaths = self._deaths_alone = 0
                    yield response
                seat.alone = seat.alone and bool(seat.owed)
            elif seat.call is not None and silent > self.layout.patience:
                yield from self._replace(seat, f"silent for {silent:.0f} s")

    def _replace(self, seat: Seat, reason: str) -> Iterator[Response]:
        """A new replica in the dead one's seat; what that owed is asked again."""
        owed = list(seat.owed.values())
        for request in owed:
            self._strikes[request.key] = self._strikes.get(request.key, 0) + 1
        if seat.alone:
            self._deaths_alone += 1
            for request in owed:
                if request.media:
                    self._deadly.add(request.media)
                error = f"the replica died {self._strikes[request.key]} times over it: {reason}"
                yield Response(request.key, error=error)
            owed = []
        else:
            self._deaths += 1
        if self._deaths >= MOST_DEATHS or self._deaths_alone >= MOST_DEATHS_ALONE:
            deaths = self._deaths + self._deaths_alone
            raise EngineError(f"{deaths} replicas died without an answer; the last: {reason}")
        self._again.extend(owed)
        self._spent += seat.usage
        self._ray.kill(seat.actor)
        fresh = Seat(self._hire())
        self.seats[self.seats.index(seat)] = fresh

    def _hire(self) -> Any:
        share = self.layout.tensor_parallel_size
        resources = {"num_gpus": share} if self._has_gpus() else {"num_cpus": share}
        actor = self._ray.remote(**resources)(Replica)
        return actor.remote(*self._arguments)

    def _has_gpus(self) -> bool:
        return bool(self._ray.cluster_resources().get("GPU"))

    def _check_room(self) -> None:
        """Raises `UsageError` where not all replicas can be placed: Ray would wait for a node."""
        kind = "GPU" if self._has_gpus() else "CPU"
        wanted = self.layout.replicas * self.layout.tensor_parallel_size
        if (there := self._ray.cluster_resources().get(kind, 0)) < wanted:
            asked = f"{self.layout.replicas} replicas of {self.layout.tensor_parallel_size} {kind}"
            raise UsageError(f"{asked} need {wanted} {kind}, there are {there:.0f}")

    def _await_all(self) -> None:
        """Raises `EngineError` when one does not start."""
        signs = [seat.actor.ready.remote() for seat in self.seats]
        ready, silent = self._ray.wait(signs, num_returns=len(signs), timeout=self.layout.patience)
        try:
            self.processes = tuple(self._ray.get(ready))
        except self._ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())[-300:]
            raise EngineError(f"a replica cannot start: {reason}") from error
        if silent:
            raise EngineError(
                f"{len(silent)} of {len(signs)} replicas did not start within"
                f" {self.layout.patience:.0f} s"
            )


def layout(engine_args: Mapping[str, Any]) -> tuple[Layout, dict[str, Any]]:
    """The replicas' layout, and what is left for each one's engine. Raises `UsageError`."""
    rest = dict(engine_args)
    found = Layout(
        replicas=rest.pop("replicas", 1),
        address=rest.pop("address", ""),
        patience=rest.pop("patience", 900.0),
        tensor_parallel_size=rest.get("tensor_parallel_size", 1),
    )
    for name in ("replicas", "tensor_parallel_size"):
        number = getattr(found, name)
        if not isinstance(number, int) or number < 1:
            raise UsageError(f"{name} is a number of 1 or more, not {number!r}")
    return found, rest


def chunks(requests: Iterable[Request]) -> Iterator[list[Request]]:
    """Neighbours in lists of about CHUNK; those that show the same media stay together."""
    chunk: list[Request] = []
    for request in requests:
        full = len(chunk) >= CHUNK and request.media != chunk[-1].media
        if full or len(chunk) >= WINDOW:
            yield chunk
            chunk = []
        chunk.append(request)
    if chunk:
        yield chunk


def _connect(plan: Layout) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    settings: dict[str, Any] = {"address": plan.address}
    if not plan.address:
        settings = {"address": "local", "include_dashboard": False}
    try:
        _knock(plan.address)
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **settings)
    except (RuntimeError, ValueError, OSError) as error:
        raise EngineError(f"Ray cannot be reached: {error}") from error
    return ray


def _knock(address: str) -> None:
    """Ray itself tries an address where nobody listens for minutes. Raises OSError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()
