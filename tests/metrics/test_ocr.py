from __future__ import annotations

import pytest

from towereval.errors import Unscorable
from towereval.metrics.ocr import OcrBenchAccuracy, ReadingF1, tokens
from towereval.types import Response, Sample


def ocrbench(rule: str, dataset: str, answer: str, text: str) -> float:
    metric = OcrBenchAccuracy("towervision" if rule == "towervision" else "official")
    sample = Sample("1", "en", (), references=(answer,), meta={"dataset": dataset})
    (value,) = metric.sample(sample, (Response(key="", text=text),))
    return value


@pytest.mark.parametrize(
    ("dataset", "answer", "text", "official", "towervision"),
    [
        ("svt", "Quay", "the QUAY", 1.0, 1.0),
        ("svt", "Quay", "key", 0.0, 0.0),
        ("HME100k", "x ^ 2", "x^2", 1.0, 1.0),
        ("HME100k", "X ^ 2", "X^2", 1.0, 0.0),
        ("HME100k", "x ^ 2", "X^2", 0.0, 1.0),
    ],
)
def test_ocrbench(
    dataset: str, answer: str, text: str, official: float, towervision: float
) -> None:
    assert ocrbench("official", dataset, answer, text) == official
    assert ocrbench("towervision", dataset, answer, text) == towervision


def test_the_rule_is_in_the_signature() -> None:
    assert OcrBenchAccuracy().signature != OcrBenchAccuracy("towervision").signature


def sample(reference: str, **meta: str) -> Sample:
    return Sample("1", "ko", (), references=(reference,), meta=meta)


def test_reading_f1_of_one_picture() -> None:
    (value,) = ReadingF1().sample(sample("a b c"), (Response(key="", text="C x"),))
    assert value == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2), rel=1e-8)
    counts = ReadingF1("micro").sample(sample("a b c"), (Response(key="", text="C x"),))
    assert counts == (1.0, 3.0, 2.0)


def test_level_and_alphanum_come_from_the_sample() -> None:
    metric = ReadingF1("micro")
    answer = (Response(key="", text="서 울!"),)
    assert metric.sample(sample("서울", level="char"), answer) == (2.0, 2.0, 3.0)
    assert metric.sample(sample("서울", level="word"), answer) == (0.0, 1.0, 2.0)
    assert metric.sample(sample("x!"), (Response(key="", text="x"),)) == (0.0, 1.0, 1.0)
    assert metric.sample(sample("x!", alphanum="1"), (Response(key="", text="x"),)) == (1, 1, 1)


def test_the_corpus_has_the_official_epsilons() -> None:
    assert ReadingF1().corpus((1.5,), 2) == 1.5 / (2 + 1e-9)
    assert ReadingF1("micro").corpus((0.0, 0.0, 0.0), 1) == 0.0
    assert ReadingF1().mean and not ReadingF1("micro").mean
    assert (ReadingF1().name, ReadingF1("micro").name) == ("macro_f1", "micro_f1")


def test_a_picture_without_reference_is_unscorable() -> None:
    with pytest.raises(Unscorable):
        ReadingF1().sample(Sample("1", "pt", (), references=()), (Response(key="", text="x"),))


@pytest.mark.parametrize(
    ("text", "chars", "expected"),
    [
        ("A  b\tC\nd", False, ["a", "b", "c", "d"]),
        ("", False, []),
        (" \n ", False, []),
        ("###", False, []),
        ("#*** ##", False, ["#", "##"]),
        ("İ x", True, ["i̇", "x"]),
        ("\u3000a\u3000b", False, ["a", "b"]),
        ("ΟΔΟΣ ΟΔΟΣ", False, ["οδος", "οδος"]),
        ("ΟΣ", True, ["ο", "σ"]),
    ],
)
def test_tokens(text: str, chars: bool, expected: list[str]) -> None:
    assert tokens(text, chars=chars) == expected
