"""What says yes in ten languages; MME's and POPE's sums over many samples, with their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from towereval.errors import Unscorable
from towereval.languages import GROUPS
from towereval.metrics.mme import COGNITION, PERCEPTION, MmeScore, PairAccuracy
from towereval.metrics.yes_no import (
    WORDS,
    YesNoAccuracy,
    YesNoF1,
    mme_verdict,
    pope_verdict,
    verdict,
)
from towereval.statistics import Observations, estimate
from towereval.types import Response, Sample

YES_NO = {
    "cs": ("Ano.", "Ne, není"),
    "de": ("Ja, ein Hund", "**Nein**"),
    "en": ("yes", "NO"),
    "es": ("Sí", "No."),
    "fr": ("Oui !", "non"),
    "hr": ("Da", "Ne"),
    "it": ("Sì", "no"),
    "ro": ("Da, este", "Nu"),
    "ru": ("Да", "нет."),
    "zh": ("是的。", "不是"),
}


def test_the_table_has_lrms_ten_languages() -> None:
    assert set(WORDS) == set(GROUPS["lrm10"]) == set(YES_NO)
    for yes, no in WORDS.values():
        assert not set(yes) & set(no)


@pytest.mark.parametrize("language", YES_NO)
def test_yes_and_no_in_every_language(language: str) -> None:
    yes, no = YES_NO[language]
    assert verdict(yes, language) is True
    assert verdict(no, language) is False
    assert verdict("Yes, there is.", language) is True
    assert verdict("No.", language) is False


@pytest.mark.parametrize(
    ("answer", "language"),
    [
        *(("", "en"), ("...", "de"), ("vielleicht", "de"), ("Да", "de"), ("oui", "ru")),
        *(("可能", "zh"), ("对不起，我看不到", "zh"), ("不知道。", "zh"), ("无法确定", "zh")),
    ],
)
def test_another_answer_is_neither(answer: str, language: str) -> None:
    assert verdict(answer, language) is None


def test_marks_before_the_word_and_its_form_do_not_count() -> None:
    assert verdict("« OUI »", "fr") is True
    assert verdict("Si\u0300", "it") is True  # the accent apart
    assert verdict("1. Ne", "cs") is False
    assert verdict("「没有」", "zh") is False
    assert verdict("有，图中有狗", "zh") is True


def test_in_chinese_the_longest_form_counts() -> None:
    assert verdict("没错，有狗", "zh") is True
    assert verdict("没有错误", "zh") is False
    assert verdict("对，有狗", "zh") is True


@pytest.mark.parametrize(
    ("answer", "pope", "mme"),
    [
        ("Yes", True, True),
        ("no", False, False),
        ("y", True, True),
        ("N", True, False),
        ("Nope", True, False),
        ("There is no dog", False, None),
        ("Not here", True, False),
        ("x", True, None),
        ("Sure. No doubt", True, None),
    ],
)
def test_the_benchmarks_own_rules(answer: str, pope: bool, mme: bool | None) -> None:
    assert pope_verdict(answer, "en") is pope
    assert mme_verdict(answer, "en") is mme


def test_a_label_that_is_none_is_unscored() -> None:
    sample = Sample("s", "en", (), ("maybe",))
    with pytest.raises(Unscorable, match="the label is neither yes nor no: 'maybe'"):
        YesNoAccuracy("words").sample(sample, [Response("", "yes")])


def test_f1_is_of_all_samples_together() -> None:
    """Three yeses said, two of them right; four wanted: precision 2/3, recall 1/2."""
    metric = YesNoF1("words")
    pairs = [("yes", "yes"), ("yes", "yes"), ("yes", "no"), ("no", "yes"), ("hm", "yes")]
    rows = np.array(
        [
            metric.sample(Sample("s", "en", (), (gold,)), [Response("", said)])
            for said, gold in pairs
        ]
    )
    total = rows.sum(axis=0)
    assert metric.corpus(total.tolist(), len(rows)) == pytest.approx(4 / 7)
    nothing = np.zeros((1, 3))
    assert metric.corpora(np.vstack([total[None], nothing])) == pytest.approx([4 / 7, 0.0])
    assert metric.corpus([0.0, 0.0, 0.0], 2) == 0.0


def picture(subtask: str, first: str, second: str) -> tuple[Sample, list[Response]]:
    sample = Sample("s", "en", (), ("yes", "no"), group=subtask)
    return sample, [Response("", first), Response("", second)]


def test_mmes_score_sums_subtasks_not_pictures() -> None:
    """existence: (200 + 50) / 2; count: 200; what is cognition adds nothing to perception."""
    metric = MmeScore("perception", "mme")
    asked = [
        picture("existence", "Yes", "No"),
        picture("existence", "Yes", "Yes"),
        picture("count", "Yes", "No"),
    ]
    rows = np.array([metric.sample(*one) for one in asked])
    total = rows.sum(axis=0)
    assert metric.corpus(total.tolist(), 3) == pytest.approx(125 + 200)
    assert metric.corpora(total[None]) == pytest.approx([325.0])
    assert metric.sample(*picture("code_reasoning", "Yes", "No")) == ()
    assert MmeScore("cognition", "mme").corpus([2.0, 0, 0, 0, 1.0, 0, 0, 0], 1) == 200.0


def test_the_best_score_is_the_scale() -> None:
    for kind, subtasks in (("perception", PERCEPTION), ("cognition", COGNITION)):
        metric = MmeScore(kind, "mme")  # type: ignore[arg-type]
        rows = np.array([metric.sample(*picture(each, "Yes", "No")) for each in subtasks])
        assert metric.corpus(rows.sum(axis=0).tolist(), len(rows)) == metric.scale
    assert MmeScore("perception", "mme").scale == 2000


def test_a_picture_without_its_second_question_is_unscored() -> None:
    sample, responses = picture("count", "Yes", "No")
    with pytest.raises(Unscorable, match="wanted a picture's two questions"):
        PairAccuracy("mme").sample(sample, responses[:1])


def test_a_score_over_subtasks_has_an_interval() -> None:
    """Two thirds of 90 pictures are right in each of ten subtasks; pictures are the clusters."""
    metric = MmeScore("perception", "mme")
    asked = [
        picture(subtask, "Yes", "No" if number % 3 else "Yes")
        for subtask in PERCEPTION
        for number in range(9)
    ]
    rows = np.array([metric.sample(*one) for one in asked])
    clusters = [str(number) for number in range(len(rows))]
    found, _ = estimate(metric, {"en": Observations(rows, clusters)})
    one = found["en"]
    assert one.value == pytest.approx(10 * (2 * 200 + 50) / 3)
    assert one.low is not None
    assert one.high is not None
    # 150 * sqrt(2 / 9 / 9) a subtask, ten of them independent.
    half = 1.96 * 150 * math.sqrt(10 * (2 / 9) / 9)
    assert (one.high - one.low) / 2 == pytest.approx(half, rel=0.15)
