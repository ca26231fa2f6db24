"""Checks of CC-OCR's four tracks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from towereval.metrics.documents import (
    clean_table,
    doc_similarity,
    formula_similarity,
    molecular_similarity,
    teds,
)
from towereval.metrics.kie import (
    f1,
    field_counts,
    normalize_answer,
    normalize_text,
    parse_answer,
    tree_accuracy,
)
from towereval.metrics.ocr import ReadingF1, recall_precision_f1, token_counts, tokens
from towereval.types import Response, Sample

Row = Mapping[str, Any]
Columns = dict[str, Any]


def respond_ratio(row: Row) -> float:
    return len(row["pred"].keys() & row["gt"].keys()) / (len(row["gt"]) + 1e-9)


def reading(row: Row) -> Columns:
    """Through the metric for F1; recall and precision, which are not published, by its parts."""
    config = row["config"]
    chars, alphanum = not config["word_level"], config["alphanum_only"]
    meta = {"level": "char" if chars else "word", "alphanum": str(int(alphanum))}
    values = {}
    for metric, key in (
        (ReadingF1("macro"), "macro_f1_score"),
        (ReadingF1("micro"), "mirco_f1_score"),
    ):
        statistics = [
            metric.sample(
                Sample(id=name, language="", prompt=(), references=(str(truth),), meta=meta),
                (Response(key=name, text=row["pred"].get(name, "")),),
            )
            for name, truth in row["gt"].items()
        ]
        totals = [sum(column) for column in zip(*statistics, strict=True)]
        values[key] = metric.corpus(totals, len(statistics))
    counts = [
        token_counts(row["pred"].get(name, ""), str(truth), chars=chars, alphanum=alphanum)
        for name, truth in row["gt"].items()
    ]
    by_picture = [recall_precision_f1(*each) for each in counts]
    recall, precision, _ = recall_precision_f1(*map(sum, zip(*counts, strict=True)))
    verbose = {
        "macro_recall": sum(each[0] for each in by_picture) / (len(counts) + 1e-9),
        "macro_precision": sum(each[1] for each in by_picture) / (len(counts) + 1e-9),
        "micro_recall": recall,
        "micro_precision": precision,
    }
    ratio = {"response_success_ratio": respond_ratio(row)}
    return {"expected": values | ratio, "expected_verbose": values | verbose}


def tokenize(row: Row) -> Columns:
    return {
        "expected": tokens(row["text"], chars=not row["word_level"], alphanum=row["alphanum_only"])
    }


SIMILARITIES = {
    "doc": doc_similarity,
    "formula": formula_similarity,
    "molecular": molecular_similarity,
    "table": teds,
}


def similarity(op: str) -> Callable[[Row], Columns]:
    return lambda row: {"expected": SIMILARITIES[op](row["pred"], row["gt"])}


def document_subset(row: Row) -> Columns:
    """A picture without an answer counts as 0."""
    scores = [
        SIMILARITIES[row["op"]](row["pred"][name], truth)
        for name, truth in row["gt"].items()
        if name in row["pred"]
    ]
    ratio = respond_ratio(row)
    return {"expected": {"score": sum(scores) / len(row["gt"]), "response_success_ratio": ratio}}


def kie(row: Row) -> Columns:
    accuracy, fields = 0.0, dict[str, tuple[int, ...]]()
    unread = []
    for name, truth in row["gt"].items():
        answer = parse_answer(row["pred"][name]) if name in row["pred"] else {}
        if answer is None:
            unread.append(name)
        predicted = normalize_answer({} if answer is None else answer)
        wanted = normalize_answer(json.loads(truth) if isinstance(truth, str) else truth)
        accuracy += tree_accuracy(predicted, wanted)
        for field, counts in field_counts(predicted, wanted).items():
            fields[field] = tuple(map(sum, zip(fields.get(field, (0, 0, 0)), counts, strict=True)))
    totals = [sum(column) for column in zip((0, 0, 0), *fields.values(), strict=True)]
    return {
        "expected": {
            "f1_score": f1(*totals),
            "acc": accuracy / (len(row["gt"]) + 1e-6),
            "response_success_ratio": respond_ratio(row),
            "post_error": unread,
            "response_error": [name for name in row["gt"] if name not in row["pred"]],
            "class_f1": {field: f1(*counts) for field, counts in fields.items()},
        }
    }


CHECKS: dict[str, Callable[[Row], Columns]] = {
    "cc_ocr.ocr_subset": reading,
    "cc_ocr.ocr_tokenize": tokenize,
    "cc_ocr.doc": similarity("doc"),
    "cc_ocr.formula": similarity("formula"),
    "cc_ocr.molecular": similarity("molecular"),
    "cc_ocr.table_teds": similarity("table"),
    "cc_ocr.table_clean": lambda row: {"expected": clean_table(row["text"])},
    "cc_ocr.doc_parsing_subset": document_subset,
    "cc_ocr.kie": kie,
    "cc_ocr.kie_normalize": lambda row: {"expected": normalize_text(row["text"])},
}
