"""CC-OCR's document track: LaTeX and SMILES by normalised edit distance, tables by TEDS.

Rules: https://github.com/AlibabaResearch/AdvancedLiterateMachinery, Benchmarks/CC-OCR (2025-04-09).
TEDS: X. Zhong et al., Image-based table recognition: data, model, and evaluation, ECCV 2020.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from towereval.errors import Unscorable
from towereval.metrics.extras import extra_module
from towereval.metrics.spans import replace_spans
from towereval.metrics.trees import Node, levenshtein, tree_edit_distance
from towereval.types import Better, Response, Sample


@dataclass(frozen=True, slots=True)
class OneMinusNed:
    """`meta["op"]`, CC-OCR's word, says what is compared: "doc", "formula" or "molecular"."""

    name: ClassVar[str] = "one_minus_ned"
    signature: ClassVar[str] = "one_minus_ned|rule:cc_ocr|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        prediction, reference = responses[0].text, _reference(sample)
        op = sample.meta.get("op", "")
        if op == "doc":
            return (doc_similarity(prediction, reference),)
        if op == "formula":
            return (formula_similarity(prediction, reference),)
        if op == "molecular":
            return (molecular_similarity(prediction, reference),)
        raise Unscorable(f"the op {op!r} is not compared by edit distance")

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


@dataclass(frozen=True, slots=True)
class Teds:
    name: ClassVar[str] = "teds"
    signature: ClassVar[str] = "teds|rule:cc_ocr|structure:no|version:1"
    scale: ClassVar[float] = 1.0
    mean: ClassVar[bool] = True
    better: ClassVar[Better] = "larger"

    def sample(self, sample: Sample, responses: Sequence[Response]) -> tuple[float, ...]:
        return (teds(responses[0].text, _reference(sample)),)

    def corpus(self, total: Sequence[float], count: int) -> float:
        return total[0] / count


def doc_similarity(prediction: str, reference: str) -> float:
    for opening, *closings in _PREAMBLE:
        prediction = replace_spans(prediction, opening, *closings)
    return one_minus_ned(_without_breaks(_fenced(prediction, "latex")), _without_breaks(reference))


def formula_similarity(prediction: str, reference: str) -> float:
    """The reference loses its blanks only: a line break in it stays and costs."""
    for mark in ("```latex", "```", "\t", "\n", " "):
        prediction = prediction.replace(mark, "")
    return one_minus_ned(prediction, reference.replace(" ", ""))


def molecular_similarity(prediction: str, reference: str) -> float:
    for mark in ("\n", " ", "<smiles>", "</smiles>"):
        prediction = prediction.replace(mark, "")
    return one_minus_ned(prediction, reference.replace(" ", ""))


def one_minus_ned(prediction: str, reference: str) -> float:
    longest = max(len(prediction), len(reference))
    if not longest:
        raise Unscorable("prediction and reference are both empty")
    return 1 - levenshtein()(prediction, reference) / longest


def teds(prediction: str, reference: str) -> float:
    """Of the first table of either side. A `th` is a node, but its text is not compared."""
    tables = [_table(clean_table(text)) for text in (_fenced(prediction, "html"), reference)]
    if any(table is None for table in tables):
        return 0.0
    # Tags within cells count here, though cells are leaves of the trees: the official rule.
    largest = max(len(table.xpath(".//*")) for table in tables)
    if not largest:
        raise Unscorable("both tables are empty")
    first, second = (_tree(table) for table in tables)
    return 1.0 - tree_edit_distance(first, second, lambda _: 1.0, _renaming) / largest


_PREAMBLE = (
    ("\\documentclass{", "}"),
    ("\\usepackage[", "]{", "}"),
    ("\\usepackage{", "}"),
    ("\\geometry{", "}"),
    ("\\begin{document}",),
    ("\\end{document}",),
    ("\\noindent",),
)


def _fenced(text: str, language: str) -> str:
    """The body of the first closed code fence of that language, else what follows the open one."""
    found = re.search(f"```{language}(.+?)```", text, re.DOTALL)
    if found:
        return found[1]
    _, *bodies = text.split(f"```{language}")
    return bodies[0] if bodies else text


def _without_breaks(text: str) -> str:
    return text.replace(" ", "").replace("\n", "")


def clean_table(text: str) -> str:
    """The tables of a text, joined, without blanks in cells and attributes of `table`.

    An opening tag over two lines keeps its attributes, and is spoilt when its line break goes.
    """
    if "</table>" not in text:
        text += "</table>"
    cleaned = []
    position = text.find("<table")
    while position >= 0:
        opened = text.find(">", position)
        closed = text.find("</table>", opened + 1)
        if opened < 0 or closed < 0:
            break
        end = closed + len("</table>")
        table = replace_spans(text[position:end], "<table", ">", instead="<table>")
        table = re.sub(r">\s+<", "><", table)
        table = re.sub(">[^<]*<", lambda cell: _without_breaks(cell[0]), table)
        cleaned.append(table.replace("\n", "").strip())
        position = text.find("<table", end)
    return "".join(cleaned)


_HALF_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}


def _table(markup: str) -> Any:
    """The first table as lxml reads it, None where there is none."""
    html = extra_module("lxml.html")
    parser = html.HTMLParser(remove_comments=True, encoding="utf-8")
    markup = f"<html><body>{markup.translate(_HALF_WIDTH)}</body></html>"
    try:
        tables = html.document_fromstring(markup.encode(), parser=parser).xpath("body/table")
    except ValueError as error:
        raise Unscorable(f"the table is not HTML: {error}") from error
    return tables[0] if tables else None


@dataclass(frozen=True, slots=True)
class _Element:
    """A cell's span and tokens; other elements have neither."""

    tag: str
    colspan: int = 0
    rowspan: int = 0
    tokens: Sequence[str] = ()


def _tree(element: Any) -> Node[_Element]:
    if element.tag == "td":
        return Node(_cell(element))
    return Node(_Element(str(element.tag)), [_tree(child) for child in element])


def _cell(element: Any) -> _Element:
    try:
        colspan, rowspan = (int(element.get(name, "1")) for name in ("colspan", "rowspan"))
    except ValueError as error:
        raise Unscorable(f"a cell spans no whole number of others: {error}") from error
    tokens = list(_tokens(element))[1:-1]
    # Without inner tags the tokens are characters, which compare faster as a string.
    return _Element("td", colspan, rowspan, tokens if len(element) else "".join(tokens))


def _tokens(element: Any) -> Iterator[str]:
    """Tags and characters, in order; what follows an inner tag is the cell's, too."""
    yield f"<{element.tag}>"
    yield from element.text or ""
    for child in element:
        yield from _tokens(child)
    if element.tag != "unk":
        yield f"</{element.tag}>"
    if element.tag != "td":
        yield from element.tail or ""


def _renaming(first: _Element, second: _Element) -> float:
    if (first.tag, first.colspan, first.rowspan) != (second.tag, second.colspan, second.rowspan):
        return 1.0
    longest = max(len(first.tokens), len(second.tokens))
    return levenshtein()(first.tokens, second.tokens) / longest if longest else 0.0


def _reference(sample: Sample) -> str:
    if not sample.references:
        raise Unscorable("the sample has no reference")
    return sample.references[0]
