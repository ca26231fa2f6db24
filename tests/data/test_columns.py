"""What a task makes of its rows is looked at before anything is asked: a slip would be a score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.errors import DataError
from towereval.plan import SAMPLES, Plan
from towereval.run import samples_of
from towereval.types import Metric, Request, Sample, Source

PLAN = Plan("tiny", ("mine",))
RIGHT = Sample("1", "de", (), ("Halt",), choices=("Halt", "Los"))


class Mine:
    name, variant, version = "mine", "ours", 1
    languages, needs = ("de", "fr"), frozenset({"generate"})
    metrics: tuple[Metric, ...] = plugins.load_task("textvqa").metrics

    def __init__(self, sample: Sample) -> None:
        self.sample = sample

    def samples(self, source: Source, languages: Sequence[str]) -> Iterator[Sample]:
        yield self.sample

    def requests(self, sample: Sample) -> Iterator[Request]:
        yield from ()


def read(sample: Sample) -> list[Sample]:
    return list(samples_of(Mine(sample), FolderSource(SAMPLES / "textvqa"), PLAN))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"references": "Halt"}, "mine: sample '1': references are a tuple, found str 'Halt'"),
        ({"choices": "AB"}, "mine: sample '1': choices are a tuple, found str 'AB'"),
        ({"references": (7,)}, "mine: sample '1': wanted a text, found int '7'"),
        ({"id": 1}, "mine: sample 1: wanted a text, found int '1'"),
        ({"language": "german"}, "mine: sample '1' is in 'german', not de, fr"),
    ],
)
def test_a_slip_in_a_task_is_told_with_its_sample(change: dict[str, object], told: str) -> None:
    assert read(RIGHT) == [RIGHT]
    with pytest.raises(DataError) as caught:
        read(replace(RIGHT, **change))  # type: ignore[arg-type]
    assert str(caught.value) == told
