"""A public English benchmark in other languages: one file a language, in the form of local data.

    DIR/en.jsonl, DIR/de.jsonl, ...    the same rows in the same order, in the original's columns
    DIR/images/                        the pictures, once for all languages
    DIR/translation.json               who translated, how far two translators agree
    DIR/flagged.jsonl                  items on which they agree less than was asked

Ids, answers and all columns that are no text stay as they are. Source: LRM-LLaVA translates MME,
POPE, SEED-Bench and MMBench into nine languages; its data are not published.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO, TypeAlias

from towereval.corpus.agreement import Agreement
from towereval.corpus.benchmark_sets import BenchmarkSet
from towereval.corpus.translate import (
    Passage,
    Translated,
    Translator,
    check_languages,
    find_translator,
    translate,
)
from towereval.data.media import write_atomically
from towereval.errors import DataError, UsageError
from towereval.progress import Listener
from towereval.types import Source

ENGLISH = "en"
Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Job:
    """`least`: BLEU below which an item is flagged; needs a `second` translator."""

    name: str
    set: BenchmarkSet
    source: Source
    languages: tuple[str, ...]
    first: Translator
    second: Translator | None = None
    least: float | None = None
    limit: int | None = None


@dataclass(slots=True)
class Built:
    """By language; `reasons` of rows that are missing, or that the second translator has not
    (`unpaired`); `failed` of them may be asked again.
    """

    rows: int = 0
    translated: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    unpaired: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    flagged: Counter[str] = field(default_factory=Counter)
    agreements: dict[str, Agreement] = field(default_factory=dict)

    def miss(self, counts: Counter[str], one: Translated[Row]) -> None:
        counts[one.passage.language] += 1
        self.reasons[one.reason] += 1
        self.failed += one.failed


def build(job: Job, output: Path, listener: Listener) -> Built:
    """Raises `TowerevalError`; the same call asks only what has no answer yet."""
    check_languages(job.languages)
    if not job.languages or ENGLISH in job.languages:
        raise UsageError("--to names the languages to translate into, without en")
    for sentence, known in job.set.fixed.items():
        if unknown := [code for code in job.languages if code not in known]:
            raise UsageError(f"{job.name}: {sentence!r} has no fixed translation into {unknown[0]}")
    names = [find_translator(one)[0] for one in (job.first, job.second) if one is not None]
    built = Built()
    try:
        (output / "images").mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = {
                code: stack.enter_context(_lines(output / f"{code}.jsonl.part"))
                for code in (ENGLISH, *job.languages, "flagged")
            }
            for first, second in _both(job, output, listener):
                _write(job, built, files, first, second, output)
        for code in (ENGLISH, *job.languages, "flagged"):
            part = output / f"{code}.jsonl.part"
            part.replace(part.with_suffix(""))
        _write_report(job, built, names, output)
    except OSError as error:
        raise DataError(f"{output}: cannot be written: {error}") from error
    return built


def _lines(file: Path) -> TextIO:
    return file.open("w", encoding="utf-8", errors="replace", newline="\n")


def _both(
    job: Job, output: Path, listener: Listener
) -> Iterator[tuple[Translated[Row], Translated[Row] | None]]:
    """One engine after the other: each is asked all before it gives its first translation."""

    def passages() -> Iterator[Passage[Row]]:
        for index, row in _rows(job):
            texts = tuple(text for _, text in _texts(job.set, row, job.name))
            for language in job.languages:
                yield Passage(str(index), ENGLISH, language, texts, row)

    def by(translator: Translator, folder: str) -> Iterator[Translated[Row]]:
        return translate(
            passages, translator, output.with_name(f"{output.name}.{folder}"), listener
        )

    ours = by(job.first, "answers")
    if job.second is None:
        yield from ((one, None) for one in ours)
    else:
        yield from zip(ours, by(job.second, "second-answers"), strict=True)


def _rows(job: Job) -> Iterator[tuple[int, Row]]:
    count = 0
    for index, row in job.source.rows(job.set.dataset):
        try:
            wanted = job.set.has(row)
        except DataError as error:
            raise DataError(f"{job.name}: {error}") from error
        if wanted:
            if job.limit is not None and count >= job.limit:
                return
            count += 1
            yield index, row
    if not count:
        raise DataError(f"{job.name}: the data have no row to translate")


def _texts(known: BenchmarkSet, row: Row, name: str) -> Iterator[tuple[tuple[str, int], str]]:
    """What is translated of a row, by column and place in the column, without fixed sentences."""
    for column in known.texts:
        if column not in row:
            raise DataError(f"{name}: the data has no column {column!r}; it has {', '.join(row)}")
        value = row[column]
        for place, text in enumerate(value if isinstance(value, list) else [value]):
            if text is None or text in known.kept or text != text:  # a table's missing text is NaN
                continue
            if not isinstance(text, str):
                raise DataError(f"{name}: column {column}: wanted a text, found {text!r:.40}")
            for sentence in known.fixed:
                text = text.replace(sentence, "")
            yield (column, place), text


def _write(
    job: Job,
    built: Built,
    files: Mapping[str, TextIO],
    one: Translated[Row],
    other: Translated[Row] | None,
    output: Path,
) -> None:
    language, row = one.passage.language, one.passage.about
    if language == job.languages[0]:
        built.rows += 1
        _add(files[ENGLISH], _with_files(job, row, output))
    if other is not None and other.reason:
        built.miss(built.unpaired, other)
    if one.reason:
        built.miss(built.missing, one)
        return
    built.translated[language] += 1
    _add(files[language], _with_files(job, _translated_row(job.set, row, one, job.name), output))
    if other is None or other.reason:
        return
    agreement = built.agreements.setdefault(language, Agreement(language))
    bleu = agreement.add(one.passage.texts, one.texts, other.texts)
    if job.least is not None and bleu < job.least:
        built.flagged[language] += 1
        item = {"language": language, "row": one.passage.id, "bleu": round(bleu, 2)}
        texts = {"english": one.passage.texts, "first": one.texts, "second": other.texts}
        _add(files["flagged"], {**item, **texts})


def _translated_row(known: BenchmarkSet, row: Row, one: Translated[Row], name: str) -> Row:
    language = one.passage.language
    changed = {key: list(value) if isinstance(value, list) else value for key, value in row.items()}
    places = (place for place, _ in _texts(known, row, name))
    for (column, place), text in zip(places, one.texts, strict=True):
        old = row[column][place] if isinstance(row[column], list) else row[column]
        ends = [known.fixed[sentence][language] for sentence in known.fixed if sentence in old]
        whole = " ".join([text.strip(), *ends]) if ends else text
        if isinstance(row[column], list):
            changed[column][place] = whole
        else:
            changed[column] = whole
    return changed


def _with_files(job: Job, row: Row, output: Path) -> Row:
    """The row with its pictures' names in place of the pictures."""
    changed = dict(row)
    for column in job.set.dataset.media:
        value = row.get(column)
        if value is None:
            continue
        if isinstance(value, list):
            changed[column] = [_keep(job.source, one, output) for one in value]
        else:
            changed[column] = _keep(job.source, value, output)
    return changed


