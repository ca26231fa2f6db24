from __future__ import annotations

import random

import pytest

from towereval.errors import Unscorable
from towereval.metrics.documents import OneMinusNed, Teds, teds
from towereval.metrics.spans import replace_spans
from towereval.metrics.trees import Node, tree_edit_distance
from towereval.types import Metric, Response, Sample

pytest.importorskip("rapidfuzz")
pytest.importorskip("lxml")


def score(metric: Metric, text: str, *references: str, **meta: str) -> float:
    sample = Sample("1", "zh", (), references=references, meta=meta)
    (value,) = metric.sample(sample, (Response(key="", text=text),))
    return value


@pytest.mark.parametrize(
    ("op", "text", "reference", "expected"),
    [
        ("doc", "\\noindent abcd", "ab cd", 1.0),
        ("formula", "\\noindent x", "x", 1 - 9 / 10),
        ("molecular", "<smiles>CCO</smiles>", "C C O", 1.0),
        ("formula", "<smiles>x", "x", 1 - 8 / 9),
    ],
)
def test_the_op_chooses_the_comparison(op: str, text: str, reference: str, expected: float) -> None:
    assert score(OneMinusNed(), text, reference, op=op) == pytest.approx(expected)


def test_a_table_is_not_compared_by_edit_distance() -> None:
    with pytest.raises(Unscorable):
        score(OneMinusNed(), "x", "x", op="table")


@pytest.mark.parametrize("metric", [OneMinusNed(), Teds()])
def test_without_reference_unscorable(metric: Metric) -> None:
    with pytest.raises(Unscorable):
        score(metric, "x", op="doc")


def test_teds_of_one_sample() -> None:
    table = "<table><tr><td>ab</td><td>cd</td></tr></table>"
    assert score(Teds(), table, table) == 1.0
    assert Teds().corpus((1.5,), 2) == 0.75


def test_a_table_too_large_to_compare_is_told() -> None:
    table = "<table>" + "<tr><td>a</td></tr>" * 3000 + "</table>"
    with pytest.raises(Unscorable, match="too large"):
        teds(table, table)


@pytest.mark.parametrize(
    ("text", "closings", "expected"),
    [
        ("a{b}c", ("}",), "ac"),
        ("a{b\n}c", ("}",), "a{b\n}c"),
        ("{{a}}", ("}",), "}"),
        ("{a]{b}c", ("]{", "}"), "c"),
        ("{a}{b]{c}d", ("]{", "}"), "d"),
        ("{a}{b", ("}",), "{b"),
        ("x{", (), "x"),
    ],
)
def test_spans(text: str, closings: tuple[str, ...], expected: str) -> None:
    assert replace_spans(text, "{", *closings) == expected


def random_tree(depth: int, generator: random.Random) -> Node[str]:
    count = generator.randrange(4) if depth else 0
    children = [random_tree(depth - 1, generator) for _ in range(count)]
    return Node(generator.choice("abc"), children)


def plain(forest: tuple[Node[str], ...], other: tuple[Node[str], ...]) -> float:
    """The textbook recursion over the last trees of two forests, exponential but plain."""
    if not forest or not other:
        return float(size(forest) + size(other))
    *before, last = forest
    *before_other, last_other = other
    return min(
        plain((*before, *last.children), other) + 1,
        plain(forest, (*before_other, *last_other.children)) + 1,
        plain(tuple(before), tuple(before_other))
        + plain(tuple(last.children), tuple(last_other.children))
        + (last.label != last_other.label),
    )


def size(forest: tuple[Node[str], ...]) -> int:
    return sum(1 + size(tuple(tree.children)) for tree in forest)


@pytest.mark.parametrize("seed", range(40))
def test_the_tree_distance_is_the_recursion_s(seed: int) -> None:
    generator = random.Random(seed)
    one, two = random_tree(2, generator), random_tree(2, generator)
    while size((one,)) * size((two,)) > 40:
        one, two = random_tree(2, generator), random_tree(2, generator)
    distance = tree_edit_distance(one, two, lambda _: 1.0, lambda a, b: float(a != b))
    assert distance == plain((one,), (two,))


def test_a_deep_tree_does_not_exhaust_the_stack() -> None:
    one, two = Node("a"), Node("a")
    for _ in range(1500):
        one = Node("a", [one])
    distance = tree_edit_distance(one, two, lambda _: 1.0, lambda a, b: float(a != b))
    assert distance == 1500.0
