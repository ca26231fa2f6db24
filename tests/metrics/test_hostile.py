"""Whatever a model answers gives a value or `Unscorable`, and takes no quadratic time."""

from __future__ import annotations

import json
import math
import time
from importlib.util import find_spec

import pytest

from towereval.errors import Unscorable
from towereval.metrics.centurio import LabelAccuracy
from towereval.metrics.contrastive import ContrastiveAccuracy
from towereval.metrics.documents import OneMinusNed, Teds
from towereval.metrics.exact import ChoiceLetter, ExactMatch, OptionLetter
from towereval.metrics.judge import judged_accuracy
from towereval.metrics.kie import KieAccuracy, KieF1
from towereval.metrics.ocr import OcrBenchAccuracy, ReadingF1
from towereval.metrics.translation import Bleu, Chrf, ChrfPlusPlus
from towereval.metrics.vqa import VqaAccuracy
from towereval.types import Metric, Response, Sample

KIE = '{"name": "Ana", "items": [{"sum": "1"}, {"sum": "2"}]}'
TABLE = "<table>" + "<tr><td>a</td><td>b</td></tr>" * 20 + "</table>"
METRICS: list[tuple[Metric, dict[str, str], tuple[str, ...]]] = [
    (ExactMatch(), {}, ("B",)),
    (ChoiceLetter(), {}, ("B",)),
    (OptionLetter(), {}, ("B",)),
    (LabelAccuracy(), {}, ("B",)),
    (LabelAccuracy(relaxed=True), {}, ("B",)),
    (OcrBenchAccuracy(), {"dataset": "svt"}, ("Bakery",)),
    (OcrBenchAccuracy("towervision"), {"dataset": "HME100k"}, ("x ^ 2",)),
    (ReadingF1(), {"level": "word"}, ("eine Bäckerei",)),
    (ReadingF1("micro"), {"level": "char"}, ("빵집",)),
    (ReadingF1(), {"alphanum": "1"}, ("eine Bäckerei",)),
    (VqaAccuracy(), {}, ("bakery",) * 10),
    (Bleu(), {}, ("Eine Bäckerei in der Stadt",)),
    (Chrf(), {}, ("Eine Bäckerei in der Stadt",)),
    (ChrfPlusPlus(), {}, ("Eine Bäckerei in der Stadt",)),
]
if find_spec("rapidfuzz") and find_spec("lxml"):
    METRICS += [
        (OneMinusNed(), {"op": "doc"}, ("\\section{a}",)),
        (OneMinusNed(), {"op": "formula"}, ("x^2",)),
        (OneMinusNed(), {"op": "molecular"}, ("CCO",)),
        (Teds(), {}, (TABLE,)),
        (KieF1(), {}, (KIE,)),
        (KieAccuracy(), {}, (KIE,)),
    ]
ODD = [
    *("", " ", "\n", "\0", "\x00\x01\x02", "\ufeff", "\ufffd", "\ud800", "\udfff\ud800", "\u202e"),
    *(
        "İ" * 3,
        "e\u0301",
        "👩‍👩‍👧",
        "\u2028",
        "\x85",
        "\r\n",
        "<table>",
        "</table>",
        "<td",
        "<",
        "&#0;",
    ),
    *(
        "<table><tr><td>\ud800",
        "<table><tr><td colspan='x'>",
        "<table><?php x ?><tr><td>a</td></tr>",
    ),
    *("```", "```json", "```latex", "```html", "{", "[]", "null", "NaN", "1e999", '"x"', "{}"),
    *('{"name": NaN}', '{"": ""}', '{"a": "\\ud800"}', '[[["x"]]]', '{"items": [1, null, true]}'),
    *(
        '{"a": 1e400}',
        '{"<leaf>": "<leaf>"}',
        '{"<root>": {}}',
        "9" * 5000,
        '{"a": ' + "9" * 5000 + "}",
    ),
]
MEGABYTE = 1_000_000
HUGE = [
    *("a", " ", "\n", "A ", "a.", "x\n\n", "Answer: ", "Final Answer:\n", "###", "*", "/ ", ";"),
    *("猫", "\\documentclass{", "\\usepackage[]{", "```latex", "```json", "```html", "[", '{"a":'),
    *("<table", "<table>", "</table><table", "<td>", "<b>", "<table><tr><td>", "&amp;", ">", " , "),
    *("1 ,", "\ud800", "</table>" + "<table" + ">" * 50),
]


def check(metric: Metric, meta: dict[str, str], references: tuple[str, ...], text: str) -> None:
    choices = ("A. Fado", "B. Tango")
    sample = Sample("1", "de", (), references=references, choices=choices, meta=meta)
    try:
        values = metric.sample(sample, (Response(key="", text=text),))
    except Unscorable as error:
        assert str(error)
        return
    assert all(isinstance(value, float | int) and not math.isnan(value) for value in values)
    assert math.isfinite(metric.corpus(values, 1))


@pytest.mark.parametrize(
    ("metric", "meta", "references"), METRICS, ids=lambda part: getattr(part, "signature", "")
)
def test_odd_answers(metric: Metric, meta: dict[str, str], references: tuple[str, ...]) -> None:
    for text in ODD:
        check(metric, meta, references, text)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("metric", "meta", "references"), METRICS, ids=lambda part: getattr(part, "signature", "")
)
def test_huge_answers(metric: Metric, meta: dict[str, str], references: tuple[str, ...]) -> None:
    strings = json.dumps({"name": " ," * (MEGABYTE // 2)})
    # sacrebleu takes a second for each and has no trap: a few will do.
    pieces = HUGE[:4] if metric.scale == 100.0 else HUGE
    texts = [piece * (MEGABYTE // len(piece)) for piece in pieces]
    for text in [*texts, strings, f"<table><tr><td>{texts[0]}", "x" + texts[1], "A" + texts[2]]:
        start = time.perf_counter()
        check(metric, meta, references, text)
        assert time.perf_counter() - start < 10, repr(text[:40])


@pytest.mark.parametrize("cost", [math.nan, math.inf, -math.inf, 0.0])
def test_odd_costs(cost: float) -> None:
    response = Response(key="", logprob=cost, token_count=1)
    sample = Sample("1", "de", (), references=())
    assert ContrastiveAccuracy().sample(sample, (response, response)) == (0.0,)


@pytest.mark.parametrize("text", [*ODD, "(" * 100_000, "-" * 100_000, "{" * 1000])
def test_odd_verdicts(text: str) -> None:
    good = "{'pred': 'yes', 'score': 4}"
    try:
        assert judged_accuracy([good, text])[0] == 1.0
    except Unscorable as error:
        assert str(error)
