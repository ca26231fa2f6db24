from __future__ import annotations

import math

import pytest

from towereval.errors import Unscorable
from towereval.metrics.contrastive import ContrastiveAccuracy
from towereval.types import Response, Sample

SAMPLE = Sample("1", "fr", (), references=())


def response(logprob: float | None, tokens: int) -> Response:
    return Response(key="", logprob=logprob, token_count=tokens)


@pytest.mark.parametrize(
    ("correct", "incorrect", "expected"),
    [
        ((-2.0, 2), (-4.0, 2), 1.0),
        ((-4.0, 2), (-2.0, 2), 0.0),
        ((-2.0, 2), (-2.0, 2), 0.0),
        ((-2.0, 2), (-4.0, 4), 0.0),
        ((-6.0, 6), (-4.0, 3), 1.0),
        ((math.nan, 2), (-4.0, 2), 0.0),
        ((-4.0, 2), (math.nan, 2), 0.0),
        ((-4.0, 2), (-math.inf, 2), 1.0),
        ((-math.inf, 2), (-math.inf, 2), 0.0),
    ],
)
def test_the_right_one_must_cost_less_per_token(
    correct: tuple[float, int], incorrect: tuple[float, int], expected: float
) -> None:
    responses = (response(*correct), response(*incorrect))
    assert ContrastiveAccuracy().sample(SAMPLE, responses) == (expected,)


@pytest.mark.parametrize(
    "responses",
    [
        (),
        (response(-1.0, 2),),
        (response(-1.0, 2),) * 3,
        (response(None, 2), response(-1.0, 2)),
        (response(-1.0, 2), response(-1.0, 0)),
    ],
)
def test_a_pair_without_both_costs_is_unscorable(responses: tuple[Response, ...]) -> None:
    with pytest.raises(Unscorable):
        ContrastiveAccuracy().sample(SAMPLE, responses)


def test_the_corpus_is_the_mean() -> None:
    assert ContrastiveAccuracy().corpus((3.0,), 4) == 0.75
