from __future__ import annotations

import pytest

from towereval.errors import Unscorable
from towereval.metrics.vqa import VqaAccuracy, process_answer, vqa_accuracy
from towereval.types import Response, Sample


def test_the_metric() -> None:
    metric = VqaAccuracy()
    sample = Sample("1", "en", (), references=("red",) * 3 + ("blue",) * 7)
    (value,) = metric.sample(sample, (Response(key="", text="The Red."),))
    assert value == pytest.approx(0.9, rel=1e-12)
    assert metric.corpus((value, 1.0), 2) == pytest.approx(0.45)
    assert metric.signature == "vqa_accuracy|rule:evalai|answers:10|version:1"


@pytest.mark.parametrize("agreeing", range(11))
def test_agreement_is_the_mean_over_the_ten(agreeing: int) -> None:
    answers = ["red"] * agreeing + ["blue"] * (10 - agreeing)
    one_by_one = [min(1.0, (answers[:i] + answers[i + 1 :]).count("red") / 3) for i in range(10)]
    assert vqa_accuracy("red", answers) == pytest.approx(sum(one_by_one) / 10, rel=1e-12)


@pytest.mark.parametrize("count", [0, 9, 11])
def test_ten_answers_are_needed(count: int) -> None:
    with pytest.raises(Unscorable):
        vqa_accuracy("red", ["red"] * count)


def test_no_more_than_32_periods_fall() -> None:
    assert process_answer("a." + "b." * 31) == "a" + "b" * 31
    assert process_answer("x." + "b." * 33) == "x" + "b" * 32 + ".b."


@pytest.mark.parametrize("mark", list(';/[]"{}()=+\\_-><@`!'))
def test_a_mark_falls_or_becomes_a_blank(mark: str) -> None:
    assert process_answer(f"x{mark}y") == "x y"
    assert process_answer(f"x{mark}y z{mark} w") == "xy z w"
