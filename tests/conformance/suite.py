"""Checks of Centurio's suite and of MME, POPE, SEED-Bench and MMBench.

golden/suite.jsonl: answers of our own, and what these made of them: Centurio 8f6ed69e
(src/tasks/vllm/evaluation.py), POPE 3df3ba1 (evaluate.py), lmms-eval 75571cfe (mme, mmbench's
`can_infer`, mtvqa, seedbench).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.choices import LETTERS, OptionAccuracy, chosen_letter
from towereval.metrics.contained import ContainedAnswer
from towereval.metrics.mme import MmeScore
from towereval.metrics.yes_no import YesNoAccuracy, YesNoF1, YesNoRate, mme_verdict
from towereval.types import Metric, Response, Sample

Row = Mapping[str, Any]
Columns = dict[str, Any]


def one(metric: Metric, references: Sequence[str], *answers: str, **fields: Any) -> Any:
    """The value of one sample."""
    sample = Sample("s", "en", (), tuple(references), **fields)
    values = metric.sample(sample, [Response("", answer) for answer in answers])
    return metric.corpus(values, 1)


def label(row: Row) -> Columns:
    asked = row["labels"], row["prediction"]
    relaxed = one(LabelAccuracy(relaxed=True), *asked)
    return {"expected": {"acc": one(LabelAccuracy(), *asked), "relaxed_acc": relaxed}}


def cycle(row: Row) -> Columns:
    metric, options = OptionAccuracy("centurio", circular=True), tuple(row["options"])
    return {"expected": one(metric, [row["gold"]], *row["predictions"], choices=options)}


def perception(row: Row) -> Columns:
    metric = MmeScore("perception", "mme")
    rows = [
        metric.sample(
            Sample("s", "en", (), tuple(gold for gold, _ in pair), group=subtask),
            [Response("", answer) for _, answer in pair],
        )
        for subtask, pair in row["pictures"]
    ]
    total = [sum(column) for column in zip(*rows, strict=True)]
    return {"expected": metric.corpus(total, len(rows))}


def pope(row: Row) -> Columns:
    found = {}
    for metric in (YesNoAccuracy("pope"), YesNoF1("pope"), YesNoRate("pope")):
        rows = [
            metric.sample(Sample("s", "en", (), (gold,)), [Response("", answer)])
            for gold, answer in zip(row["labels"], row["predictions"], strict=True)
        ]
        total = [sum(column) for column in zip(*rows, strict=True)]
        found[metric.name] = metric.corpus(total, len(rows))
    return {"expected": found}


def extracted(row: Row) -> Columns:
    options = dict(zip(LETTERS, row["options"], strict=False))
    return {"expected": chosen_letter(row["prediction"], options)}


CHECKS: dict[str, Callable[[Row], Columns]] = {
    "centurio.label": label,
    "centurio.maxm": lambda row: {
        "expected": {"acc": one(LabelAccuracy(), row["labels"], row["prediction"])}
    },
    "centurio.cycle": cycle,
    "mme.answer": lambda row: {"expected": mme_verdict(row["prediction"], "en")},
    "mme.perception": perception,
    "mmbench.can_infer": extracted,
    "mtvqa.contained": lambda row: {
        "expected": one(ContainedAnswer(), [row["answer"]], row["prediction"])
    },
    "seedbench.letter": lambda row: {
        "expected": one(
            OptionAccuracy("seedbench"), [row["answer"]], row["prediction"], choices=tuple("wxyz")
        )
    },
    "pope.corpus": pope,
}
