"""The nouns of an evaluation and who speaks to whom. Standard library only.

    task --samples--> Sample --requests--> Request --engine--> Response --metric--> Score
    --summary--> Result

A task names no model and a model adapter names no task: a request carries its whole content, so it
can be stored, hashed, sent again and answered by any engine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Protocol, Self, TypeAlias, runtime_checkable

# --- what a model is shown ---


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture by reference: `source` is a file, `sha256` is of its encoded bytes.

    Both are "" for a picture that a log speaks of but does not hold.
    """

    source: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Video:
    """A clip by reference; `Checkpoint.frames` says how much of it a model is shown."""

    source: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Frame:
    """One of `count` uniformly sampled frames of a video, for a model that reads pictures only."""

    video: Video
    index: int
    count: int


Part: TypeAlias = Text | Image | Video


@dataclass(frozen=True, slots=True)
class Message:
    role: Literal["system", "user", "assistant"]
    parts: tuple[Part, ...]


Prompt: TypeAlias = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """One item of a benchmark.

    `id` is unique within task, variant and language and stable across versions.
    `cluster` names what must be resampled together: the picture, or the item parallel across
    languages.
    """

    id: str
    language: str
    prompt: Prompt
    references: tuple[str, ...]
    choices: tuple[str, ...] = ()
    group: str = ""
    cluster: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)


# --- what is asked and answered ---


@dataclass(frozen=True, slots=True)
class Decoding:
    """What the task asks is what the engine does, whatever a model's generation config says."""

    max_tokens: int
    temperature: float = 0.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """A prompt to be answered or, with a `continuation`, a text whose log-probability is asked.

    `respondent` is the digest of everything on the model's side that can change the answer
    (`Respondent.digest`).
    """

    sample_id: str
    prompt: Prompt
    decoding: Decoding
    continuation: str | None = None
    respondent: str = ""

    @property
    def key(self) -> str:
        """Hash of all content, not of where files lie: equal keys are equal questions."""
        decoding = fields_of(self.decoding)
        return digest([self.respondent, _content(self.prompt), decoding, self.continuation])

    @property
    def media(self) -> tuple[Image | Video, ...]:
        return tuple(
            part for message in self.prompt for part in message.parts if not isinstance(part, Text)
        )


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, or the reason why there is none: a failed request is never "" and never a score.

    `logprob` (natural log, summed) and `token_count` are those of the continuation when one was
    asked, else `token_count` counts the generated tokens.
    """

    key: str
    text: str = ""
    logprob: float | None = None
    token_count: int = 0
    error: str = ""
    seconds: float = 0.0


# --- what is scored ---


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's statistics of one sample; they add up, so any subset or resample has a value.

    `unscored` is the reason why there are none. `failed` tells a failed request from a sample that
    the metric cannot judge. `remark` is what the task says of the sample (`meta["remark"]`): a
    row's note counts them.
    """

    sample_id: str
    language: str
    group: str
    cluster: str
    metric: str
    values: tuple[float, ...] = ()
    unscored: str = ""
    failed: bool = False
    remark: str = ""


# Which values are better; neither: a trait of the answers, such as how often they say yes, which is
# shown and never ranked, averaged or gated.
Better: TypeAlias = Literal["larger", "smaller", "neither"]
# What is said of it after a metric's name.
WAYS: Mapping[Better, str] = {
    "larger": "",
    "smaller": ", smaller is better",
    "neither": ", neither way is better",
}


class Metric(Protocol):
    """`mean`: the value is the mean of one statistic, else any function of summed statistics.

    `scale` is the largest possible value, the best where `better` is "larger": 1 for accuracies and
    F1, 100 for BLEU and chrF.
    """

    @property
    def name(self) -> str: ...
    @property
    def signature(self) -> str: ...
    @property
    def scale(self) -> float: ...
    @property
    def mean(self) -> bool: ...
    @property
    def better(self) -> Better: ...

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        """Statistics of one sample, whose responses come in the order of its requests.

        An empty tuple where the metric is not meant for such a sample. Raises `Unscorable`.
        """

    def corpus(self, total: Sequence[float], count: int) -> float:
        """The value of `count` >= 1 samples whose statistics sum to `total`."""


