"""What a judge is asked, and what its verdict is worth."""

from __future__ import annotations

import pytest

from towereval.errors import Unscorable
from towereval.metrics.exact import OptionLetter
from towereval.metrics.judge import AlmBenchJudge, VideoJudge, mark_out_of_ten
from towereval.types import Decoding, JudgedMetric, Message, Request, Response, Sample, Text

ALM = AlmBenchJudge()
VIDEO = VideoJudge()
ANCHORS = (
    "A high score example will be where the predicted response matches closely with the ground"
    " truth and a low score example will be where the predicted response lacks knowledge or is not"
    " related to the ground truth:"
)
MATCH = (
    "Match the meaning of the ground truth with the model prediction and if it matches give a 10."
    " Otherwise 0."
)
OVERALL = "Provide a single overall score out of 10 based on these three criteria."
ACCURACY = "Evaluate the following answer based on Accuracy:"
OPTIONS = "Rot (Optionen: Blau, Rot)"
# Type of question -> reference, the judge's first lines, the truth it is told, its task.
PROMPTS = {
    "Multiple Choice Questions": (OPTIONS, ACCURACY, "Rot ", MATCH),
    "True False Question": ("Falsch (nicht: wahr)", ACCURACY, "Falsch (nicht: wahr)", MATCH),
    "Long Question": (
        "Ein Haus.",
        "Evaluate the following answer based on Consistency, Fluency, and Relevance based on the"
        f" Ground Truth answer.\n{ANCHORS}",
        "Ein Haus.",
        OVERALL,
    ),
    "Short Questions": (
        "Rot",
        "Evaluate the following answer based on accuracy and correctness based on the Ground Truth"
        f" answer.\n{ANCHORS}",
        "Rot",
        OVERALL,
    ),
}


def alm_sample(kind: str = "Short Questions", reference: str = "Rot") -> Sample:
    meta = {"Question_Type": kind, "Question": "Welche Farbe?"}
    return Sample("7", "de", (), references=(reference,), meta=meta)


def video_sample(*choices: str) -> Sample:
    meta = {"Question": "Was tut der Ball?"}
    return Sample("open-7", "de", (), references=("Er rollt",), choices=choices, meta=meta)


def said(text: str) -> tuple[Response, ...]:
    return (Response("", text),)


@pytest.mark.parametrize("kind", PROMPTS)
def test_alm_benchs_judge_gets_the_official_question(kind: str) -> None:
    reference, header, truth, wish = PROMPTS[kind]
    text = (
        f"{header}\n\nQuestion: Welche Farbe?\nGround Truth: {truth}\nModel Prediction: Rot.\n\n"
        f"{wish}\nStrictly return only the numeric score, without any additional commentary."
    )
    prompt = (Message("user", (Text(text),)),)
    found = ALM.question(alm_sample(kind, reference), said("Rot."))
    assert found == Request("7", prompt, Decoding(max_tokens=16, temperature=0.0, seed=0))


def test_the_video_judge_gets_question_reference_and_answer() -> None:
    question = VIDEO.question(video_sample(), said("Er hüpft"))
    assert question is not None
    assert (question.sample_id, question.decoding) == ("open-7", Decoding(max_tokens=64))
    [message] = question.prompt
    [part] = message.parts
    assert message.role == "user"
    assert isinstance(part, Text)
    assert part.text.split("\n")[1:4] == [
        "Question: Was tut der Ball?",
        "Correct answer: Er rollt",
        "Predicted answer: Er hüpft",
    ]
    assert part.text.endswith("as in {'pred': 'yes', 'score': 4}.")


def test_questions_with_options_are_not_for_the_video_judge() -> None:
    assert VIDEO.question(video_sample("A. ja", "B. nein"), said("A")) is None
    assert VIDEO.sample(video_sample("A. ja", "B. nein"), said("{'pred': 'yes'}")) == ()


@pytest.mark.parametrize("metric", [ALM, VIDEO])
def test_judges_are_told_from_other_metrics(metric: JudgedMetric) -> None:
    assert isinstance(metric, JudgedMetric)
    assert not isinstance(OptionLetter(), JudgedMetric)
    assert metric.name == "judge"
    assert metric.signature.startswith("judge|rule:")
    assert (metric.scale, metric.mean, metric.corpus((3.0,), 4)) == (1.0, True, 0.75)


@pytest.mark.parametrize(
    ("verdict", "mark"),
    [
        ("10", 10.0),
        ("0", 0.0),
        (" 8\n", 8.0),
        ("8.5", 8.5),
        ("10.0", 10.0),
        ("8/10", 8.0),
        ("8 / 10.", 8.0),
        ("7.", 7.0),
        ("८", 8.0),
    ],
)
def test_a_mark_is_one_number_out_of_ten(verdict: str, mark: float) -> None:
    assert mark_out_of_ten(verdict) == mark
    assert ALM.sample(alm_sample(), said(verdict)) == (mark / 10,)


@pytest.mark.parametrize(
    "verdict",
    [
        *("", " ", "11", "100", "-1", "10.5", "8/5", "8/100", "8,5", "1e1", "0x8", "²", "eight"),
        *(
            "Score: 8",
            "**8**",
            "8 9",
            "8\n9",
            "8 because the answer is right",
            "NaN",
            "inf",
            "8..0",
        ),
    ],
)
def test_anything_else_is_no_mark(verdict: str) -> None:
    with pytest.raises(Unscorable, match="the judge gave no mark out of ten: ") as raised:
        ALM.sample(alm_sample(), said(verdict))
    assert repr(verdict.strip()[:60]) in str(raised.value)


@pytest.mark.parametrize(
    ("verdict", "value"),
    [
        ("{'pred': 'yes', 'score': 5}", 1.0),
        ("{'pred': 'no', 'score': 0}", 0.0),
        ("\n{'score': 3, 'pred': 'Yes.'} ", 1.0),
        ('{"pred": "NO", "score": "2"}', 0.0),
        ("{'pred': 'not yes', 'score': 1}", 1.0),
        ("{'pred': 'unknown', 'score': 1}", 0.0),
    ],
)
def test_a_verdict_is_a_yes_or_a_no(verdict: str, value: float) -> None:
    assert VIDEO.sample(video_sample(), said(verdict)) == (value,)


@pytest.mark.parametrize(
    "verdict",
    [
        *("", "yes", "4", "None", "[]", "'yes'", "{'pred': 'yes'}", "{'score': 4}", "{}"),
        *("{'pred': 'yes', 'score': None}", "{'pred': 'maybe', 'score': 3}", "{'pred': 'yes'"),
        *('{"pred": true, "score": 5}', "{'pred': 'yes', 'score': 'high'}", "It matches: yes"),
        "```python\n{'pred': 'yes', 'score': 4}\n```",
        "{'pred': __import__('os').getcwd(), 'score': 4}",
    ],
)
def test_a_verdict_that_cannot_be_read_is_unscored_with_its_words(verdict: str) -> None:
    with pytest.raises(Unscorable, match="verdict") as raised:
        VIDEO.sample(video_sample(), said(verdict))
    assert str(raised.value).endswith(f": {verdict[:60]!r}")
