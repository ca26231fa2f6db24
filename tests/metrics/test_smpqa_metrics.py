"""What is added to SMPQA's own scores: characters of a label that are right, and a bias to yes."""

from __future__ import annotations

import random

import pytest

from towereval.errors import Unscorable
from towereval.metrics.smpqa import CharacterAccuracy, character_accuracy
from towereval.metrics.yes_no import YesNoRate
from towereval.types import Response, Sample

RATE = YesNoRate("words", group="grounding")


def sample(group: str, *references: str) -> Sample:
    return Sample("1", "de", (), references, group=group)


@pytest.mark.parametrize(
    ("answer", "label", "value"),
    [
        ("Mond", "Mond", 1.0),
        ("mond", "Mond", 1.0),
        ("'Mond'.", "Mond", 1.0),
        (" Mond\n", "Mond", 1.0),
        ("Mund", "Mond", 0.75),
        ("Mon", "Mond", 0.75),
        ("Monde", "Mond", 0.75),
        ("Mo", "Mond", 0.5),
        ("omnd", "Mond", 0.5),  # a swap is two
        ("Haus", "Mond", 0.0),
        ("", "Mond", 0.0),
        ("The label is Mond", "Mond", 0.0),
        ("MondMond", "Mond", 0.0),
        ("Bru\u0308cke", "Brücke", 1.0),
        ("STRASSE", "Straße", 1.0),
        ("月亮", "月亮", 1.0),
        ("月光", "月亮", 0.5),
        ("「月亮」", "月亮", 1.0),
        ("चाँद", "चाँद", 1.0),
        ("चाद", "चाँद", 0.75),
        ("พระจันทร์", "พระจันทร์", 1.0),
        ("قمر", "قمر", 1.0),
        ("kupu-kupu", "kupu-kupu", 1.0),
        ("...", "Mond", 0.0),
        ("", "", 1.0),
    ],
)
def test_characters(answer: str, label: str, value: float) -> None:
    assert character_accuracy(answer, label) == pytest.approx(value)


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        *(("yes", 1.0), ("Yes.", 1.0), (" YES, it is", 1.0), ("**Yes**", 1.0), ("no", 0.0)),
        *(("No, the bar is red", 0.0), ("nope", 0.0), ("yesterday", None), ("", None)),
        *(("The answer is yes", None), ("ja", 1.0), ("oui", None), ("是", None)),
    ],
)
def test_yes_is_of_the_answers_that_say_yes_or_no(answer: str, value: float | None) -> None:
    if value is None:
        with pytest.raises(Unscorable, match="neither yes nor no"):
            RATE.sample(sample("grounding", "yes"), [Response("", answer)])
    else:
        assert RATE.sample(sample("grounding", "no"), [Response("", answer)]) == (value,)


def test_each_is_of_its_own_questions() -> None:
    assert CharacterAccuracy().sample(sample("grounding", "yes"), [Response("", "yes")]) == ()
    assert RATE.sample(sample("reading", "Mond"), [Response("", "Mond")]) == ()
    with pytest.raises(Unscorable, match="no label"):
        CharacterAccuracy().sample(sample("reading"), [Response("", "Mond")])


def test_odd_answers_are_between_0_and_1() -> None:
    chance = random.Random(3)
    for _ in range(500):
        answer = "".join(chr(chance.randrange(1, 0x11000)) for _ in range(chance.randrange(30)))
        assert 0 <= character_accuracy(answer, "Brücke") <= 1
    assert character_accuracy("x" * 10_000_000, "Mond") == 0.0
