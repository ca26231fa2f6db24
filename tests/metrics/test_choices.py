"""Which letter an answer chooses by three rules, and what a rotation of the options changes."""

from __future__ import annotations

import pytest

from towereval.errors import DataError, Unscorable
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.choices import OptionAccuracy, chosen_letter, lettered, rotated
from towereval.metrics.contained import ContainedAnswer
from towereval.types import Response, Sample

OPTIONS = {"A": "a teddy bear", "B": "a rabbit", "C": "a cat", "D": "a dog"}


def sample(gold: str = "B", options: tuple[str, ...] = ("house", "dog", "bus")) -> Sample:
    return Sample("s", "en", (), (gold,) if gold else (), options)


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("B.", "B"),
        ("(B)", "B"),
        ("(B).", "B"),
        ("The answer is B", "B"),
        ("Answer:B)", ""),  # no blank before the letter's mark
        ("Option :B", "B"),
        ("A", "A"),
        ("It is A", "A"),
        ("A dog runs fast", "D"),  # an article; the option's text decides
        ("A small animal runs", ""),
        ("A or B", ""),
        ("b", ""),
        ("a cute rabbit", ""),  # "a rabbit" is no part of it
        ("This is A RABBIT!", "B"),  # the A is an article among four words
        ("It shows a rabbit and a cat", ""),
        ("E", "E"),
        ("", ""),
    ],
)
def test_mmbenchs_extraction(answer: str, letter: str) -> None:
    assert chosen_letter(answer, OPTIONS) == letter


@pytest.mark.parametrize(
    ("answer", "centurio", "mmbench", "seedbench"),
    [
        ("B", 1.0, 1.0, 1.0),
        ("b.", 1.0, 0.0, 1.0),
        (" B", 0.0, 1.0, 1.0),
        ("Bus", 1.0, 0.0, 1.0),
        ("dog", 0.0, 1.0, 0.0),
        ("It is B.", 0.0, 1.0, 0.0),
        ("", 0.0, 0.0, 0.0),
    ],
)
def test_three_rules(answer: str, centurio: float, mmbench: float, seedbench: float) -> None:
    rules = (OptionAccuracy("centurio"), OptionAccuracy("mmbench"), OptionAccuracy("seedbench"))
    found = [rule.sample(sample(), [Response("", answer)])[0] for rule in rules]
    assert found == [centurio, mmbench, seedbench]


def test_each_rotation_has_its_letter_and_its_options() -> None:
    """ "dog" is B of house, dog, bus; A of dog, bus, house; C of bus, house, dog."""
    metric = OptionAccuracy("mmbench", circular=True)

    def score(*answers: str) -> tuple[float, ...]:
        return metric.sample(sample(), [Response("", answer) for answer in answers])

    assert score("B", "A", "C") == (1.0,)
    assert score("dog", "dog", "dog") == (1.0,)
    assert score("B", "A", "B") == (0.0,)
    assert score("B", "B", "B") == (0.0,)


def test_what_cannot_be_judged_is_unscored() -> None:
    with pytest.raises(Unscorable, match="3 options were asked in 2 rotations"):
        OptionAccuracy("centurio", circular=True).sample(sample(), [Response("", "B")] * 2)
    for metric in (OptionAccuracy("centurio"), LabelAccuracy(), ContainedAnswer()):
        with pytest.raises(Unscorable, match="the sample has no"):
            metric.sample(sample(gold=""), [Response("", "B")])


def test_rotations_and_letters() -> None:
    assert [rotated("abc", turns) for turns in range(3)] == [
        ("a", "b", "c"),
        ("b", "c", "a"),
        ("c", "a", "b"),
    ]
    assert lettered(("x", "y")) == "A. x\nB. y"
    with pytest.raises(DataError, match="wanted 2 to 10 options, found 11"):
        lettered("abcdefghijk")
