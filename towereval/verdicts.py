"""A comparison as JSON, Markdown, JUnit XML and annotations of GitHub.

JUnit: a suite a task and metric, a case a language; a regression is a failure, and a case that
could not have failed, or that leaves the verdict open, is skipped and says why.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from xml.etree import ElementTree as ET

from towereval.compare import Comparison, Report, Verdict, language_of, place
from towereval.printable import markdown, visible
from towereval.types import WAYS

# What XML 1.0 has no character for.
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LONGEST = 1_000  # characters of a text that a report shows
LEGEND = (
    "Difference: candidate less base, with its 95% interval. p: two-sided, of this difference"
    " alone; BH: the same, adjusted to the share of false discoveries, for exploring. Gate:"
    " one-sided, adjusted for all that is gated. Seen: the drop that would be found in 80 of 100"
    " such comparisons, a rise where smaller is better."
)


def as_json(report: Report) -> str:
    content = {
        "schema": 1,
        "verdict": report.verdict,
        **asdict(report.settings),
        "base": report.base,
        "candidate": report.candidate,
        "reasons": report.reasons,
        "notices": report.notices,
        "comparisons": [asdict(each) for each in report.comparisons],
    }
    return json.dumps(content, ensure_ascii=True, indent=1, allow_nan=False)


def as_markdown(report: Report) -> str:
    marks = {Verdict.PASS: "✅", Verdict.REGRESSION: "❌", Verdict.INCONCLUSIVE: "❔"}
    settings = report.settings
    lines = [
        f"## {marks[report.verdict]} {report.verdict}: {markdown(report.candidate, 200)} against"
        f" {markdown(report.base, 200)}",
        "",
        *(f"- {markdown(reason, LONGEST)}" for reason in report.reasons),
        *([""] if report.reasons else []),
        "| task | metric | language | base | candidate | difference | p | BH | gate | seen | n |"
        " verdict |",
        "|---|---|---|--:|--:|---|--:|--:|--:|--:|--:|---|",
        *map(_markdown_row, report.comparisons),
        "",
        f"{LEGEND} Alpha {settings.alpha:g}, margin {settings.margin:g}, {settings.flips} flips,"
        f" seed {settings.seed}.",
        *(f"\n*{markdown(notice, LONGEST)}*" for notice in report.notices),
    ]
    return "\n".join(lines)


def _markdown_row(one: Comparison) -> str:
    cells = [
        *(markdown(f"{one.task}@{one.variant}", 200), markdown(named(one), 200)),
        markdown(language_of(one), 200),
        *(number(one.base, one.scale), number(one.candidate, one.scale)),
        f"{signed(one.delta, one.scale)} ({interval(one)})",
        *map(probability, (one.p, one.p_bh, one.p_adjusted)),
        "-" if one.detectable is None else number(one.detectable, one.scale),
        *(str(one.n), f"**{one.verdict}**" if one.verdict == "regression" else one.verdict),
    ]
    return f"| {' | '.join(cells)} |"


def as_junit(report: Report) -> str:
    root = ET.Element("testsuites", name="towereval compare")
    groups = groupby(report.comparisons, key=lambda one: (one.task, one.variant, one.metric))
    for (task, variant, metric), rows in groups:
        suite = ET.SubElement(root, "testsuite", name=_xml(f"{task}@{variant} {metric}"))
        cases = [_case(suite, one) for one in rows]
        found = {kind: sum(case.find(kind) is not None for case in cases) for kind in _KINDS}
        counts = {"tests": len(cases), "failures": found["failure"], "errors": 0}
        counts["skipped"] = found["skipped"]
        suite.attrib |= {name: str(count) for name, count in counts.items()}
        suite.set("time", "0")
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


_KINDS = ("failure", "skipped")


def _case(suite: ET.Element, one: Comparison) -> ET.Element:
    name = language_of(one)
    attributes = {"name": name, "classname": f"towereval.{one.task}.{one.metric}", "time": "0"}
    case = ET.SubElement(suite, "testcase", {k: _xml(v) for k, v in attributes.items()})
    if one.verdict == "regression":
        failure = ET.SubElement(case, "failure", message=_xml(_sentence(one)), type="regression")
        failure.text = _xml(_sentence(one))
    elif one.verdict in ("unproven", "not gated") or one.verdict.startswith("cannot fail"):
        ET.SubElement(case, "skipped", message=_xml(f"{one.verdict}; {_sentence(one)}"))
    else:
        output = ET.SubElement(case, "system-out")
        output.text = _xml(f"{one.verdict}; {_sentence(one)}")
    return case


def as_annotations(report: Report) -> Iterator[str]:
    """Commands of GitHub Actions: errors for regressions, warnings for what stays open."""
    verdict = f"towereval compare: {report.verdict}"
    for one in report.comparisons:
        if one.verdict == "regression":
            yield annotation("error", "towereval: regression", f"{place(one)}: {_sentence(one)}")
        elif one.verdict == "drop within the margin":
            yield annotation("warning", "towereval: drop", f"{place(one)}: {_sentence(one)}")
    if report.verdict is Verdict.INCONCLUSIVE:
        for reason in report.reasons:
            yield annotation("warning", "towereval: inconclusive", reason)
    for notice in report.notices:
        yield annotation("notice", "towereval", notice)
    yield verdict


def annotation(level: str, title: str, text: str) -> str:
    """https://docs.github.com/actions/reference/workflow-commands: values are percent-encoded."""
    return (
        f"::{level} title={title.replace(':', '%3A')}::{visible(text, LONGEST).replace('%', '%25')}"
    )


def _sentence(one: Comparison) -> str:
    adjusted = (
        "" if one.p_adjusted is None else f", adjusted p of a drop {probability(one.p_adjusted)}"
    )
    return (
        f"{number(one.base, one.scale)} to {number(one.candidate, one.scale)}, difference"
        f" {signed(one.delta, one.scale)} ({interval(one)}){adjusted}, {one.n} samples,"
        f" {one.discordant} of {one.clusters} clusters differ"
    )


def _xml(text: str) -> str:
    return _NO_XML.sub("\ufffd", visible(text, LONGEST))


def named(one: Comparison) -> str:
    """The metric, and which way it is better where not by being larger."""
    return f"{one.metric}{WAYS[one.better]}"


def number(value: float, scale: float) -> str:
    """As a board shows it: three digits of 1, one digit of 100."""
    return f"{value:.1f}" if scale >= 100 else f"{value:.3f}"


def signed(value: float, scale: float) -> str:
    shown = number(value, scale)
    return shown if shown.startswith("-") else f"+{shown}"


def interval(one: Comparison) -> str:
    if one.ci_low is None or one.ci_high is None:
        return "-"
    return f"{signed(one.ci_low, one.scale)} to {signed(one.ci_high, one.scale)}"


def probability(p: float | None) -> str:
    if p is None:
        return "-"
    return f"{p:.3f}" if p >= 0.001 else "<0.001"
