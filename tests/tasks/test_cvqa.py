"""CVQA: a language and a country in one column, and labels that may be kept back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.data.media import image_file
from towereval.errors import DataError, Unscorable
from towereval.types import Decoding, Message, Request, Response, Sample, Text

Local = Callable[[dict[str, list[dict[str, object]]]], FolderSource]
TASK = plugins.load_task("cvqa")
ROW: dict[str, object] = {
    "image": "red.png",
    "ID": "5919991144272485961_0",
    "Subset": "('Egyptian_Arabic', 'Egypt')",
    "Question": "إيه اللي في الصورة؟",
    "Options": ["بيت", "كلب"],
    "Label": 1,
}


def test_a_row_becomes_a_sample_and_one_request(local: Local) -> None:
    source = local({"test.jsonl": [ROW]})
    picture = image_file(source.folder / "red.png")
    ask = (
        "إيه اللي في الصورة؟\nThere are several options:\nA. بيت\nB. كلب"
        "\nAnswer with the option’s letter from the given choices directly."
    )
    (sample,) = TASK.samples(source, ["arz"])
    assert sample == Sample(
        id="5919991144272485961_0",
        language="arz",
        prompt=(Message("user", (picture, Text(ask))),),
        references=("B",),
        choices=("بيت", "كلب"),
        group="Egypt",
        cluster=picture.sha256,
    )
    (request,) = TASK.requests(sample)
    assert request == Request(sample.id, sample.prompt, Decoding(max_tokens=512))


@pytest.mark.parametrize(
    ("subset", "language", "country"),
    [
        ("('Spanish', 'Mexico')", "es", "Mexico"),
        ('("Sinhala", "Sri_Lanka")', "si", "Sri Lanka"),
        ("('Norwegian','Norway')", "no", "Norway"),
    ],
)
def test_languages_and_countries(local: Local, subset: str, language: str, country: str) -> None:
    source = local({"test.jsonl": [{**ROW, "Subset": subset}]})
    (sample,) = TASK.samples(source, TASK.languages)
    assert (sample.language, sample.group) == (language, country)


@pytest.mark.parametrize("label", [None, -1])
def test_a_row_without_a_label_is_asked_and_unscored(local: Local, label: object) -> None:
    (sample,) = TASK.samples(local({"test.jsonl": [{**ROW, "Label": label}]}), ["arz"])
    assert sample.references == ()
    assert len(list(TASK.requests(sample))) == 1
    for metric in TASK.metrics:
        with pytest.raises(Unscorable, match="the label is not public: submit the answers"):
            metric.sample(sample, [Response("", "B")])


@pytest.mark.parametrize(
    ("answer", "relaxed", "exact"),
    [("B", 1.0, 1.0), ("B. كلب", 1.0, 0.0), ("كلب", 0.0, 0.0), ("", 0.0, 0.0)],
)
def test_answers(local: Local, answer: str, relaxed: float, exact: float) -> None:
    (sample,) = TASK.samples(local({"test.jsonl": [ROW]}), ["arz"])
    found = [metric.sample(sample, [Response("", answer)]) for metric in TASK.metrics]
    assert found == [(relaxed,), (exact,)]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"Subset": "('Klingon', 'Mars')"}, "column Subset: no language of CVQA is in"),
        ({"Subset": "Spanish"}, "column Subset: no language of CVQA is in 'Spanish'"),
        ({"Label": 2}, "column Label: wanted 0 to 1, found 2"),
        ({"Label": "1"}, "column Label: wanted 0 to 1, found '1'"),
        ({"Options": "A, B"}, "column Options: wanted a list of texts"),
    ],
)
def test_bad_rows_are_told(local: Local, changed: dict[str, object], told: str) -> None:
    with pytest.raises(DataError, match=told):
        list(TASK.samples(local({"test.jsonl": [{**ROW, **changed}]}), ["arz"]))
