from __future__ import annotations

import random
import re

import pytest

from towereval.errors import Unscorable
from towereval.metrics.kie import KieAccuracy, KieF1, normalize_text, parse_answer
from towereval.types import Metric, Response, Sample

pytest.importorskip("rapidfuzz")
REFERENCE = '{"name": "Ana", "sum": "12.50"}'


def values(metric: Metric, text: str, reference: str = REFERENCE) -> tuple[float, ...]:
    sample = Sample("1", "zh", (), references=(reference,))
    return metric.sample(sample, (Response(key="", text=text),))


@pytest.mark.parametrize(
    ("text", "counts", "accuracy"),
    [
        (REFERENCE, (2, 0, 0), 1.0),
        (f"```json\n{REFERENCE}\n```", (2, 0, 0), 1.0),
        ('{"name": "Ann"}', (0, 1, 2), 1 - 7 / 10),
        ("not JSON", (0, 0, 2), 0.0),
        ("", (0, 0, 2), 0.0),
    ],
)
def test_counts_and_accuracy(text: str, counts: tuple[int, ...], accuracy: float) -> None:
    assert values(KieF1(), text) == counts
    assert values(KieAccuracy(), text) == (pytest.approx(accuracy),)


def test_the_corpus_has_the_official_epsilons() -> None:
    assert KieF1().corpus((3.0, 1.0, 1.0), 2) == 3 / (3 + 1 + 1e-6)
    assert KieF1().corpus((0.0, 0.0, 0.0), 1) == 0.0
    assert KieAccuracy().corpus((1.5,), 2) == 1.5 / (2 + 1e-6)


@pytest.mark.parametrize("reference", ["", "{"])
def test_a_broken_reference_is_unscorable(reference: str) -> None:
    with pytest.raises(Unscorable):
        values(KieF1(), REFERENCE, reference)


def test_a_deeply_nested_answer_is_unscorable() -> None:
    with pytest.raises(Unscorable):
        values(KieAccuracy(), '{"a":' * 150 + '"x"' + "}" * 150)


def test_an_answer_nested_beyond_json_is_no_answer() -> None:
    assert parse_answer("[" * 200_000) is None
    assert values(KieF1(), "[" * 200_000) == (0, 0, 2)


def test_marks_are_spaced_as_the_official_expression_does() -> None:
    generator = random.Random(1)
    for _ in range(20_000):
        text = "".join(generator.choice("1a ,. \t") for _ in range(generator.randrange(9)))
        spaced = re.sub(r"(?<![0-9])\s*([,.!?:;])\s*", r"\1 ", text)
        spaced = re.sub("(?<=[0-9])(?=[a-z])|(?<=[a-z])(?=[0-9])", " ", spaced)
        assert normalize_text(text) == re.sub(r"\s+", " ", spaced)
