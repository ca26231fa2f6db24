"""Checks of captions: words, tokens, CIDEr, BLEU and ROUGE-L."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from towereval.errors import UsageError
from towereval.metrics.caption import bleu, cider, clean_caption, rouge_l
from towereval.metrics.segmentation import segment
from towereval.metrics.treebank import treebank_tokens

Row = Mapping[str, Any]
Columns = dict[str, Any]

TOKENS: dict[str, str] = {}


def prepare(rows: Sequence[Row]) -> None:
    """Tokenise the captions of all rows in one start of Java."""
    kind = "xm3600_caption.ptb_tokenize"
    found = (str(row["caption"]) for row in rows if row["kind"] == kind and "caption" in row)
    captions = list(dict.fromkeys(found))
    try:
        TOKENS.update(zip(captions, treebank_tokens(captions), strict=True))
    except UsageError:
        # Each row then tells what is missing.
        TOKENS.clear()


def tokenize(row: Row) -> Columns:
    caption = row["caption"]
    return {"expected": TOKENS[caption] if caption in TOKENS else treebank_tokens([caption])[0]}


def corpus(row: Row) -> Columns:
    hypotheses, references = row["tokenized_hypotheses"], row["tokenized_references"]
    value, by_picture = cider(hypotheses, references)
    pairs = zip(hypotheses, references, strict=True)
    rouge = [rouge_l(hypothesis, wanted) for hypothesis, wanted in pairs]
    return {
        "expected": {
            "CIDEr": value,
            "CIDEr_per_image": by_picture,
            **{f"Bleu_{order}": each for order, each in enumerate(bleu(hypotheses, references), 1)},
            "ROUGE_L": sum(rouge) / len(rouge),
        }
    }


CHECKS: dict[str, Callable[[Row], Columns]] = {
    "xm3600_caption.caption_corpus": corpus,
    "xm3600_caption.postprocess": lambda row: {"expected": clean_caption(row["caption"])},
    "xm3600_caption.ptb_tokenize": tokenize,
    "xm3600_segmentation.segment": lambda row: {"expected": segment(row["caption"], row["lang"])},
}
