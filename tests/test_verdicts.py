"""A comparison as text for programs and people: what each format promises, and hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from tests.test_compare import english, measured, part
from towereval import verdicts
from towereval.compare import Comparison, Report, compare

HOSTILE = "<script>alert(1)</script>|`x`\n::error::\u202e\x00\ud800%0A]]>&"


@pytest.fixture
def reports() -> dict[str, Report]:
    """One of each verdict, the last with three languages' worth of cases."""
    one = measured({"en": part([1, 0, 1])})
    return {
        "regression": compare(*english((60, 10, 500))),
        "inconclusive": compare(*english((5, 5, 50), n=100)),
        "pass": compare(one, one),
    }


def hostile(report: Report) -> Report:
    named = tuple(
        replace(
            one,
            **dict.fromkeys(("task", "variant", "metric", "signature", "language"), HOSTILE),
        )
        for one in report.comparisons
    )
    texts = (HOSTILE * 3,)
    return replace(
        report, base=HOSTILE, candidate=HOSTILE, comparisons=named, reasons=texts, notices=texts
    )


# --- JSON -----------------------------------------------------------------------------------------


def test_json_has_the_promised_fields(reports: dict[str, Report]) -> None:
    for verdict, report in reports.items():
        content = json.loads(verdicts.as_json(report))
        assert (content["verdict"], content["alpha"], content["margin"]) == (verdict, 0.05, 0.02)
        for row in content["comparisons"]:
            assert {
                *("task", "variant", "language", "metric", "base", "candidate", "delta", "ci_low"),
                *("ci_high", "p", "p_adjusted", "n", "detectable", "verdict"),
            } <= set(row)
            assert row["delta"] == pytest.approx(row["candidate"] - row["base"])


def test_json_reads_back_as_it_was(reports: dict[str, Report]) -> None:
    for report in reports.values():
        rows = json.loads(verdicts.as_json(hostile(report)))["comparisons"]
        read = [Comparison(**{**row, "members": tuple(row["members"])}) for row in rows]
        assert read == list(hostile(report).comparisons)


# --- JUnit ----------------------------------------------------------------------------------------


# What junit-10.xsd of Jenkins' xUnit plug-in (MIT; also in pytest's testing/example_scripts) has:
# element -> children, attributes that must be there, attributes that may.
SCHEMA = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"testcase", "properties", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"group", "time", "skipped", "timestamp", "hostname", "id", "package"},
    ),
    "testcase": (
        {"skipped", "failure", "system-out", "system-err"},
        {"name"},
        {"time", "classname", "group"},
    ),
    "failure": (set(), set(), {"type", "message"}),
    "skipped": (set(), set(), {"type", "message"}),
    "system-out": (set(), set(), set()),
}


def faults(xml: str) -> Iterator[str]:
    """What the schema forbids, and counts that are wrong."""
    root = ET.fromstring(xml)
    if root.tag != "testsuites":
        yield f"the root is {root.tag}"
    for element in root.iter():
        children, needed, allowed = SCHEMA.get(element.tag, (set(), set(), set()))
        if {child.tag for child in element} - children:
            yield f"{element.tag} holds {', '.join(child.tag for child in element)}"
        if needed - set(element.attrib) or set(element.attrib) - needed - allowed:
            yield f"{element.tag} has {', '.join(element.attrib)}"
        if not re.fullmatch(r"\d*(\.\d{0,3})?", element.get("time", "")):
            yield f"{element.tag} took {element.get('time')}"
    kinds = {"tests": "", "failures": "/failure", "skipped": "/skipped", "errors": "/error"}
    for element in (root, *root):
        below = ".//testcase"
        for name in kinds.keys() & set(element.attrib):
            if int(element.get(name, "")) != len(element.findall(below + kinds[name])):
                yield f"{element.tag} counts {element.get(name)} {name}"


def test_junit_has_a_case_a_comparison_and_the_structure_its_readers_ask_for(
    reports: dict[str, Report],
) -> None:
    for report in reports.values():
        for each in (report, hostile(report)):
            xml = verdicts.as_junit(each)
            assert list(faults(xml)) == []
            assert len(list(ET.fromstring(xml).iter("testcase"))) == len(report.comparisons)


@pytest.mark.parametrize(
    ("xml", "fault"),
    [
        ("<testsuite/>", "the root is testsuite"),
        ('<testsuites skipped="0"/>', "testsuites has skipped"),
        ("<testsuites><case/></testsuites>", "testsuites holds case"),
        ('<testsuites tests="2"/>', "testsuites counts 2 tests"),
        ("<testsuites><testsuite/></testsuites>", "testsuite has "),
        ('<testsuites time="long"/>', "testsuites took long"),
    ],
)
def test_a_fault_of_structure_is_found(xml: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in faults(xml))


def test_junit_fails_what_regressed_and_skips_what_is_open(reports: dict[str, Report]) -> None:
    [failure] = ET.fromstring(verdicts.as_junit(reports["regression"])).iter("failure")
    assert failure.get("type") == "regression"
    assert failure.get("message", "").startswith("0.560 to 0.510, difference -0.050 (-0.066 to")
    [skipped] = ET.fromstring(verdicts.as_junit(reports["inconclusive"])).iter("skipped")
    assert skipped.get("message", "").startswith("unproven; 0.550 to 0.550")
    passed = ET.fromstring(verdicts.as_junit(reports["pass"]))
    assert (passed.get("failures"), passed[0].get("skipped")) == ("0", "0")
    assert passed.findtext(".//system-out", "").startswith("same answers; ")


# --- Markdown and GitHub --------------------------------------------------------------------------


def test_markdown_is_one_table_that_says_the_verdict(reports: dict[str, Report]) -> None:
    lines = verdicts.as_markdown(reports["regression"]).splitlines()
    assert lines[0].startswith("## ❌ regression: model")
    table = [line for line in lines if line.startswith("|")]
    assert {line.count("|") for line in table} == {13}
    assert "| 0.560 | 0.510 | -0.050 (-0.066 to -0.034) |" in table[2]
    assert table[2].endswith("| **regression** |")


def test_hostile_names_stay_within_their_cell(reports: dict[str, Report]) -> None:
    for report in reports.values():
        text = verdicts.as_markdown(hostile(report))
        assert "<script" not in text
        assert "\u202e" not in text
        rows = [line for line in text.splitlines() if line.startswith("|")]
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in rows} == {13}
        assert len(rows) == 2 + len(report.comparisons)


def test_annotations_are_one_command_a_line(reports: dict[str, Report]) -> None:
    lines = list(verdicts.as_annotations(reports["regression"]))
    assert lines[0].startswith("::error title=towereval%3A regression::ocrbench@official accuracy")
    assert lines[-1] == "towereval compare: regression"
    [warning, _] = verdicts.as_annotations(reports["inconclusive"])
    assert warning.startswith("::warning title=towereval%3A inconclusive::")
    assert list(verdicts.as_annotations(reports["pass"])) == ["towereval compare: pass"]
    for report in reports.values():
        for line in verdicts.as_annotations(hostile(report)):
            assert len(line.splitlines()) == 1
            assert not re.search(r"%(?!25|3A)", line)


def test_small_p_are_not_zero() -> None:
    assert [verdicts.probability(p) for p in (0.0001, 0.001, 1.0, None)] == [
        *("<0.001", "0.001", "1.000", "-"),
    ]
    assert verdicts.signed(-0.0001, 1.0) == "-0.000"
    assert verdicts.signed(2.04, 100.0) == "+2.0"
