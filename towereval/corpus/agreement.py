"""How far two translators agree: BLEU of the one's outputs against the other's.

Source: LRM-LLaVA compares two translators in this way; it does not say with which tokenizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from towereval.corpus.translate import has_words
from towereval.metrics.translation import Bleu
from towereval.types import Response, Sample

# sacrebleu's own for Chinese; characters where words have no blanks between them. Korean has: its
# morphemes would need another package.
TOKENIZERS = {
    **dict.fromkeys(("zh", "zh-Hans", "zh-Hant"), "zh"),
    **dict.fromkeys(("ja", "th", "lo", "km", "my"), "char"),
}


def bleu_for(language: str) -> Bleu:
    return Bleu(tokenizer=TOKENIZERS.get(language, "13a"))


@dataclass(slots=True)
class Agreement:
    """Of one language: sums of BLEU's statistics over texts, and how many there were."""

    language: str
    total: list[float] = field(default_factory=list)
    texts: int = 0

    def add(self, sources: Sequence[str], first: Sequence[str], second: Sequence[str]) -> float:
        """One item's texts in English and by both; its own BLEU, 100 where nothing was translated.

        The item's takes only orders of n-grams that it has (sacrebleu's `effective_order`), and
        pools its texts: short options have no 4-grams.
        """
        metric = bleu_for(self.language)
        own: list[float] = []
        for source, one, other in zip(sources, first, second, strict=True):
            if not has_words(source):
                continue
            sample = Sample("", self.language, (), (other,))
            counts = metric.sample(sample, [Response("", one)])
            own = _sum(own, counts)
            self.texts += 1
        if not own:
            return 100.0
        self.total = _sum(self.total, own)
        return _item(self.language, own)

    @property
    def bleu(self) -> float | None:
        if not self.texts:
            return None
        return bleu_for(self.language).corpus(self.total, self.texts)

    @property
    def signature(self) -> str:
        return bleu_for(self.language).signature


def _sum(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a + b for a, b in zip(one, other, strict=True)] if one else list(other)


def _item(language: str, counts: Sequence[float]) -> float:
    from sacrebleu.metrics.bleu import BLEU

    scorer: Any = BLEU(tokenize=TOKENIZERS.get(language, "13a"), effective_order=True)
    return float(scorer._compute_score_from_stats([round(count) for count in counts]).score)
