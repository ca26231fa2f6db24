"""lmms-eval's tasks here: their documents, prompts, decoding and scores, all the rest ours.

`lmms:NAME` is a task that `lmms-eval --tasks NAME` would run, `lmms:FOLDER/NAME` one of a folder
that its `--include_path` would name. A worker process in lmms-eval's own environment
(`towereval setup lmms-eval`) serves it, and runs its code.

A task's variant has lmms-eval's version and a digest of the task's files, so another prompt is
another line. What the worker said of a task is kept in the cache: a finished run is compared and
published without it.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from towereval.bridges.lmms_languages import languages_of
from towereval.bridges.lmms_scores import Aggregated, Kind
from towereval.data.folder import FolderSource
from towereval.data.hub import HubSource
from towereval.data.media import cache_folder, video_file, write_atomically
from towereval.environments import LMMS_EVAL, JsonProcess, ProcessDied, python_of
from towereval.errors import DataError, EngineError, UsageError
from towereval.types import (
    Better,
    Decoding,
    Image,
    Message,
    Metric,
    Part,
    Prompt,
    Request,
    Sample,
    Source,
    Text,
    digest,
)

SCHEME = "lmms"
NOT_INSTALLED = "lmms-eval is not installed; run: towereval setup lmms-eval"
WORKER = Path(__file__).with_name("lmms_worker.py")
PAGE = 32


@dataclass(frozen=True, slots=True)
class About:
    """What the worker said of a task. `include`: folders besides lmms-eval's own."""

    name: str
    include: tuple[str, ...]
    version: str
    task_version: str
    files: tuple[str, ...]
    files_digest: str
    column: str
    codes: Mapping[str, str]
    filters: tuple[str, ...]
    metrics: tuple[Mapping[str, Any], ...]

    def ask(self, what: str, **more: Any) -> dict[str, Any]:
        """Raises `UsageError` where lmms-eval is missing, `DataError` for what is refused."""
        if digest_of(self.files) != self.files_digest:
            raise DataError(f"{SCHEME}:{self.name}: its files have changed since: run it again")
        named = {"task": self.name, "include": list(self.include), "files": self.files_digest}
        return ask(what, **named, **more)


@dataclass(frozen=True, slots=True)
class LmmsTask:
    """One of their tasks; `version` stays, since the variant moves with the task's files."""

    about: About
    version: ClassVar[int] = 1
    needs: ClassVar[frozenset[str]] = frozenset({"generate"})

    @property
    def name(self) -> str:
        return f"{SCHEME}:{self.about.name}"

    @property
    def variant(self) -> str:
        return f"lmms-eval-{self.about.version}-{self.about.files_digest[:8]}"

    @property
    def languages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.about.codes.values()))

    @property
    def metrics(self) -> tuple[Metric, ...]:
        about = self.about
        found: list[Metric] = []
        parts = (f"lmms-eval:{about.version}", f"task:{about.task_version or '-'}")
        for metric in about.metrics:
            for name in about.filters:
                theirs = metric["name"] if name == "none" else f"{metric['name']}.{name}"
                signature = "|".join([theirs, *parts, f"files:{about.files_digest[:10]}"])
                kind: Kind = "mean" if metric["mean"] else "aggregate"
                better: Better = "larger" if metric["higher"] else "smaller"
                found.append(Aggregated(theirs, theirs, signature, about, kind, better))
                if kind == "aggregate":
                    own, told = f"{theirs}_score", f"{signature}|of:samples"
                    found.append(Aggregated(own, theirs, told, about, "scores", better))
        return tuple(found)

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        data = _folder(source)
        media, first, count = str(cache_folder() / "media"), 0, 1
        while first < count:
            page = self.about.ask("documents", data=data, media=media, first=first, count=PAGE)
            count, first = page["of"], first + PAGE
            for document in page["documents"]:
                language = self._language(document["columns"])
                if language in languages:
                    yield _sample(document, language, page["decoding"], data)

    def requests(self, sample: Sample) -> Iterator[Request]:
        decoding = json.loads(sample.meta["decoding"])
        decoding = Decoding(**{**decoding, "stop": tuple(decoding["stop"])})
        yield Request(sample.id, sample.prompt, decoding)

    def _language(self, columns: Mapping[str, str]) -> str:
        value = columns.get(self.about.column, "") if self.about.column else ""
        if value not in self.about.codes:
            raise DataError(f"column {self.about.column}: {value!r:.60} names no language")
        return self.about.codes[value]


def load_task(reference: str) -> LmmsTask:
    """`NAME`, `FOLDER/NAME`, or `NAME@VARIANT` of a task that was run from here before.

    Raises `UsageError`.
    """
    folder, name, variant = _parts(reference)
    if variant:
        return _known(name, variant)
    include = [folder] if folder else []
    file = _described(name, include)
    task = _read(file)
    if task is None or digest_of(task.about.files) != task.about.files_digest:
        try:
            task = LmmsTask(_about(name, include))
        except DataError as error:
            raise UsageError(str(error)) from error
        content = json.dumps(_plain(task.about)).encode()
        write_atomically(file, content)
        write_atomically(_record(f"{name}@{task.variant}"), content)
    return task


