"""Which examples share a row of a batch: decided from their numbers of tokens and tiles alone.

Rows that go through a model one by one want to be few. Rows that are stacked are as wide as the
longest of them, so they want to be equally long: padding is computed like any token.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from towereval.errors import DataError
from towereval.train.packing import Example

# Stacked rows are no longer than it takes to be so full: eager attention costs by length squared.
FULL = 0.97
_AT_ONCE = 2  # so many examples of a row, at most, change places with some of another


@dataclass(frozen=True, slots=True)
class Room:
    """What a row holds at most; `examples` None is as many as there is room for."""

    tokens: int
    tiles: int
    examples: int | None = None


def pack(examples: Sequence[Example], room: Room, *, stacked: bool = False) -> list[list[int]]:
    """Indices of the examples of each row, the longest row first.

    `stacked` rows are the shortest ones of which a share of `FULL` is tokens, else the fullest that
    are found. Other rows are as few as first fit makes them, the longest example first. Raises
    `DataError` for an example that no row can hold.
    """
    sizes = [(len(example.ids), example.tiles) for example in examples]
    for tokens, tiles in sizes:
        if tokens > room.tokens or tiles > room.tiles:
            raise DataError(
                f"an example of {tokens} tokens and {tiles} tiles; a pack holds {room.tokens} and"
                f" {room.tiles}"
            )
    rows = _stacked(sizes, room) if stacked and sizes else _first_fit(sizes, room)
    return [row.held for row in sorted(rows, key=lambda row: -row.tokens)]


@dataclass(slots=True)
class _Row:
    held: list[int] = field(default_factory=list)
    tokens: int = 0
    tiles: int = 0

    def put(self, index: int, size: tuple[int, int]) -> None:
        self.held.append(index)
        self.tokens += size[0]
        self.tiles += size[1]

    def may_have(self, tiles: int, count: int, room: Room) -> bool:
        """Whether so many more tiles and examples are within the room."""
        many = room.examples is not None and len(self.held) + count > room.examples
        return not many and self.tiles + tiles <= room.tiles


def _longest_first(sizes: Sequence[tuple[int, int]]) -> list[int]:
    return sorted(range(len(sizes)), key=lambda i: (-sizes[i][0], i))


def _first_fit(sizes: Sequence[tuple[int, int]], room: Room) -> list[_Row]:
    rows: list[_Row] = []
    for index in _longest_first(sizes):
        tokens, tiles = sizes[index]
        for row in rows:
            if row.tokens + tokens <= room.tokens and row.may_have(tiles, 1, room):
                row.put(index, sizes[index])
                break
        else:
            rows.append(_Row([index], tokens, tiles))
    return rows


def _stacked(sizes: Sequence[tuple[int, int]], room: Room) -> list[_Row]:
    """Tries ever fewer rows, which are ever longer, from one for each example on."""
    total, longest = sum(tokens for tokens, _ in sizes), max(tokens for tokens, _ in sizes)
    best: list[_Row] = []
    area = 0
    for count in range(len(sizes), 0, -1):
        shortest = max(longest, -(-total // count))
        if shortest > room.tokens:
            break
        if best and count * shortest >= area:
            continue
        rows = _dealt(sizes, room, count)
        if rows is None:
            continue
        _level(rows, sizes, room, max(shortest, total / (FULL * count)))
        width = max(row.tokens for row in rows)
        if width <= room.tokens and (not best or count * width < area):
            best, area = rows, count * width
            if total >= FULL * area:
                break
    return best


def _dealt(sizes: Sequence[tuple[int, int]], room: Room, count: int) -> list[_Row] | None:
    """The longest example first, each to the shortest row that has tiles left; or None has."""
    rows = [_Row() for _ in range(count)]
    for index in _longest_first(sizes):
        free = [row for row in rows if row.may_have(sizes[index][1], 1, room)]
        if not free:
            return None
        min(free, key=lambda row: row.tokens).put(index, sizes[index])
    return rows


def _level(rows: list[_Row], sizes: Sequence[tuple[int, int]], room: Room, enough: float) -> None:
    """Exchange examples of the longest row for those of another, until it is short enough.

    Each time those of which the longer of the two rows is shortest then; as long as any helps.
    """
    while (most := max(rows, key=lambda row: row.tokens)).tokens > enough:
        length = most.tokens
        found: tuple[_Row, _Group, _Group] | None = None
        own = _groups(most, sizes)
        for other in rows:
            gap = most.tokens - other.tokens
            for taken in _groups(other, sizes) if gap > 1 else ():
                for given in own:
                    moved = given.tokens - taken.tokens
                    if not 0 < moved < gap:
                        continue
                    longer = max(most.tokens - moved, other.tokens + moved)
                    if longer < length and _may_exchange(most, given, other, taken, room):
                        length, found = longer, (other, given, taken)
        if found is None:
            return
        other, given, taken = found
        for row, leaving, coming in ((most, given, taken), (other, taken, given)):
            row.held = [index for index in row.held if index not in leaving.held]
            row.held += coming.held
            row.tokens += coming.tokens - leaving.tokens
            row.tiles += coming.tiles - leaving.tiles


def _may_exchange(most: _Row, given: _Group, other: _Row, taken: _Group, room: Room) -> bool:
    tiles, count = given.tiles - taken.tiles, len(given.held) - len(taken.held)
    return other.may_have(tiles, count, room) and most.may_have(-tiles, -count, room)


@dataclass(frozen=True, slots=True)
class _Group:
    held: tuple[int, ...]
    tokens: int
    tiles: int


def _groups(row: _Row, sizes: Sequence[tuple[int, int]]) -> list[_Group]:
    return [
        _Group(held, sum(sizes[i][0] for i in held), sum(sizes[i][1] for i in held))
        for count in range(_AT_ONCE + 1)
        for held in itertools.combinations(row.held, count)
    ]
