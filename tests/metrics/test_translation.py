from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from towereval.errors import Unscorable
from towereval.metrics.translation import Bleu, Chrf, ChrfPlusPlus
from towereval.types import Metric, Response, Sample

SIGNATURES = Path(__file__).parents[2].parent / "shared" / "vectors" / "multi30k_signatures.json"
TEXTS = [
    ("Zwei Hunde spielen im Schnee.", "Zwei Hunde tollen im Schnee."),
    ("", "Eine leere Antwort."),
    ("Ein Kind isst Eis & lacht, laut!", "Ein Kind isst ein Eis und lacht."),
    ("完全に違う", "Etwas ganz anderes"),
    ("Gleich.", "Gleich."),
]


def sample(*references: str) -> Sample:
    return Sample("1", "de", (), references=references)


@pytest.mark.parametrize(
    ("metric", "official"),
    [
        (Bleu(), BLEU()),
        (Bleu(lowercase=True), BLEU(lowercase=True)),
        (Bleu(tokenizer="char"), BLEU(tokenize="char")),
        (Chrf(), CHRF()),
        (ChrfPlusPlus(), CHRF(word_order=2)),
    ],
)
def test_summed_segments_are_sacrebleus_corpus(metric: Metric, official: BLEU | CHRF) -> None:
    segments = [
        metric.sample(sample(reference), (Response(key="", text=text),))
        for text, reference in TEXTS
    ]
    value = metric.corpus([sum(column) for column in zip(*segments, strict=True)], len(TEXTS))
    texts, references = zip(*TEXTS, strict=True)
    expected = official.corpus_score(list(texts), [list(references)])
    assert value == pytest.approx(expected.score, rel=1e-9)
    assert metric.signature == f"{metric.name}|{official.get_signature()}"
    assert metric.scale == 100.0 and not metric.mean


@pytest.mark.skipif(not SIGNATURES.exists(), reason="the official vectors are not here")
def test_signatures_are_the_published_ones() -> None:
    published = json.loads(SIGNATURES.read_text())
    assert Bleu().signature == f"bleu|{published['bleu']}"
    assert Chrf().signature == f"chrf|{published['chrf']}"
    assert ChrfPlusPlus().signature == f"chrf_pp|{published['chrf++']}"


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), ChrfPlusPlus()])
@pytest.mark.parametrize("references", [(), ("a", "b")])
def test_one_reference_is_needed(metric: Metric, references: tuple[str, ...]) -> None:
    with pytest.raises(Unscorable):
        metric.sample(sample(*references), (Response(key="", text="a"),))


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), ChrfPlusPlus()])
def test_nothing_at_all_is_zero(metric: Metric) -> None:
    segment = metric.sample(sample(""), (Response(key="", text=""),))
    assert metric.corpus(segment, 1) == 0.0


WORDS = ["a", "b", "c", "the", "cat", "sat", "on", "mat", "dog", "ran", "far", "away"]


@pytest.mark.parametrize("metric", [Bleu(), Chrf(), ChrfPlusPlus()])
def test_many_corpora_at_once_have_the_values_of_each(metric: Bleu | Chrf | ChrfPlusPlus) -> None:
    """Single sentences, empty, right and wholly wrong ones among them, and resamples of them."""
    rng = np.random.default_rng(0)
    rows = []
    for index in range(300):
        texts = [" ".join(rng.choice(WORDS, size)) for size in rng.integers(0, 16, 2)]
        texts[0] = [texts[0], texts[1], "zz qq ww", texts[0]][index % 4]
        answer = (Response(key="", text=texts[0]),)
        rows.append(metric.sample(sample(texts[1]), answer))
    single = np.array(rows)
    resampled = single[rng.integers(0, 300, (100, 20))].sum(1)
    total = np.concatenate([single, resampled, single.sum(0, keepdims=True)])
    each = [metric.corpus(one.tolist(), 1) for one in total]
    assert metric.corpora(total) == pytest.approx(np.array(each), rel=1e-12, abs=1e-12)
    assert 0.0 in each
    assert max(each) > 99
