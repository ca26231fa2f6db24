"""Is a corpus fit to train on? Every record is read, every picture decoded."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from towereval.corpus import files
from towereval.corpus.contamination import Held
from towereval.corpus.duplicates import Duplicates, Places
from towereval.corpus.pictures import Seen, look_at, look_at_clip
from towereval.corpus.records import Record, Slot
from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.metrics.fidelity import verdicts
from towereval.types import digest

# What is kept of each kind of fault; all are counted.
EXAMPLES = 1000
# Answers whose languages are identified together, on all cores.
TOGETHER = 2000
# Pixels; what is smaller, or longer than wide by more, has nothing left after resizing to a tile.
LEAST_SIDE, MOST_ASPECT = 28, 20
_PLACEHOLDERS = tuple(f"<{slot.value}>" for slot in Slot)


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` is a few words, equal for all of its kind."""

    kind: str
    place: str
    detail: str


@dataclass(slots=True)
class Report:
    """`faults` are at most `EXAMPLES` of a kind, `counts` all of them by kind."""

    records: int = 0
    pictures: int = 0
    clips: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)

    def add(self, fault: Fault) -> None:
        self.counts[fault.kind] += 1
        if self.counts[fault.kind] <= EXAMPLES:
            self.faults.append(fault)


@dataclass(frozen=True, slots=True)
class Checks:
    """`folder`: where media are looked for, None: beside each file. `held`: what must not be
    trained on. `identify`: whether answers are in their record's language.
    """

    folder: Path | None = None
    held: Held | None = None
    identify: bool = False
    workers: int = 0


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one record has wrong by itself, and what it is known by."""

    place: str
    faults: tuple[tuple[str, str], ...]
    id: str = ""
    content: str = ""
    language: str = ""
    answers: str = ""
    pictures: int = 0
    clips: int = 0


def validate(paths: Sequence[Path], checks: Checks, advance: Callable[[], None]) -> Report:
    """Raises `DataError` for a file that cannot be read, `MissingExtra` where no identifier of
    languages is installed; faults of rows are in the report.
    """
    report, places, ids, contents = Report(), Places(), Duplicates(), Duplicates()
    said: list[_Looked] = []
    for path in paths:
        places.begin(path)
        for number, looked in _looked(path, checks):
            report.records += 1
            report.pictures += looked.pictures
            report.clips += looked.clips
            for kind, detail in looked.faults:
                report.add(Fault(kind, looked.place, detail))
            if looked.id:
                places.add(number)
                ids.add(looked.id.encode("utf-8", errors="replace"))
                contents.add(looked.content.encode())
            if checks.identify and looked.language in LANGUAGES:
                said.append(looked)
            if len(said) == TOGETHER:
                _identify(said, report)
                said = []
            advance()
    _identify(said, report)
    for kind, duplicates in (("id not unique", ids), ("same content twice", contents)):
        for later, first in duplicates.found():
            report.add(Fault(kind, places.of(later), f"as {places.of(first)}"))
    return report


def _identify(said: Sequence[_Looked], report: Report) -> None:
    """What is too short to tell, or as likely in another language, is no fault."""
    asked = [(one.language, one.answers) for one in said]
    for one, verdict in zip(said, verdicts(asked) if asked else (), strict=True):
        if verdict.right is False:
            detail = f"the answer is taken for {verdict.language}, the record says {one.language}"
            report.add(Fault("wrong language", one.place, detail))


def _looked(path: Path, checks: Checks) -> Iterator[tuple[int, _Looked]]:
    """Records in their order, looked at in threads: decoding is done outside of Python's lock."""
    workers = checks.workers or os.cpu_count() or 1
    folder = checks.folder or path.parent
    running: deque[tuple[int, Future[_Looked]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="look") as pool:
        rows = files.read_all(path)
        while True:
            for number, found in islice(rows, max(0, 4 * workers - len(running))):
                place = f"{path}:{number}"
                running.append((number, pool.submit(_look, found, place, folder, checks.held)))
            if not running:
                return
            number, future = running.popleft()
            yield number, future.result()


def _look(found: Record | DataError, place: str, folder: Path, held: Held | None) -> _Looked:
    if isinstance(found, DataError):
        return _Looked(place, (("not a record", str(found).removeprefix(f"{place}: ")),))
    faults = [*_faults(found)]
    seen: list[Seen] = []
    for picture in found.images:
        try:
            seen.append(look_at(picture, folder))
        except DataError as error:
            faults.append(("picture cannot be read", str(error)))
    for one in seen:
        width, height = one.pixels.size
        if min(width, height) < LEAST_SIDE or max(width, height) > MOST_ASPECT * min(width, height):
            faults.append(("picture too small or too long", f"{width}x{height} pixels"))
    if found.video is not None:
        try:
            seen.append(look_at_clip(found.video, folder))
        except DataError as error:
            faults.append(("clip cannot be read", str(error)))
    if held is not None:
        for overlap in held.overlaps(seen, found.texts):
            kind = f"in an evaluation set: {overlap.kind}"
            faults.append((kind, f"{overlap.place}: {overlap.detail}"))
    shown = [one.sha256 for one in seen]
    clips = int(found.video is not None)
    said = [(turn.role, turn.text) for turn in found.messages]
    # What cannot be seen is not known to be the same.
    whole = len(shown) == len(found.images) + clips
    content = digest([said, shown]) if whole else place
    answers = "\n".join(turn.text for turn in found.messages if turn.role == "assistant")
    known = (found.id, content, found.language, answers)
    return _Looked(place, tuple(faults), *known, len(found.images), clips)


def _faults(record: Record) -> Iterator[tuple[str, str]]:
    """What is wrong with a conversation before anything is decoded."""
    if record.language not in LANGUAGES or record.language == "und":
        yield "unknown language", repr(record.language)
    slots = Counter(p for turn in record.messages for p in turn.parts if isinstance(p, Slot))
    media = {Slot.IMAGE: len(record.images), Slot.VIDEO: int(record.video is not None)}
    for slot, count in media.items():
        if slots[slot] != count:
            detail = f"{slots[slot]} places for {count} {slot.value}s"
            yield "placeholders do not match media", detail
    if any(mark in text for text in record.texts for mark in _PLACEHOLDERS):
        yield "placeholders do not match media", "a text holds one, which a tokenizer would read"
    yield from _faults_of_turns(record)


def _faults_of_turns(record: Record) -> Iterator[tuple[str, str]]:
    roles = [turn.role for turn in record.messages]
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    if not spoken or len(spoken) % 2 or spoken != ["user", "assistant"] * (len(spoken) // 2):
        yield "roles do not alternate", " ".join(roles) or "no message"
    for number, turn in enumerate(record.messages, start=1):
        if turn.role == "assistant" and not turn.text.strip():
            yield "empty answer", f"message {number}"
        elif turn.role == "user" and not turn.parts:
            yield "empty question", f"message {number}"
        if turn.role != "user" and any(isinstance(part, Slot) for part in turn.parts):
            yield "placeholders do not match media", f"message {number}: the {turn.role} shows one"
