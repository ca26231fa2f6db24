"""How a question with an English parallel is asked: three instructions, each a pure function.

Source: LRM-LLaVA (multilingual, English-pivot and bilingual visual question answering);
its prompts are not published, so the instructions here are the project's own. No loss is added:
all three are learned as any answer is.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from towereval.errors import DataError
from towereval.languages import LANGUAGES
from towereval.train.data import PLACE, Record, Turn
from towereval.train.recipe import Formats

PIVOT = (
    "First translate the question into English, then answer it in {language}.",
    "Write the question in English, then give your answer in {language}.",
    "Translate what is asked into English. Then answer in {language}.",
)
CROSS = (
    "Answer in {language}.",
    "Give your answer in {language}.",
    "Reply to this question in {language}.",
)


def mvqa(record: Record, english: Record, random: Random) -> Record:
    """Question and answer in the record's language."""
    return record


def epvqa(record: Record, english: Record, random: Random) -> Record:
    """Every answer begins with its question in English, on a line of its own."""
    instruction = random.choice(PIVOT).format(language=LANGUAGES[record.language].english)
    turns, asked = [], ""
    for turn, other in _pairs(record, english):
        if turn.role == "user":
            asked = other.text
            turn = replace(turn, text=f"{turn.text}\n{instruction}")
        elif turn.role == "assistant":
            turn = replace(turn, text=f"{_words(asked)}\n{turn.text}")
        turns.append(turn)
    return replace(record, turns=tuple(turns))


def bvqa(record: Record, english: Record, random: Random) -> Record:
    """Asked in one of the two languages and answered in the other; which, is drawn."""
    to_english = random.random() < 0.5
    answers = "en" if to_english else record.language
    instruction = random.choice(CROSS).format(language=LANGUAGES[answers].english)
    turns = []
    for turn, other in _pairs(record, english):
        said = other if to_english == (turn.role == "assistant") else turn
        if turn.role == "user":
            said = replace(said, text=f"{said.text}\n{instruction}")
        turns.append(said)
    return replace(record, turns=tuple(turns))


def asked_as(record: Record, english: Record, formats: Formats, key: str) -> Record:
    """The record in one of the formats, which its key decides by their shares."""
    random = Random(key)
    weights = (formats.mvqa, formats.epvqa, formats.bvqa)
    (form,) = random.choices((mvqa, epvqa, bvqa), weights)
    return form(record, english, random)


def _pairs(record: Record, english: Record) -> list[tuple[Turn, Turn]]:
    roles = [[turn.role for turn in each.turns] for each in (record, english)]
    if roles[0] != roles[1]:
        raise DataError(f"a record in {record.language} and its English parallel differ in turns")
    return list(zip(record.turns, english.turns, strict=True))


def _words(text: str) -> str:
    return text.replace(PLACE, "").strip()
