"""Records in other languages: the same conversation and media, marked with who translated what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from towereval.corpus.files import Writer, read, writing
from towereval.corpus.records import Record, Translation
from towereval.corpus.translate import (
    Passage,
    Translated,
    Translator,
    check_languages,
    find_translator,
    translate,
)
from towereval.progress import Listener


@dataclass(slots=True)
class Counts:
    """By target language; `reasons` of those that are missing, `failed` may be asked again."""

    translated: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    def add(self, one: Translated[Record]) -> None:
        if one.reason:
            self.missing[one.passage.language] += 1
            self.reasons[one.reason] += 1
            self.failed += one.failed
        else:
            self.translated[one.passage.language] += 1


def answers_folder(output: Path) -> Path:
    """Where what a model said for this file is kept, beside it."""
    return output.with_name(f"{output.name}.answers")


def translate_file(
    file: Path, languages: Sequence[str], translator: Translator, output: Path, listener: Listener
) -> Counts:
    """Write each record of the file in each language that is not its own.

    Raises `TowerevalError`; the same call asks only what has no answer yet.
    """
    check_languages(languages)

    def passages() -> Iterator[Passage[Record]]:
        for _, record in read(file):
            check_languages([record.language])
            for language in dict.fromkeys(languages):
                if language != record.language:
                    yield Passage(record.id, record.language, language, record.texts, record)

    name, _ = find_translator(translator)
    counts = Counts()
    folder = answers_folder(output)
    with writing(output) as writer:
        for one in translate(passages, translator, folder, listener):
            counts.add(one)
            _write(writer, one, name)
    return counts


def _write(writer: Writer, one: Translated[Record], model: str) -> None:
    if one.reason:
        return
    record, language = one.passage.about, one.passage.language
    origin = Translation(record.id, record.language, record.texts, model)
    translated = record.with_texts(one.texts)
    writer.add(
        replace(
            translated,
            id=f"{record.id}-{language}",
            language=language,
            origin="translated",
            translation=origin,
        )
    )