def _keep(source: Source, value: object, output: Path) -> str:
    image = source.image(value)
    if not image.sha256:
        raise DataError(f"{image.source}: no such picture")
    name = f"images/{image.sha256}{Path(image.source).suffix}"
    if not (output / name).exists():
        part = output / f"{name}.part"
        shutil.copyfile(image.source, part)
        part.replace(output / name)
    return name


def _add(file: TextIO, row: Row) -> None:
    file.write(json.dumps(row, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: object) -> str:
    """Dates and the like as texts. Raises `DataError` for bytes, which no text holds."""
    if isinstance(value, bytes):
        raise DataError("a column holds bytes: name it among the media")
    return str(value)


def _write_report(job: Job, built: Built, names: Sequence[str], output: Path) -> None:
    languages: dict[str, Any] = {}
    for code in job.languages:
        languages[code] = {"translated": built.translated[code], "missing": built.missing[code]}
        if agreement := built.agreements.get(code):
            languages[code] |= {
                "bleu": agreement.bleu,
                "signature": agreement.signature,
                "unpaired": built.unpaired[code],
                "flagged": built.flagged[code],
            }
    report = {
        "schema": 1,
        "benchmark": job.name,
        "dataset": {"repo": job.set.dataset.repo, "split": job.set.dataset.split},
        "translators": list(names),
        "translated_columns": list(job.set.texts),
        "rows": built.rows,
        "least_bleu": job.least,
        "languages": languages,
        "reasons": dict(built.reasons.most_common()),
    }
    text = json.dumps(report, ensure_ascii=False, indent=1) + "\n"
    write_atomically(output / "translation.json", text.encode("utf-8", errors="replace"))