# What gives a sample's statistics from its cleaned answers; raises `Unscorable`.
SampleScorer: TypeAlias = Callable[[Sample, Sequence[Response]], tuple[float, ...]]


@runtime_checkable
class RemarkingScorer(Protocol):
    """A `SampleScorer` that also says in words what it found; a row's note counts the remarks."""

    def __call__(self, sample: Sample, responses: Sequence[Response], /) -> tuple[float, ...]: ...

    def remark(self, sample: Sample) -> str:
        """ "" where there is nothing to say. For samples that were scored."""


@runtime_checkable
class JudgedMetric(Metric, Protocol):
    """A metric that asks another model: `sample` is then given that model's verdict alone."""

    def question(self, sample: Sample, responses: Sequence[Response]) -> Request | None:
        """What the judge is asked, None where the metric is not meant for such a sample."""


@runtime_checkable
class DifferenceMetric(Metric, Protocol):
    """A mean of differences, within the scale on either side of zero, between two answers to each
    sample.
    """

    @property
    def minuend(self) -> str:
        """What the second answer's score is taken from."""


@runtime_checkable
class AsideMetric(Metric, Protocol):
    """A metric of how an answer is, not how good: `compare` gates it only where it is named."""

    @property
    def aside(self) -> bool: ...


@runtime_checkable
class PrintedMetric(Metric, Protocol):
    """A metric of which another value than the largest is printed as 100: of CIDEr it is 1."""

    @property
    def hundred(self) -> float: ...


class Segment(Protocol):
    """What one score of a learned metric depends on."""

    @property
    def key(self) -> str: ...


@runtime_checkable
class LearnedMetric(Metric, Protocol):
    """A metric whose one statistic a model of its own gives, many samples at a time.

    `identify` finds that model and gives the signature under which scores can be kept.
    """

    def at(self, model: str) -> Self:
        """The same metric by another checkpoint: a hub id or a path."""

    def identify(self) -> str: ...

    def segment(self, sample: Sample, responses: Sequence[Response]) -> Segment:
        """Raises `Unscorable`."""

    def score_segments(
        self, segments: Iterable[Any], known: Container[str] = ...
    ) -> Iterator[tuple[str, float]]:
        """Keys and scores of the segments that are not known. Raises `TowerevalError`."""


@runtime_checkable
class CorpusMetric(Metric, Protocol):
    """A metric that weighs or reads all samples of a task together, such as CIDEr."""

    def over(self, answered: Iterable[tuple[Sample, Sequence[Response]]]) -> SampleScorer:
        """What scores those samples, one language apart from another; a failed one's answers come
        as "".
        """


# --- what a benchmark is ---


@dataclass(frozen=True, slots=True)
class Dataset:
    """One split of a data set on the hub, and what its files are called in a local folder.

    `media` names the columns that hold pictures or clips.
    """

    repo: str
    split: str
    config: str = ""
    revision: str = "main"
    media: tuple[str, ...] = ()


class Source(Protocol):
    """Where rows come from: the hub, a folder, a log."""

    def rows(self, dataset: Dataset) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Rows with their index in the split. Raises `DataError`."""

    def image(self, value: object) -> Image:
        """The picture in a row's field: bytes, a hub image or a path. Raises `DataError`."""

    def video(self, value: object) -> Video:
        """The clip in a row's field: a path within the data set. Raises `DataError`."""


class Task(Protocol):
    """One variant of a benchmark: whose protocol, in which languages, judged by which metrics.

    `version` moves when a number could move.
    """

    @property
    def name(self) -> str: ...
    @property
    def variant(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def languages(self) -> tuple[str, ...]: ...
    @property
    def metrics(self) -> tuple[Metric, ...]: ...
    @property
    def needs(self) -> frozenset[str]:
        """The engine capabilities without which it cannot be run."""

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]: ...

    def requests(self, sample: Sample) -> Iterator[Request]: ...


