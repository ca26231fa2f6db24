"""The three instructions on a question that has an English parallel."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from towereval.errors import DataError
from towereval.train import formats
from towereval.train.data import PLACE, Record, Turn
from towereval.train.recipe import Formats

GERMAN = Record(
    "vqa",
    "de",
    (Turn("user", f"{PLACE}Welche Farbe hat der Hund?"), Turn("assistant", "Er ist braun.")),
)
ENGLISH = Record(
    "vqa",
    "en",
    (Turn("user", f"{PLACE}What colour is the dog?"), Turn("assistant", "It is brown.")),
)


def said(record: Record) -> list[str]:
    return [line for turn in record.turns for line in turn.text.split("\n")]


def test_multilingual_is_as_it_is() -> None:
    assert formats.mvqa(GERMAN, ENGLISH, Random(0)) == GERMAN


def test_english_pivot_answers_with_the_english_question_first() -> None:
    question, instruction, pivot, answer = said(formats.epvqa(GERMAN, ENGLISH, Random(0)))
    assert question == GERMAN.turns[0].text
    assert "English" in instruction
    assert "German" in instruction
    assert (pivot, answer) == ("What colour is the dog?", "Er ist braun.")


def test_bilingual_asks_in_one_and_answers_in_the_other() -> None:
    found = {tuple(said(formats.bvqa(GERMAN, ENGLISH, Random(seed)))) for seed in range(40)}
    pairs = {(question, answer) for question, _, answer in found}
    assert pairs == {
        (GERMAN.turns[0].text, "It is brown."),
        (ENGLISH.turns[0].text, "Er ist braun."),
    }
    for _, instruction, answer in found:
        assert ("English" if answer == "It is brown." else "German") in instruction


def test_formats_have_their_shares_and_are_the_same_again() -> None:
    shares = Formats(mvqa=0.6, epvqa=0.2, bvqa=0.2)
    drawn = [formats.asked_as(GERMAN, ENGLISH, shares, str(i)) for i in range(2000)]
    kinds = Counter(
        "mvqa" if one == GERMAN else "epvqa" if one.turns[1].text.count("\n") else "bvqa"
        for one in drawn
    )
    assert kinds["mvqa"] / 2000 == pytest.approx(0.6, abs=0.03)
    assert kinds["epvqa"] / 2000 == pytest.approx(0.2, abs=0.03)
    assert drawn[7] == formats.asked_as(GERMAN, ENGLISH, shares, "7")


def test_a_parallel_of_another_length_is_refused() -> None:
    longer = Record("vqa", "en", (*ENGLISH.turns, *ENGLISH.turns))
    with pytest.raises(DataError, match="differ in turns"):
        formats.bvqa(GERMAN, longer, Random(0))
