"""The TowerVision authors' own lmms-eval logs give the numbers that they logged, to 1e-9."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from towereval.errors import Unscorable
from towereval.metrics.exact import ExactMatch
from towereval.metrics.ocr import OcrBenchAccuracy, ReadingF1
from towereval.metrics.translation import Bleu
from towereval.types import Metric, Response, Sample

LOGS = Path(__file__).parents[2].parent / "shared" / "data" / "towervision_logs"
CHECKPOINTS = ("towerp_2b_base_english", "towerp_2b_instruct", "towerp_9b_instruct")
CHARS = ("Arabic", "Japanese", "Korean", "Chinese")

pytestmark = pytest.mark.skipif(not LOGS.is_dir(), reason="the authors' logs are not here")


def runs(checkpoint: str, benchmark: str) -> Iterator[tuple[str, dict[str, Any], list[Any]]]:
    """Each logged task with its aggregated values and its sample rows."""
    for file in sorted((LOGS / checkpoint / benchmark).glob("*_results.json")):
        for task, values in json.loads(file.read_text())["results"].items():
            log = file.with_name(file.name.replace("results.json", f"samples_{task}.jsonl"))
            if log.exists():
                lines = log.read_text().split("\n")
                yield task, values, [json.loads(line) for line in lines if line]


def sample(references: tuple[str, ...], **meta: str) -> Sample:
    return Sample(id="", language="", prompt=(), references=references, meta=meta)


def value(metric: Metric, rows: list[tuple[Sample, str]]) -> tuple[float, int]:
    """The corpus value and how many samples it is of."""
    scored = []
    for each, text in rows:
        try:
            scored.append(metric.sample(each, (Response(key="", text=text),)))
        except Unscorable:
            continue
    totals = [sum(column) for column in zip(*scored, strict=True)]
    return metric.corpus(totals, len(scored)), len(scored)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_alm_bench_exact_match(checkpoint: str) -> None:
    seen = 0
    for _, logged, log in runs(checkpoint, "alm_bench-all"):
        rows = []
        for row in log:
            # A French row whose options were not found has no answer; it was logged as wrong.
            references = () if row["target"] in (None, "None") else (row["target"],)
            rows.append((sample(references), row["filtered_resps"][0]))
        assert value(ExactMatch(), rows)[0] == pytest.approx(logged["exact_match,none"], rel=1e-9)
        seen += 1
    assert seen >= 9


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_cc_ocr_f1(checkpoint: str) -> None:
    seen = {}
    for task, values, log in runs(checkpoint, "cc-ocr-multi-lan"):
        rows = []
        for row in log:
            answer = row["doc"]["answer"]
            language = row["ocr_results"]["image_name"].split("_")[0]
            level = "char" if language in CHARS else "word"
            references = () if answer is None else (answer,)
            rows.append((sample(references, level=level), row["filtered_resps"][0]))
        logged = values["ocr_results,none"]
        macro, seen[task[-2:]] = value(ReadingF1("macro"), rows)
        micro, _ = value(ReadingF1("micro"), rows)
        assert macro == pytest.approx(logged["macro_f1_score"], rel=1e-9)
        assert micro == pytest.approx(logged["micro_f1_score"], rel=1e-9)
    # One Portuguese picture has no reference text: the authors left it out.
    assert seen == {**dict.fromkeys(("de", "es", "fr", "it", "ko", "ru"), 150), "pt": 149}


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_ocrbench_accuracy(checkpoint: str) -> None:
    metric = OcrBenchAccuracy("towervision")
    ((_, values, log),) = runs(checkpoint, "ocrbench")
    rows = []
    for row in log:
        each = sample(tuple(row["doc"]["answer"]), dataset=row["doc"]["dataset"])
        rows.append((each, row["filtered_resps"][0]))
        (hit,) = metric.sample(each, (Response(key="", text=rows[-1][1]),))
        assert hit == row["ocrbench_accuracy"]["score"]
    logged = values["ocrbench_accuracy,none"]
    assert value(metric, rows) == (pytest.approx(logged, rel=1e-9), 1000)


@pytest.mark.parametrize("checkpoint", CHECKPOINTS)
def test_multi30k_has_a_sane_bleu(checkpoint: str) -> None:
    """The authors logged COMET only; a sum of segments must give sacrebleu's corpus value."""
    from sacrebleu.metrics.bleu import BLEU

    for _, _, log in runs(checkpoint, "multi30k-all"):
        texts = [row["filtered_resps"][0] for row in log]
        references = [row["target"] for row in log]
        pairs = zip(references, texts, strict=True)
        bleu, count = value(Bleu(), [(sample((reference,)), text) for reference, text in pairs])
        assert count == 1000
        expected = BLEU(force=True).corpus_score(texts, [references]).score
        assert bleu == pytest.approx(expected, rel=1e-9)
        assert 15 < bleu < 80
