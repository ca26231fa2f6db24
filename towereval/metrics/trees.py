"""The distance between two ordered trees: the cheapest way to delete, insert and rename nodes.

K. Zhang and D. Shasha, Simple fast algorithms for the editing distance between trees and related
problems, SIAM J. Comput. 18(6), 1989. The packages apted and zss compute the same minimum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Generic, TypeVar

from towereval.errors import Unscorable
from towereval.metrics.extras import extra_module

Label = TypeVar("Label")

# Two tables of a thousand cells take half of it and four seconds; no model means to write more.
MOST_STEPS = 20_000_000


@dataclass(slots=True)
class Node(Generic[Label]):
    label: Label
    children: list[Node[Label]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Postorder(Generic[Label]):
    """Nodes in postorder; `leftmost[i]` is the first leaf below node i.

    A keyroot is the last node in postorder among those that share a leftmost leaf.
    """

    labels: Sequence[Label]
    leftmost: Sequence[int]

    @property
    def keyroots(self) -> list[int]:
        return sorted({first: index for index, first in enumerate(self.leftmost)}.values())

    @property
    def steps(self) -> int:
        return sum(root - self.leftmost[root] + 1 for root in self.keyroots)


@cache
def levenshtein() -> Callable[[Sequence[str], Sequence[str]], int]:
    """The same distance of two strings."""
    distance: Callable[[Sequence[str], Sequence[str]], int] = extra_module(
        "rapidfuzz.distance.Levenshtein"
    ).distance
    return distance


def tree_edit_distance(
    first: Node[Label],
    second: Node[Label],
    weight: Callable[[Label], float],
    renaming: Callable[[Label, Label], float],
) -> float:
    """`weight` is what it costs to delete or to insert a node."""
    one, two = _postorder(first), _postorder(second)
    if one.steps * two.steps > MOST_STEPS:
        raise Unscorable(
            f"trees of {len(one.labels)} and {len(two.labels)} nodes are too large to compare"
        )
    deletions = [weight(label) for label in one.labels]
    insertions = [weight(label) for label in two.labels]
    distances = [[0.0] * len(two.labels) for _ in one.labels]
    columns = two.keyroots
    for row in one.keyroots:
        for column in columns:
            if one.leftmost[row] == row and two.leftmost[column] == column:
                renamed = renaming(one.labels[row], two.labels[column])
                distances[row][column] = min(deletions[row] + insertions[column], renamed)
            else:
                _fill(one, two, (row, column), (deletions, insertions), renaming, distances)
    return distances[-1][-1]


def _fill(
    one: _Postorder[Label],
    two: _Postorder[Label],
    roots: tuple[int, int],
    weights: tuple[list[float], list[float]],
    renaming: Callable[[Label, Label], float],
    distances: list[list[float]],
) -> None:
    """The distances of the subtrees on the left spines of two keyroots, from those below them."""
    deletions, insertions = weights
    top, left = one.leftmost[roots[0]], two.leftmost[roots[1]]
    columns = range(left, roots[1] + 1)
    begins = [two.leftmost[column] - left for column in columns]
    above = [0.0]
    for column in columns:
        above.append(above[-1] + insertions[column])
    forests = [above]
    for row in range(top, roots[0] + 1):
        deletion, first = deletions[row], one.leftmost[row]
        before = forests[first - top]
        known, label = distances[row], one.labels[row]
        cost = above[0] + deletion
        current = [cost]
        for place, column in enumerate(columns):
            cost += insertions[column]
            shorter = above[place + 1] + deletion
            if shorter < cost:
                cost = shorter
            begin = begins[place]
            if begin or first != top:
                cost = min(cost, before[begin] + known[column])
            else:
                cost = min(cost, above[place] + renaming(label, two.labels[column]))
                known[column] = cost
            current.append(cost)
        forests.append(current)
        above = current


def _postorder(root: Node[Label]) -> _Postorder[Label]:
    labels: list[Label] = []
    leftmost: list[int] = []
    # A node is met twice: on the way down, and, with the index of its first leaf, on the way up.
    stack: list[tuple[Node[Label], int]] = [(root, -1)]
    while stack:
        node, first = stack.pop()
        if first < 0 and node.children:
            stack.append((node, len(labels)))
            stack.extend((child, -1) for child in reversed(node.children))
        else:
            leftmost.append(first if first >= 0 else len(labels))
            labels.append(node.label)
    return _Postorder(labels, leftmost)
