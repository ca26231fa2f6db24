"""Examples as tokens, packed side by side into rows that a model reads as if each stood alone.

Position ids start again at every example; from that transformers builds block-diagonal masks, full
and sliding. B packs, T tokens of the longest pack, I pictures, K tiles of the largest picture.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from towereval.errors import DataError
from towereval.train.clips import pixels_of_clips, tokens_of
from towereval.train.data import PLACE, LaterClip, Picture, Record, pixels_of
from towereval.train.recipe import View
from towereval.types import digest


@dataclass(frozen=True, slots=True)
class Rendering:
    """How a stage shows a conversation: `Stage` says what its fields mean."""

    prompt: Literal["chat", "plain"] = "chat"
    length_power: float = 0.0
    view: View = "tiles"
    frames: int = 32

    @property
    def key(self) -> str:
        """Of what lengths depend on."""
        return f"{self.prompt} {self.view}" + f" {self.frames}" * (self.view == "clips")


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids with pictures' placeholders expanded; a weight of 0 is not learned from."""

    source: str
    ids: tuple[int, ...]
    weights: tuple[float, ...]
    pictures: tuple[Picture, ...]
    tiles: int
    view: View = "tiles"


@dataclass(frozen=True, slots=True)
class Batch:
    """`targets` are the ids that follow; `lengths`, `learned` (tokens) and `sources` are
    those of the examples, in order.

    `pixels` and `sizes` (height, width) are None where no example has a picture; `sizes` also
    where pictures are shown whole, one tile each. `blank`: its one tile is nobody's picture.
    `clips` are clips' numbers of frames, where `pixels` are those.
    """

    ids_BT: Tensor
    positions_BT: Tensor
    targets_BT: Tensor
    weights_BT: Tensor
    pixels_IKCHW: Tensor | None
    sizes_I2: Tensor | None
    lengths: tuple[int, ...]
    learned: tuple[int, ...]
    sources: tuple[str, ...]
    tiles: int
    blank: bool = False
    clips: tuple[int, ...] = ()

    def to(self, device: torch.device) -> Batch:
        moved = {
            name: value.to(device, non_blocking=True)
            for name in self.__slots__
            if isinstance(value := getattr(self, name), Tensor)
        }
        return replace(self, **moved)

    @property
    def fill(self) -> float:
        """The share of tokens that are no padding."""
        return sum(self.lengths) / int(self.ids_BT.numel())


