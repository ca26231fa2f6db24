"""Checks of right and wrong: ALM-Bench, OCRBench, TextVQA, CoMMuTE, SMPQA, ViMUL-Bench's kin."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from towereval.errors import DataError
from towereval.metrics.alm_bench import (
    fork_prompt,
    fork_split_answer_options,
    gold_letter,
    official_judge_prompt,
    official_prompt,
    split_options,
)
from towereval.metrics.centurio import accuracy, relaxed_accuracy
from towereval.metrics.contrastive import contrastive_accuracy
from towereval.metrics.exact import choice_letter, exact_match, option_letter
from towereval.metrics.judge import judged_accuracy
from towereval.metrics.ocr import ocrbench_hit
from towereval.metrics.vqa import process_answer, vqa_accuracy

Row = Mapping[str, Any]
Columns = dict[str, Any]

SHARED = Path(__file__).parents[2].parent / "shared"


def alm_official_prompt(row: Row) -> Columns:
    fields = (row["question_type"], row["question"], row["answer"], row["lang"])
    return {"expected": official_prompt(*fields)}


def alm_judge_prompt(row: Row) -> Columns:
    fields = (row["question_type"], row["question"], row["ground_truth"], row["prediction"])
    return {"expected": official_judge_prompt(*fields)}


def alm_fork_prompt(row: Row) -> Columns:
    fields = (row["question"], row["answer"], row["pre_prompt"], row["post_prompt"])
    return {"expected": fork_prompt(*fields)}


def alm_fork_exact_match(row: Row) -> Columns:
    truth, _ = fork_split_answer_options(row["answer"])
    return {"expected": exact_match(row["prediction"], () if truth is None else (truth,))}


def ocrbench_sample(row: Row) -> Columns:
    answers, dataset = row["answers"], row["dataset_name"]
    answers = [answers] if isinstance(answers, str) else answers
    prediction = row["prediction"]
    return {
        "expected": ocrbench_hit(prediction, answers, dataset),
        "deepspin_fork_2025": ocrbench_hit(prediction.lower(), answers, dataset),
    }


def ocrbench_missing(row: Row) -> Columns:
    """Upstream skips an item without a prediction; here it is a failed request, never scored."""
    return {"expected": row.get("prediction")}


@cache
def ocrbench_items() -> list[dict[str, Any]]:
    file = SHARED / "data" / "ocrbench" / "OCRBench.json"
    try:
        items: list[dict[str, Any]] = json.loads(file.read_text())
    except OSError as error:
        raise DataError(f"the 1000 items are needed: {error}") from error
    return items


RECOGNITION = (
    *("Regular Text Recognition", "Irregular Text Recognition", "Artistic Text Recognition"),
    *("Handwriting Recognition", "Digit String Recognition", "Non-Semantic Text Recognition"),
)


def ocrbench_full(row: Row) -> Columns:
    by_type = Counter[str]()
    hits = []
    for item, prediction in zip(ocrbench_items(), row["predictions"], strict=True):
        answers = item["answers"]
        answers = [answers] if isinstance(answers, str) else answers
        hits.append(ocrbench_hit(prediction, answers, item["dataset_name"]))
        by_type[item["type"]] += int(hits[-1])
    totals = {
        "by_type": dict(by_type),
        "recognition": sum(by_type[name] for name in RECOGNITION),
        "final": sum(hits),
    }
    return {"expected": totals, "expected_results": hits}


def vqa_sample(row: Row) -> Columns:
    value = vqa_accuracy(row["pred_answer"], row["gt_answers"])
    return {"expected": value, "expected_mean_exact": value}


def vqa_corpus(row: Row) -> Columns:
    values = [vqa_accuracy(item["pred_answer"], item["gt_answers"]) for item in row["items"]]
    return {"expected": sum(values) / len(values)}


def commute_contrastive(row: Row) -> Columns:
    pairs = zip(map(float, row["correct"]), map(float, row["incorrect"]), strict=False)
    right = [contrastive_accuracy(*pair) for pair in pairs]
    value = sum(right) / len(right)
    stdout = f"Score on CoMMuTE : {value:f}"
    return {"expected": {"stdout": stdout}, "expected_accuracy": value}


def commute_fork(row: Row) -> Columns:
    half = len(row["losses"]) // 2
    pairs = zip(row["losses"][:half], row["losses"][half:], strict=True)
    right = [contrastive_accuracy(*pair) for pair in pairs]
    return {"expected": {"contrastive_accuracy": sum(right) / len(right)}}


def smpqa_values(pairs: list[tuple[str, str]]) -> Columns:
    return {
        "expected": {
            "acc": sum(accuracy(*pair) for pair in pairs) / len(pairs),
            "relaxed_acc": sum(relaxed_accuracy(*pair) for pair in pairs) / len(pairs),
        }
    }


def vimul_judge(row: Row) -> Columns:
    value, score, count = judged_accuracy(row["judge_outputs"])
    return {"expected": {"accuracy": value, "average_score": score, "n_parsed": count}}


CHECKS: dict[str, Callable[[Row], Columns]] = {
    "alm_bench.choice_letter": lambda row: {"expected": choice_letter(row["prediction"])},
    "alm_bench.gold_letter": lambda row: {"expected": gold_letter(row["choices"], row["answer"])},
    "alm_bench.split_options": lambda row: {"expected": split_options(row["answer"])},
    "alm_bench.fork_split_answer_options": lambda row: {
        "expected": fork_split_answer_options(row["answer"])
    },
    "alm_bench.fork_prompt": alm_fork_prompt,
    "alm_bench.fork_exact_match": alm_fork_exact_match,
    "alm_bench.official_infer_prompt": alm_official_prompt,
    "alm_bench.official_judge_prompt": alm_judge_prompt,
    "ocrbench.sample": ocrbench_sample,
    "ocrbench.sample_missing_prediction": ocrbench_missing,
    "ocrbench.full_1000": ocrbench_full,
    "textvqa.processor": lambda row: {"expected": process_answer(row["input"])},
    "textvqa.accuracy": vqa_sample,
    "textvqa.corpus": vqa_corpus,
    "textvqa.error": vqa_sample,
    "commute.contrastive": commute_contrastive,
    "commute.deepspin_fork_aggregate": commute_fork,
    "smpqa.sample": lambda row: smpqa_values([(row["prediction"], row["label"])]),
    "smpqa.corpus": lambda row: smpqa_values(
        list(zip(row["predictions"], row["labels"], strict=True))
    ),
    "vimul_family_nonofficial.videomme_mcq_extract": lambda row: {
        "expected": option_letter(row["prediction"])
    },
    "vimul_family_nonofficial.videochatgpt_judge_aggregate": vimul_judge,
}
