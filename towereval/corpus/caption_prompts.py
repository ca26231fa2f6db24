"""Instructions that ask for a caption, seven a language, and which one a caption is paired with.

Source: TowerVision (arXiv 2510.21849), appendix A.5, with straight apostrophes. The paper has them
for nine languages; its Portuguese is the European one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType

from towereval.corpus.files import read, writing
from towereval.corpus.records import Record, Turn
from towereval.errors import DataError, UsageError
from towereval.types import Text

_ENGLISH = (
    "Describe this image.",
    "What can you see in this picture?",
    "Tell me what's in this image.",
    "Explain what this image shows.",
    "Caption this image.",
    "What's happening in this picture?",
    "Provide a description of this image.",
)
_PORTUGUESE = (
    "Descreva esta imagem.",
    "O que consegue ver nesta fotografia?",
    "Diga-me o que está nesta imagem.",
    "Explique o que esta imagem mostra.",
    "Legende esta imagem.",
    "O que se passa nesta fotografia?",
    "Forneça uma descrição desta imagem.",
)
_FRENCH = (
    "Décrivez cette image.",
    "Que pouvez-vous voir sur cette photo?",
    "Dites-moi ce qu'il y a dans cette image.",
    "Expliquez ce que cette image montre.",
    "Légendez cette image.",
    "Que se passe-t-il sur cette photo?",
    "Fournissez une description de cette image.",
)
_DUTCH = (
    "Beschrijf deze afbeelding.",
    "Wat zie je op deze foto?",
    "Vertel me wat er op deze afbeelding staat.",
    "Leg uit wat deze afbeelding laat zien.",
    "Onderschrift deze afbeelding.",
    "Wat gebeurt er op deze foto?",
    "Geef een beschrijving van deze afbeelding.",
)
_GERMAN = (
    "Beschreiben Sie dieses Bild.",
    "Was können Sie auf diesem Foto sehen?",
    "Sagen Sie mir, was auf diesem Bild zu sehen ist.",
    "Erklären Sie, was dieses Bild zeigt.",
    "Beschriften Sie dieses Bild.",
    "Was passiert auf diesem Foto?",
    "Geben Sie eine Beschreibung dieses Bildes.",
)
_SPANISH = (
    "Describe esta imagen.",
    "¿Qué puedes ver en esta foto?",
    "Dime qué hay en esta imagen.",
    "Explica qué muestra esta imagen.",
    "Pon un título a esta imagen.",
    "¿Qué está pasando en esta foto?",
    "Proporciona una descripción de esta imagen.",
)
_ITALIAN = (
    "Descrivi questa immagine.",
    "Cosa puoi vedere in questa foto?",
    "Dimmi cosa c'è in questa immagine.",
    "Spiega cosa mostra questa immagine.",
    "Dai un titolo a questa immagine.",
    "Cosa sta succedendo in questa foto?",
    "Fornisci una descrizione di questa immagine.",
)
_KOREAN = (
    "이 이미지를 설명해주세요.",
    "이 사진에서 무엇을 볼 수 있나요?",
    "이 이미지에 무엇이 있는지 알려주세요.",
    "이 이미지가 보여주는 것을 설명해주세요.",
    "이 이미지에 캡션을 달아주세요.",
    "이 사진에서 무슨 일이 일어나고 있나요?",
    "이 이미지에 대한 설명을 제공해주세요.",
)
_CHINESE = (
    "描述这张图片。",
    "你能在这张照片中看到什么？",
    "告诉我这张图片里有什么。",
    "解释这张图片展示了什么。",
    "为这张图片添加说明。",
    "这张照片中发生了什么？",
    "提供这张图片的描述。",
)

BANKS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "en": _ENGLISH,
        "pt": _PORTUGUESE,
        "pt-PT": _PORTUGUESE,
        "fr": _FRENCH,
        "nl": _DUTCH,
        "de": _GERMAN,
        "es": _SPANISH,
        "it": _ITALIAN,
        "ko": _KOREAN,
        "zh": _CHINESE,
        "zh-Hans": _CHINESE,
    }
)


def read_banks(file: Path) -> dict[str, Sequence[str]]:
    """The paper's and those of a JSON file, {language: [instruction, ...]}; raises `UsageError`."""
    try:
        own = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"--banks {file}: {error}") from error
    if not isinstance(own, dict) or not all(map(_is_bank, own.values())):
        raise UsageError(f'--banks {file}: wanted {{"ru": ["...", ...]}}, no empty text')
    return {**BANKS, **own}


def _is_bank(bank: object) -> bool:
    if not isinstance(bank, list) or not bank:
        return False
    return all(isinstance(one, str) and one.strip() for one in bank)


def pair_file(
    file: Path, banks: Mapping[str, Sequence[str]], seed: int, output: Path, *, again: bool
) -> Mapping[str, int]:
    """Write the file with an instruction where a picture has a caption and nobody asks for it.

    `again`: also in place of what asks for it now. By language how many were paired. Raises
    `DataError` for a language without a bank.
    """
    counts: Counter[str] = Counter()
    with writing(output) as writer:
        for number, record in read(file):
            if not _is_caption(record, again):
                writer.add(record)
                continue
            if record.language not in banks:
                known = ", ".join(sorted(banks))
                raise DataError(
                    f"{file}:{number}: no caption instructions in {record.language!r}; there are"
                    f" some in {known}; --banks FILE adds others"
                )
            counts[record.language] += 1
            try:
                writer.add(paired(record, banks, seed))
            except DataError as error:
                raise DataError(f"{file}:{number}: {error}") from error
    return counts


def paired(record: Record, banks: Mapping[str, Sequence[str]], seed: int) -> Record:
    """The caption's record with the instruction that (seed, id) draws, after the picture.

    Of a translated one the same instruction stands before translation. Raises `DataError` where the
    language it was translated from has none.
    """
    bank = banks[record.language]
    place = drawn(record, seed) % len(bank)
    slots = [part for turn in record.messages for part in turn.parts if not isinstance(part, Text)]
    question = Turn("user", (*slots, Text(bank[place])))
    messages = (*_system(record), question, record.messages[-1])
    translation = record.translation
    if translation is not None:
        before = banks.get(translation.source_language, ())
        if place >= len(before):
            raise DataError(f"no such caption instruction in {translation.source_language!r}")
        if len(translation.source_texts) != len(record.texts):
            raise DataError("not as many texts as before its translation")
        head = sum(isinstance(part, Text) for turn in _system(record) for part in turn.parts)
        tail = len(record.texts) - sum(isinstance(one, Text) for one in record.messages[-1].parts)
        texts = translation.source_texts
        translation = replace(
            translation, source_texts=(*texts[:head], before[place], *texts[tail:])
        )
    return replace(record, messages=messages, translation=translation)


def drawn(record: Record, seed: int) -> int:
    """A number that the seed and the record's id draw."""
    return int.from_bytes(sha256(f"{seed} {record.id}".encode("utf-8", "replace")).digest(), "big")


def _system(record: Record) -> Iterator[Turn]:
    return (turn for turn in record.messages if turn.role == "system")


def _is_caption(record: Record, again: bool) -> bool:
    """One answer about something shown, and no question yet."""
    answers = [turn for turn in record.messages if turn.role == "assistant"]
    asked = [turn for turn in record.messages if turn.role == "user"]
    if not (record.images or record.video) or len(answers) != 1 or len(asked) > 1:
        return False
    last = record.messages[-1] is answers[0]
    return last and (again or not any(turn.text.strip() for turn in asked))
