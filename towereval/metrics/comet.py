"""COMET and xCOMET, scored by upstream's unbabel-comet in an environment of its own.

https://github.com/Unbabel/COMET. XCOMET-XL and wmt22-cometkiwi-da are CC-BY-NC-SA 4.0 and gated on
the hub, wmt22-comet-da is Apache-2.0. Without the environment nothing is scored: no other metric
ever stands in. An empty translation gets the score that the model gives it, as upstream; a text
longer than the model reads is cut, as upstream, and counted in a warning.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
from collections import deque
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

from towereval.data.media import cache_folder, write_atomically
from towereval.environments import COMET_PYTHON, JsonProcess, ProcessDied, comet_python
from towereval.errors import EngineError, ModelError, Unscorable, UsageError
from towereval.types import Better, Response, Sample, digest

NOT_INSTALLED = "not installed; run: towereval setup comet"
WORKER = Path(__file__).with_name("comet_worker.py")
# A worker that dies this often without having scored anything in between is given up.
DEATHS = 3

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Segment:
    """What one score depends on. `reference` is "" for a reference-free model."""

    source: str
    translation: str
    reference: str

    @property
    def key(self) -> str:
        return digest([self.source, self.translation, self.reference])

    @property
    def length(self) -> int:
        return len(self.source) + len(self.translation) + len(self.reference)


Batch: TypeAlias = Mapping[str, Segment]


@dataclass(frozen=True, slots=True)
class Comet:
    """`model`: a hub id, a folder laid out as on the hub, or a .ckpt file two folders below its
    hparams.yaml. xCOMET scores with and without references: `reference_free` chooses.

    The signature holds the checkpoint's digest and the libraries' versions once `identify` was
    called; `score_segments` does so.
    """

    name: str = "xcomet_xl"
    model: str = "Unbabel/XCOMET-XL"
    reference_free: bool = False
    dtype: str = "float32"
    batch_size: int = 16

    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def __post_init__(self) -> None:
        if self.dtype not in ("float32", "float16"):  # bfloat16 moves xCOMET by up to 0.04
            raise UsageError(f"{self.name}: dtype {self.dtype!r}; float32 and float16 score")

    @property
    def signature(self) -> str:
        """As last identified on this machine; `sha256:unknown` before."""
        try:
            record = json.loads(self._record().read_text(encoding="utf-8"))
        except (OSError, ValueError):
            record = {"sha256": "unknown", "versions": {}}
        parts = {
            "model": Path(self.model).absolute().name if _is_local(self.model) else self.model,
            "sha256": record["sha256"],
            "references": "no" if self.reference_free else "yes",
            "dtype": self.dtype,
            "batch": self.batch_size,
            **record["versions"],
        }
        return "|".join([self.name, *(f"{name}:{value}" for name, value in parts.items())])

    def at(self, model: str) -> Comet:
        return replace(self, model=model)

    def identify(self) -> str:
        """Find the checkpoint, download it where the hub has it and we do not, and hash it: the
        signature under which scores can be kept.

        Takes a second; a file that has not changed since is not read again. Raises `UsageError`
        when COMET is not installed and `ModelError` when there is no such checkpoint.
        """
        python = installed()
        found = _ask(python, "identify", self.model)
        if "error" in found:
            raise ModelError(f"{self.name}: {_one_line(found['error'])}")
        if "missing" in found:
            raise UsageError(f"{python} has no {found['missing']}; run: towereval setup comet")
        file = self._record()
        try:
            known = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            known = {}
        status = Path(found["checkpoint"]).stat()
        stamp = [found["checkpoint"], status.st_size, status.st_mtime_ns, status.st_ino]
        sha256 = known["sha256"] if known.get("stamp") == stamp else _sha256(found["checkpoint"])
        record = {"stamp": stamp, "sha256": sha256, "versions": found["versions"]}
        if record != known:
            write_atomically(file, json.dumps(record).encode())
        return self.signature

    def segment(self, sample: Sample, responses: Sequence[Response]) -> Segment:
        """Raises `Unscorable` without a source text or, where references are read, without exactly
        one.
        """
        if not sample.meta.get("source"):
            raise Unscorable("the sample has no source text")
        source, translation = sample.meta["source"], responses[0].text
        if self.reference_free:
            return Segment(source, translation, "")
        references = [reference for reference in sample.references if reference]
        if len(references) != 1:
            raise Unscorable(
                f"one reference translation is needed, the sample has {len(references)}"
            )
        return Segment(source, translation, references[0])

    def score_segments(
        self, segments: Iterable[Segment], known: Container[str] = frozenset()
    ) -> Iterator[tuple[str, float]]:
        """Each different segment's key and score, batch by batch as they come, longest first.

        Which segments share a batch moves a score by some 1e-7 and depends on the set of `segments`
        only: always pass all of a run's, and in `known` the keys whose scores you kept from an
        earlier call with the same set and signature. A batch is left out when all its keys are
        known, and else scored whole, so that however often it was stopped the numbers are the same
        to the last bit.

        A worker that dies is started again, and `EngineError` raised after three deaths without a
        score in between. Raises `UsageError` when COMET is not installed, `ModelError` when the
        checkpoint cannot be found or loaded; what was given until then holds.
        """
        todo = deque(
            batch
            for batch in batches(segments, self.batch_size)
            if not all(key in known for key in batch)
        )
        if not todo:
            return
        self.identify()
        total, cut, deaths = sum(map(len, todo)), 0, 0
        while todo:
            with closing(JsonProcess(self._command())) as worker:
                try:
                    for answer in _answers(worker, list(todo), self.reference_free):
                        cut, deaths = cut + answer["cut"], 0
                        yield from zip(todo.popleft(), answer["scores"], strict=True)
                except ProcessDied as death:
                    deaths += 1
                    if deaths == DEATHS:
                        raise EngineError(
                            f"{self.name}: the worker {death}, {deaths} times"
                        ) from death
                    _log.warning("%s: the worker %s; starting it again", self.name, death)
                except (EngineError, ModelError) as error:
                    raise type(error)(f"{self.name}: {error}") from error
        if cut:
            _log.warning("%s: %d of %d segments were longer than it reads", self.name, cut, total)

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        """One sample alone, which starts a worker; a run scores by `score_segments`."""
        segment = self.segment(sample, responses)
        try:
            ((_, score),) = self.score_segments([segment])
        except UsageError as error:
            raise Unscorable(str(error)) from error
        return (score,)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count

    def _command(self) -> list[str]:
        record = json.loads(self._record().read_text(encoding="utf-8"))
        references = "no" if self.reference_free else "yes"
        return _command(installed(), "score", record["stamp"][0], self.dtype, references)

    def _record(self) -> Path:
        model = str(Path(self.model).absolute()) if _is_local(self.model) else self.model
        name = digest([model, os.environ.get(COMET_PYTHON, "")])
        return cache_folder() / "comet" / f"{name}.json"


XCOMET_XL = Comet()
COMET22 = Comet("comet22", "Unbabel/wmt22-comet-da")
COMETKIWI22 = Comet("cometkiwi22", "Unbabel/wmt22-cometkiwi-da", reference_free=True)


def installed() -> Path:
    """The interpreter that has unbabel-comet. Raises `UsageError` with what to run."""
    python = comet_python()
    if python is None:
        raise UsageError(NOT_INSTALLED)
    return python


def batches(segments: Iterable[Segment], size: int) -> list[Batch]:
    """Different segments by key, longest first: what does not fit in memory fails at once."""
    found = {segment.key: segment for segment in segments}
    order = sorted(found, key=lambda key: (-found[key].length, key))
    return [
        {key: found[key] for key in order[first : first + size]}
        for first in range(0, len(order), size)
    ]


def _answers(
    worker: JsonProcess, todo: Sequence[Batch], reference_free: bool
) -> Iterator[dict[str, Any]]:
    """One for each batch, in order. One batch is sent ahead, so that the worker never waits.

    Raises `ProcessDied`, `ModelError` when the model cannot be loaded, `EngineError` when it cannot
    score a batch.
    """

    def send(batch: Batch) -> None:
        fields = 2 if reference_free else 3
        worker.send([[s.source, s.translation, s.reference][:fields] for s in batch.values()])

    ready = worker.receive()
    if "error" in ready:
        raise ModelError(_one_line(ready["error"]))
    ahead = iter(todo)
    for batch in islice(ahead, 2):
        send(batch)
    for _ in todo:
        answer = worker.receive()
        if "error" in answer:
            raise EngineError(_one_line(answer["error"]))
        for batch in islice(ahead, 1):
            send(batch)
        yield answer


def _ask(python: Path, *arguments: str) -> dict[str, Any]:
    """One answer of a worker of its own; what it writes to stderr, as of a download, is seen."""
    done = subprocess.run(_command(python, *arguments), stdout=subprocess.PIPE, check=False)
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise EngineError(f"{python} {WORKER} ended with status {done.returncode}") from error
    return answer


def _command(python: Path, *arguments: str) -> list[str]:
    # -I: nothing of our own environment is found.
    return [str(python), "-I", "-W", "ignore", str(WORKER), *arguments]


def _is_local(model: str) -> bool:
    return Path(model).exists()


def _sha256(file: str) -> str:
    with Path(file).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:600]
