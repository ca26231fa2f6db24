"""The judge of language fidelity: what it is asked, and which replies are verdicts."""

from __future__ import annotations

import json

import pytest

from towereval.errors import Unscorable
from towereval.languages import LANGUAGES
from towereval.metrics.fidelity_judge import (
    _SCRIPTS,
    ISSUES,
    LONGEST,
    Consistency,
    LanguageFidelityJudged,
    question,
    verdict,
)
from towereval.types import Response, Sample, Text

GOOD = '{"consistent": true, "language": "de", "issues": []}'
BAD = '{"consistent": false, "language": "en", "issues": ["other_language", "meta"]}'


@pytest.mark.parametrize(
    ("language", "reply", "found"),
    [
        ("de", GOOD, Consistency(True, "de", ())),
        ("de", f"```json\n{GOOD}\n```", Consistency(True, "de", ())),
        ("de", f"\n{BAD} ", Consistency(False, "en", ("other_language", "meta"))),
        ("de", GOOD.replace('"de"', '"de-DE"'), Consistency(True, "de-DE", ())),
        ("no", GOOD.replace('"de"', '"nb"'), Consistency(True, "nb", ())),
        ("nb", GOOD.replace('"de"', '"no"'), Consistency(True, "no", ())),
        ("nn", GOOD.replace('"de"', '"nb"'), Consistency(True, "nb", ())),
        ("ber", GOOD.replace('"de"', '"zgh"'), Consistency(True, "zgh", ())),
        ("fil", GOOD.replace('"de"', '"fil"'), Consistency(True, "fil", ())),
        ("zh-Hant", GOOD.replace('"de"', '"zh"'), Consistency(True, "zh", ())),
        ("quz", GOOD.replace('"de"', '"qu"'), Consistency(True, "qu", ())),
        ("pt-PT", GOOD.replace('"de"', '"pt"'), Consistency(True, "pt", ())),
    ],
)
def test_a_verdict_is_read(language: str, reply: str, found: Consistency) -> None:
    assert verdict(language, reply) == found
    score = LanguageFidelityJudged().sample(Sample("1", language, (), ()), [Response("", reply)])
    assert score == (float(found.consistent),)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ("", "no verdict in JSON"),
        ("yes", "no verdict in JSON"),
        ("[]", "no verdict in JSON"),
        ("[" * 100_000, "no verdict in JSON"),
        (f"{GOOD} I hope this helps.", "no verdict in JSON"),
        (f"{GOOD}\n{BAD}", "no verdict in JSON"),
        ('{"consistent": true}', "no verdict in JSON"),
        (GOOD.replace("}", ', "score": 1}'), "no verdict in JSON"),
        (GOOD.replace("true", '"true"'), "other values"),
        (GOOD.replace("true", "1"), "other values"),
        (GOOD.replace('"de"', "null"), "other values"),
        (BAD.replace("meta", "style"), "other values"),
        (BAD.replace("meta", "meta").replace('["other_language", "meta"]', '"meta"'), "other val"),
        (BAD.replace("false", "true"), "contradicts itself"),
        (GOOD.replace("true", "false"), "contradicts itself"),
        (GOOD.replace('"de"', '"en"'), "contradicts itself"),
    ],
)
def test_what_is_no_verdict_is_unscored_with_a_reason(reply: str, reason: str) -> None:
    with pytest.raises(Unscorable, match=reason) as raised:
        verdict("de", reply)
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "und"])
def test_the_question_names_language_script_and_issues(language: str) -> None:
    asked = question(language, 'Ein "Hund"\nim Gras.')
    assert LANGUAGES[language].english in asked
    assert r'"Ein \"Hund\"\nim Gras."' in asked  # an answer cannot end its own quotation
    assert all(f"- {issue}: " in asked for issue in ISSUES)
    assert f"script: {_SCRIPTS[LANGUAGES[language].script]}." in asked


def test_a_long_answer_loses_its_middle() -> None:
    assert len(question("de", "x" * 1_000_000)) < LONGEST + 2_000


def test_what_is_asked_and_of_what() -> None:
    metric = LanguageFidelityJudged()
    request = metric.question(Sample("1", "de", (), ()), [Response("", "A dog.")])
    assert request is not None
    (part,) = request.prompt[0].parts
    assert isinstance(part, Text) and json.dumps("A dog.") in part.text
    assert (request.decoding.temperature, request.decoding.max_tokens) == (0.0, 128)
    assert metric.question(Sample("1", "de", (), (), choices=("a",)), [Response("", "a")]) is None