# --- what a model is ---


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`images`: most pictures in one prompt; `frames`: how many frames of a clip are shown, and
    `frame_size` their longer side in pixels where a picture model is shown them (0: as they are).

    `repo` "" means that the adapter builds the weights itself. `architectures`: what config.json
    may call its class, () for any. `remote_code`: it needs code from its own repository.
    `engines`: those that run it, () for all. `unserved`: why none does.
    """

    repo: str
    revision: str = "main"
    licence: str = ""
    dtype: str = "bfloat16"
    context_length: int = 0
    reads_video: bool = False
    images: int = 1
    frames: int = 8
    frame_size: int = 0
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    architectures: tuple[str, ...] = ()
    remote_code: bool = False
    engines: tuple[str, ...] = ()
    unserved: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    """Messages as the chat template wants them, and media in the order of their placeholders."""

    messages: tuple[Mapping[str, Any], ...]
    images: tuple[Image | Frame, ...] = ()
    videos: tuple[Video, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A checkpoint's folder as the engine shall load it; `changes` says what was mended."""

    folder: Path
    changes: tuple[str, ...] = ()


class ModelAdapter(Protocol):
    """What one family of models needs; it knows no batching, no device and no task."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def checkpoints(self) -> Mapping[str, Checkpoint]: ...

    def render(self, prompt: Prompt, checkpoint: Checkpoint) -> Rendered: ...

    def clean(self, text: str) -> str:
        """An answer as it is scored. Stored answers are raw."""

    def prepare(self, folder: Path | None, cache: Path) -> Prepared:
        """Mend a checkpoint that today's libraries would read wrongly. Raises `ModelError`."""


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint found, prepared and ready for an engine; `digest` is of its files."""

    name: str
    adapter: ModelAdapter
    checkpoint: Checkpoint
    folder: Path
    digest: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What an engine did: tokens, and the seconds of its own work and of waiting for media.

    `cached_tokens` of the prompts' tokens were found and not computed again. Zero is also what an
    engine that cannot know it says.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    busy_seconds: float = 0.0
    waiting_seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


class Engine(Protocol):
    """Answers requests, in any order, looking ahead a bounded number of them.

    Capabilities: "generate", "score" (log-probability of a continuation), "choices" (constrained
    decoding). Raises `EngineError` when it can answer no more; what one request does wrong is that
    response's error.
    """

    @property
    def capabilities(self) -> frozenset[str]: ...
    @property
    def usage(self) -> Usage:
        """Since it was started."""

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]: ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Respondent:
    """Everything on the model's side that can change an answer."""

    model: str
    checkpoint: str
    adapter: str
    engine: str
    dtype: str
    engine_args: Mapping[str, Any]
    media: str

    @property
    def digest(self) -> str:
        return digest(asdict(self))


# --- what is published ---


@dataclass(frozen=True, slots=True)
class Result:
    """One leaderboard row.

    language "*" is the unweighted mean over `languages`; group "" is the whole, else a category or
    track.
    `data` is a digest of the language's samples and prompts: other data, another line.
    `value` and the 95% interval are None where nothing could be scored or too few clusters carry an
    interval.
    `n` samples are scored, `n_failed` had a failed request, `n_unscored` were answered but cannot
    be judged. `better` is the metric's.
    """

    task: str
    variant: str
    task_version: int
    split: str
    language: str
    group: str
    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    n: int
    n_failed: int
    n_unscored: int
    signature: str
    run_id: str
    languages: tuple[str, ...] = ()
    note: str = ""
    data: str = ""
    better: Better = "larger"

    @property
    def diagnosis(self) -> bool:
        """Of a variant such as `official+picture-use`, which is no benchmark's and ranks nobody."""
        return "+" in self.variant


def digest(content: object) -> str:
    """SHA-256 of the content's canonical JSON, 64 hexadecimal digits."""
    text = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def fields_of(value: Sample | Request | Decoding) -> dict[str, Any]:
    """Field names and values, one level deep: `asdict` copies all and takes ten times as long."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _content(prompt: Prompt) -> list[object]:
    return [[message.role, [_hashed(part) for part in message.parts]] for message in prompt]


def _hashed(part: Part) -> list[str]:
    if isinstance(part, Text):
        return ["text", part.text]
    return [type(part).__name__, part.sha256]