class Encoder:
    """A model's processor, as it will be asked later: the same tokens, the same pixels."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.tokenizer = processor.tokenizer
        self.image_id = self.tokenizer.convert_tokens_to_ids("<image>")
        self._sizes: dict[tuple[int, int], tuple[int, int]] = {}

    @functools.cached_property
    def digest(self) -> str:
        """Of all that decides tokens and tiles."""
        images = self.processor.image_processor.to_dict()
        return digest([self.tokenizer.backend_tokenizer.to_str(), images, self._side])

    @functools.cached_property
    def _side(self) -> int:
        """Patches along a tile's side."""
        side = self.processor.image_processor.crop_size["height"]
        return int(side // self.processor.patch_size)

    def example(self, record: Record, rendering: Rendering) -> Example:
        """Learned from are the assistant's words and the end of its turn.

        In the `plain` prompt the answer alone follows the pictures. Raises `DataError` where the
        places of pictures are not as many as the pictures.
        """
        sizes = [self._picture_size(picture, rendering.view) for picture in record.pictures]
        plain = rendering.prompt == "plain"
        ids: list[int] = [self.tokenizer.bos_token_id]
        weights = [0.0]
        placed = not plain and any(PLACE in turn.text for turn in record.turns)
        pictures = "" if placed else "<image>\n" * len(sizes)
        for turn in record.turns:
            if plain and turn.role != "assistant":
                continue
            role = "model" if turn.role == "assistant" else turn.role
            opening = "" if plain else f"<start_of_turn>{role}\n"
            closing = "\n" if plain else "<end_of_turn>"
            if pictures and (plain or turn.role == "user"):
                opening, pictures = opening + pictures, ""
            said = "<image>\n".join(part.strip() for part in turn.text.split(PLACE))
            if turn.role == "assistant":
                self._add(ids, weights, opening, 0.0)
                answer = self._tokens(said + closing)
                ids += answer
                weights += [len(answer) ** -rendering.length_power] * len(answer)
                self._add(ids, weights, "" if plain else "\n", 0.0)
            else:
                self._add(ids, weights, f"{opening}{said}{closing}\n", 0.0)
        expanded = self._expand(ids, weights, [tokens for tokens, _ in sizes])
        tiles = sum(count for _, count in sizes)
        return Example(record.source, *expanded, record.pictures, tiles, rendering.view)

    def pixels(self, pictures: Sequence[Picture]) -> tuple[Tensor, Tensor]:
        """I, K, C, H, W and I, 2 of some pictures: each whole and small, then its tiles."""
        shown = [pixels_of(picture) for picture in pictures]
        read = self.processor.image_processor(images=shown, return_tensors="pt")
        return read["pixel_values"], read["image_sizes"]

    def blank_tile(self) -> Tensor:
        side = self.processor.image_processor.crop_size["height"]
        return torch.zeros(1, 1, 3, side, side)

    def _add(self, ids: list[int], weights: list[float], text: str, weight: float) -> None:
        tokens = self._tokens(text) if text else []
        ids += tokens
        weights += [weight] * len(tokens)

    def _tokens(self, text: str) -> list[int]:
        tokens: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _picture_size(self, picture: Picture, view: View) -> tuple[int, int]:
        """Tokens and tiles, from its height and width, or its number of frames, alone."""
        from transformers.models.llava_next.modeling_llava_next import image_size_to_num_patches

        if isinstance(picture, LaterClip):
            return tokens_of(picture.frames, self._side), picture.frames
        if view == "single":
            return self._side**2, 1
        height, width = picture.shape[:2]
        if (height, width) not in self._sizes:
            # What vLLM asks too to know how many placeholders a picture has.
            read = self.processor._get_num_multimodal_tokens(image_sizes=[[height, width]])
            images = self.processor.image_processor
            pinpoints, side = images.image_grid_pinpoints, images.crop_size["height"]
            tiles = image_size_to_num_patches([height, width], pinpoints, side)
            self._sizes[height, width] = int(read["num_image_tokens"][0]), int(tiles)
        return self._sizes[height, width]

    def _expand(
        self, ids: list[int], weights: list[float], counts: list[int]
    ) -> tuple[tuple[int, ...], tuple[float, ...]]:
        places = [at for at, token in enumerate(ids) if token == self.image_id]
        if len(places) != len(counts):
            raise DataError(
                f"{len(counts)} pictures, but {len(places)} <image>: the text itself must have none"
            )
        for at, count in zip(reversed(places), reversed(counts), strict=True):
            ids[at : at + 1] = [self.image_id] * count
            weights[at : at + 1] = [0.0] * count
        return tuple(ids), tuple(weights)


def collate(
    examples: Sequence[Example],
    packs: Sequence[Sequence[int]],
    encoder: Encoder,
    *,
    width: int = 1,
    always_tile: bool = False,
) -> Batch:
    """Some packs as one batch; what fills up a pack is masked off as one more example would be.

    Rows are at least `width` long. With `always_tile` a batch without pictures has a blank tile.
    """
    # A process that has no pack this time steps along with an empty one.
    width = max(width, *(sum(len(examples[i].ids) for i in indices) for indices in packs))
    shape = (len(packs), width)
    ids = np.full(shape, encoder.tokenizer.pad_token_id, dtype=np.int64)
    positions = np.zeros(shape, dtype=np.int64)
    targets = np.zeros(shape, dtype=np.int64)
    weights = np.zeros(shape, dtype=np.float32)
    ordered = [examples[i] for indices in packs for i in indices]
    for row, indices in enumerate(packs):
        at = 0
        for example in (examples[i] for i in indices):
            end = at + len(example.ids)
            ids[row, at:end] = example.ids
            positions[row, at:end] = np.arange(end - at)
            targets[row, at : end - 1] = example.ids[1:]
            weights[row, at : end - 1] = example.weights[1:]
            at = end
        positions[row, at:] = np.arange(width - at)
    pictures = [picture for example in ordered for picture in example.pictures]
    pixels: Tensor | None = None
    sizes: Tensor | None = None
    clips: tuple[int, ...] = ()
    if pictures and ordered[0].view == "clips":
        shown = [pixels_of(picture) for picture in pictures]
        clips = tuple(len(frames) for frames in shown)
        pixels = pixels_of_clips(encoder.processor.image_processor, shown)
    elif pictures:
        pixels, sizes = encoder.pixels(pictures)
        if ordered[0].view == "single":
            pixels, sizes = pixels[:, :1], None
    blank = always_tile and pixels is None
    if blank:
        pixels = encoder.blank_tile()
    return Batch(
        torch.from_numpy(ids),
        torch.from_numpy(positions),
        torch.from_numpy(targets),
        torch.from_numpy(weights),
        pixels,
        sizes,
        tuple(len(example.ids) for example in ordered),
        tuple(sum(weight > 0 for weight in example.weights) for example in ordered),
        tuple(example.source for example in ordered),
        sum(example.tiles for example in ordered),
        blank,
        clips,
    )