def named(reference: str) -> tuple[str, ...]:
    """A task's reference, or those of the tasks of a group or tag of lmms-eval.

    Raises `UsageError`.
    """
    scheme, _, rest = reference.partition(":")
    folder, name, variant = _parts(rest)
    include = [folder] if folder else []
    if scheme != SCHEME or variant or _described(name, include).is_file():
        return (reference,)
    try:
        tasks = ask("members", task=name, include=include)["tasks"]
    except DataError as error:
        raise UsageError(str(error)) from error
    return tuple(f"{SCHEME}:{folder}/{task}" if folder else f"{SCHEME}:{task}" for task in tasks)


def within(reference: str, folder: Path) -> str:
    """A task's reference with the folder in which it is looked for as well."""
    scheme, colon, rest = reference.partition(":")
    if colon and scheme == SCHEME and "/" not in rest:
        return f"{SCHEME}:{folder.absolute()}/{rest}"
    return reference


def ask(what: str, **question: Any) -> dict[str, Any]:
    """One answer of the worker, which is started at the first question and serves this process.

    Raises `UsageError` where it is not installed, `DataError` for what it refuses and `EngineError`
    when it dies.
    """
    worker = _worker(_python())
    try:
        worker.send({"ask": what, **question})
        answer = worker.receive()
    except ProcessDied as death:
        worker.close()
        _worker.cache_clear()
        raise EngineError(f"lmms-eval's worker {death}") from death
    if "error" in answer:
        told = " ".join(answer["error"].split())[:600]
        raise DataError(f"lmms-eval: {told}" if answer.get("theirs") else told)
    return answer


def digest_of(files: Sequence[str]) -> str:
    """Of their contents and last names: where lmms-eval lies is no part of a task."""
    try:
        contents = [hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in files]
    except OSError:
        return ""
    return digest([[Path(file).name for file in files], contents])


def _about(name: str, include: Sequence[str]) -> About:
    told = ask("describe", task=name, include=list(include))
    column, codes = languages_of(name, told["towereval"])
    files = tuple(told["files"])
    return About(
        name,
        tuple(include),
        told["version"],
        told["task_version"],
        files,
        digest_of(files),
        column,
        codes,
        tuple(told["filters"]),
        tuple(told["metrics"]),
    )


def _folder(source: Source) -> str:
    """The folder that stands in for the hub's data set, "" for the hub: the worker reads either."""
    inner = getattr(source, "source", source)  # a run wraps it, to know which row it is at
    if not isinstance(inner, FolderSource | HubSource):
        raise DataError(f"a {type(inner).__name__} is not where lmms-eval can read from")
    return str(inner.folder.resolve()) if isinstance(inner, FolderSource) else ""


def _sample(
    document: Mapping[str, Any], language: str, decoding: Mapping[str, Any], data: str
) -> Sample:
    prompt = prompt_of(document["messages"])
    pictures = [part for m in prompt for part in m.parts if not isinstance(part, Text)]
    return Sample(
        id=str(document["id"]),
        language=language,
        prompt=prompt,
        references=tuple(document["references"]),
        cluster=" ".join(part.sha256 for part in pictures),
        meta={"decoding": json.dumps(decoding), "data": data},
    )


def prompt_of(messages: Iterable[Mapping[str, Any]]) -> Prompt:
    """From messages as `lmms_media.shown` gives them."""
    return tuple(Message(each["role"], tuple(map(_part, each["parts"]))) for each in messages)


def _part(part: Sequence[str]) -> Part:
    if part[0] == "text":
        return Text(part[1])
    return Image(part[1], part[2]) if part[0] == "image" else video_file(Path(part[1]))


def _known(name: str, variant: str) -> LmmsTask:
    task = _read(_record(f"{name}@{variant}"))
    if task is None:  # run elsewhere: today's is the same one where its variant is
        task = load_task(name)
        if task.variant != variant:
            raise UsageError(
                f"{SCHEME}:{name}@{variant} was never run from here, where lmms-eval's own is"
                f" {task.variant}: name it once with the folder that it is in"
            )
    return task


def _read(file: Path) -> LmmsTask | None:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    lists = ("include", "files", "filters", "metrics")
    return LmmsTask(About(**{**content, **{key: tuple(content[key]) for key in lists}}))


def _parts(reference: str) -> tuple[str, str, str]:
    """Folder, name and variant, "" for none."""
    folder, _, last = reference.rpartition("/")
    name, _, variant = last.partition("@")
    return str(Path(folder).absolute()) if folder else "", name, variant


def _described(name: str, include: Sequence[str]) -> Path:
    return _record(digest([name, list(include), str(_python())]))


def _record(name: str) -> Path:
    return cache_folder() / "lmms-eval" / f"{name}.json"


def _plain(about: About) -> dict[str, Any]:
    return {name: getattr(about, name) for name in About.__slots__}


def _python() -> Path:
    python = python_of(LMMS_EVAL)
    if python is None:
        raise UsageError(NOT_INSTALLED)
    return python


@functools.lru_cache(maxsize=1)
def _worker(python: Path) -> JsonProcess:
    """One for all tasks of this process: it takes seconds to start and half a gigabyte."""
    # -I: nothing of our own environment is found.
    worker = JsonProcess([str(python), "-I", "-W", "ignore", str(WORKER)])
    atexit.register(worker.close)
    return worker
