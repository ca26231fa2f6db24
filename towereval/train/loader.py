"""Makes the next step's batches while this one is learned from.

All processes make the same plan from the examples' lengths, and decode the pictures of their own
packs alone. Threads, since decoding holds no lock; how many, changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from towereval.train.data import pixels_of
from towereval.train.packing import Batch, Example, collate
from towereval.train.rows import Room, pack
from towereval.train.stage_data import StageData


@dataclass(frozen=True, slots=True)
class Prepared:
    """A step: this process's batches, and what all processes see together.

    `weight` is the sum of the learned tokens' weights, by which the step's loss is divided.
    """

    batches: tuple[Batch, ...]
    examples: int
    tokens: int
    too_long: int
    weight: float


class Loader:
    """The steps of a stage as `rank` of `world` processes sees them."""

    def __init__(
        self,
        data: StageData,
        workers: int = 1,
        rank: int = 0,
        world: int = 1,
        *,
        full_width: bool = False,
    ) -> None:
        self.data, self.rank, self.world = data, rank, world
        self.width = data.packing.tokens if full_width else 1
        self._next: tuple[int, Future[Prepared]] | None = None
        self._maker = ThreadPoolExecutor(1, "loader") if workers else None
        self._decoders = ThreadPoolExecutor(workers, "decoder") if workers > 1 else None

    def step(self, number: int, until: int) -> Prepared:
        """Step `number`; unless it is the last before `until`, the next is begun."""
        if self._maker is None:
            return self.prepare(number)
        begun = self._next if self._next and self._next[0] == number else None
        future = begun[1] if begun else self._maker.submit(self.prepare, number)
        prepared = future.result()
        more = number + 1 < until
        self._next = (number + 1, self._maker.submit(self.prepare, number + 1)) if more else None
        return prepared

    def close(self) -> None:
        for pool in (self._maker, self._decoders):
            if pool is not None:
                pool.shutdown(cancel_futures=True)

    def prepare(self, number: int) -> Prepared:
        examples, too_long = self.data.examples(number)
        packing = self.data.packing
        room = Room(packing.tokens, packing.tiles, packing.examples)
        packs = pack(examples, room, stacked=packing.packs > 1 and self.width == 1)
        own = share(packs, examples, self.rank, self.world)
        batches = []
        for at in range(0, len(own), packing.packs):
            rows = own[at : at + packing.packs]
            decoded = self._decoded(examples, rows)
            batch = collate(
                decoded, rows, self.data.encoder, width=self.width, always_tile=self.world > 1
            )
            batches.append(batch)
        return Prepared(
            tuple(batches),
            len(examples),
            sum(len(example.ids) for example in examples),
            too_long,
            sum(sum(example.weights[1:]) for example in examples),
        )

    def _decoded(self, examples: Sequence[Example], rows: Sequence[Sequence[int]]) -> list[Example]:
        """The examples of these packs with their pixels; the others as they are."""
        wanted = [at for row in rows for at in row if examples[at].pictures]
        pictures = [picture for at in wanted for picture in examples[at].pictures]
        mapped = self._decoders.map if self._decoders is not None else map
        shown = iter(mapped(pixels_of, pictures))
        found = list(examples)
        for at in wanted:
            decoded = tuple(next(shown) for _ in examples[at].pictures)
            found[at] = replace(examples[at], pictures=decoded)
        return found


def share(
    packs: Sequence[Sequence[int]], examples: Sequence[Example], rank: int, world: int
) -> list[list[int]]:
    """One process's packs: dealt out by their number of tiles, to and fro.

    All have equally many, for they step together: who would have none gets an empty one.
    """
    if world == 1:
        return [list(row) for row in packs]
    heavy = sorted(range(len(packs)), key=lambda i: (-sum(examples[e].tiles for e in packs[i]), i))
    own = []
    for at in range(0, len(heavy), world):
        turn = heavy[at : at + world] + [-1] * (world - len(heavy[at : at + world]))
        mine = turn[rank] if at // world % 2 == 0 else turn[world - 1 - rank]
        own.append([] if mine < 0 else list(packs[mine]))
    return own
