"""Translated records kept by a reference-free metric's score, as TowerVision's were.

A record's score is its worst text's: one bad turn spoils a conversation. The paper (arXiv
2510.21849, section 3.2) names CometKiwi and the threshold 0.85, not how a long text is scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType

from towereval.corpus.files import read, writing
from towereval.corpus.records import Record
from towereval.corpus.translate import has_words
from towereval.corpus.translated_records import answers_folder
from towereval.errors import DataError, EngineError, UnknownName
from towereval.metrics.comet import COMETKIWI22, XCOMET_XL, Comet, Segment
from towereval.progress import Listener
from towereval.store import Store

METRICS: Mapping[str, Comet] = MappingProxyType(
    {"cometkiwi": COMETKIWI22, "xcomet": replace(XCOMET_XL, reference_free=True)}
)
# Records whose texts are scored together: one start of COMET's process.
ROUND = 50_000


@dataclass(slots=True)
class Kept:
    """Of one language: records that were scored, those that were kept, and the scores' sum."""

    scored: int = 0
    kept: int = 0
    total: float = 0.0

    @property
    def mean(self) -> float:
        return self.total / self.scored

    @property
    def dropped_share(self) -> float:
        return 1 - self.kept / self.scored


@dataclass(slots=True)
class Quality:
    """`untranslated` records are kept as they are: there is nothing to score."""

    signature: str = ""
    languages: dict[str, Kept] = field(default_factory=dict)
    untranslated: int = 0


def find_metric(name: str, checkpoint: str) -> Comet:
    """Raises `UnknownName`."""
    if name not in METRICS:
        raise UnknownName("reference-free metric", name, METRICS)
    return METRICS[name].at(checkpoint) if checkpoint else METRICS[name]


def filter_file(
    file: Path, metric: Comet, least: float, output: Path, listener: Listener
) -> Quality:
    """Write the records whose score is at least that, with it.

    Raises `TowerevalError`; scores are kept beside the output, so the same call goes on.
    """
    found = Quality(metric.identify())
    with Store(answers_folder(output)) as store, writing(output) as writer:
        listener.stage("scoring", None)
        records = (record for _, record in read(file))
        while batch := list(islice(records, ROUND)):
            _score(batch, metric, found.signature, store, listener)
            for record in batch:
                scored = _scored(record, metric, found.signature, store)
                if scored is None:
                    found.untranslated += 1
                    writer.add(record)
                    continue
                score, record = scored
                language = found.languages.setdefault(record.language, Kept())
                language.scored += 1
                language.total += score
                if score >= least:
                    language.kept += 1
                    writer.add(record)
    return found


def _score(
    batch: Sequence[Record], metric: Comet, signature: str, store: Store, listener: Listener
) -> None:
    segments = [segment for record in batch for segment in _segments(record)]
    scores = metric.score_segments(segments, store.segments.keys(signature))
    with closing(store.segments.add(signature, scores)) as stored:
        for _ in stored:
            listener.advance()


def _segments(record: Record) -> Iterator[Segment]:
    """Raises `DataError` where the texts are not those that were translated."""
    if record.translation is None:
        return
    sources = record.translation.source_texts
    if len(sources) != len(record.texts):
        raise DataError(
            f"{record.id}: {len(record.texts)} texts, {len(sources)} source texts: it cannot be"
            " scored"
        )
    for source, text in zip(sources, record.texts, strict=True):
        if has_words(source):
            yield Segment(source.strip(), text.strip(), "")


def _scored(
    record: Record, metric: Comet, signature: str, store: Store
) -> tuple[float, Record] | None:
    """The score and the record with it, None where nothing was translated."""
    scores = []
    for segment in _segments(record):
        score = store.segments.score(signature, segment.key)
        if score is None:
            raise EngineError(f"{record.id}: {metric.name} gave no score")
        scores.append(score)
    if not scores or record.translation is None:
        return None
    marked = replace(record.translation, score=min(scores), score_signature=signature)
    return min(scores), replace(record, translation=marked)
