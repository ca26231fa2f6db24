"""Checks of BLEU, chrF and chrF++ on Multi30K."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from towereval.errors import DataError
from towereval.metrics.translation import Bleu, Chrf, ChrfPlusPlus
from towereval.types import Metric, Response, Sample

Row = Mapping[str, Any]
Columns = dict[str, Any]

RAW = Path(__file__).parents[2].parent / "shared" / "data" / "multi30k" / "data" / "task1" / "raw"
METRICS: dict[str, Metric] = {
    "bleu": Bleu(),
    "bleu_lc": Bleu(lowercase=True),
    "bleu_none": Bleu(tokenizer="none"),
    "chrf": Chrf(),
    "chrf++": ChrfPlusPlus(),
}


def values(hypotheses: Sequence[str], references: Sequence[str]) -> Columns:
    return {name: value(metric, hypotheses, references) for name, metric in METRICS.items()}


def value(metric: Metric, hypotheses: Sequence[str], references: Sequence[str]) -> float:
    """Through the sum of the segments' statistics, as a run is scored."""
    pairs = zip(hypotheses, references, strict=True)
    statistics = [segment(metric, hypothesis, reference) for hypothesis, reference in pairs]
    totals = [sum(column) for column in zip(*statistics, strict=True)]
    return metric.corpus(totals, len(statistics))


def segment(metric: Metric, hypothesis: str, reference: str) -> tuple[float, ...]:
    sample = Sample(id="", language="", prompt=(), references=(reference,))
    return metric.sample(sample, (Response(key="", text=hypothesis),))


def corpus(row: Row) -> Columns:
    hypotheses, references = row["hypotheses"], row["references"]
    pairs = list(zip(hypotheses, references, strict=True))
    return {
        "expected": values(hypotheses, references),
        "expected_sentence_chrf": [value(Chrf(), [one], [two]) for one, two in pairs],
        "expected_sentence_bleu": [sentence_bleu(one, two) for one, two in pairs],
    }


def sentence_bleu(hypothesis: str, reference: str) -> float:
    """sacrebleu's for one sentence, no n-grams longer than it; no metric here publishes it."""
    from sacrebleu.metrics.bleu import BLEU

    counts = [round(count) for count in segment(Bleu(), hypothesis, reference)]
    return float(BLEU(effective_order=True)._compute_score_from_stats(counts).score)


def full_set(row: Row) -> Columns:
    sources = lines(f"{row['test_set']}.en.gz")
    references = lines(f"{row['test_set']}.{row['lang']}.gz")
    rule = row["hyp_rule"]
    if rule.startswith("copy of English"):
        hypotheses = sources
    elif "third" in rule:
        hypotheses = [without_thirds(reference) for reference in references]
    elif "copy" in rule:
        hypotheses = references
    else:
        raise DataError(f"unknown rule for hypotheses: {rule}")
    return {"expected": values(hypotheses, references)}


def lines(name: str) -> list[str]:
    try:
        return gzip.decompress((RAW / name).read_bytes()).decode().removesuffix("\n").split("\n")
    except OSError as error:
        raise DataError(f"Multi30K's text is needed: {error}") from error


def without_thirds(text: str) -> str:
    words = text.split(" ")
    return " ".join(word for place, word in enumerate(words) if place % 3 != 2)


CHECKS: dict[str, Callable[[Row], Columns]] = {
    "multi30k.corpus": corpus,
    "multi30k.full_set": full_set,
}
