"""How many floating-point operations a step is worth: a multiplication and addition count as two.

Model FLOPs: what is computed again in the backward pass is not counted, padding earns nothing, and
attention counts the pairs that causality and the window leave of each example. A backward pass
costs two forward passes where weights are trained; where only a gradient passes through frozen
ones, one in linear layers and two in attention.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from towereval.train.recipe import Part


@dataclass(frozen=True, slots=True)
class Work:
    """Forward FLOPs of one batch by where they are done."""

    patches: float
    vision: float
    vision_attention: float
    projector: float
    text: float
    text_attention: float
    head: float

    @property
    def forward(self) -> float:
        return sum(
            (
                self.patches,
                self.vision,
                self.vision_attention,
                self.projector,
                self.text,
                self.text_attention,
                self.head,
            )
        )

    def training(self, trainable: Collection[Part]) -> float:
        """Forward and backward, by the parts that are trained."""
        vision = "vision" in trainable
        projector = vision or "projector" in trainable
        text = "text" in trainable
        return (
            self.patches * (2 if vision else 1)  # no gradient goes to the pixels
            + (self.vision + self.vision_attention) * (3 if vision else 1)
            + self.projector * (3 if vision else 2 if projector else 1)
            + self.text * (3 if text else 2)
            + self.text_attention * 3
            + self.head * (3 if text else 2)
        )


def work(config: Any, lengths: Iterable[int], tiles: int, learned: int) -> Work:
    """Of examples of these lengths in tokens, with so many tiles and tokens that are learned from.

    Source of the counts: the layers of SigLIP, LLaVA-NeXT's projector and Gemma2 in transformers.
    """
    text, lengths = config.text_config, list(lengths)
    windows = [
        text.sliding_window if kind == "sliding_attention" else None for kind in text.layer_types
    ]
    pairs = sum(causal_pairs(length, window) for length in lengths for window in windows)
    return work_of_pairs(config, sum(lengths), pairs, tiles, learned)


def work_of_pairs(config: Any, tokens: int, pairs: float, tiles: int, learned: int) -> Work:
    """`pairs` are those of queries and keys, summed over the layers."""
    text, vision = config.text_config, config.vision_config
    queries = text.num_attention_heads * text.head_dim
    keys = text.num_key_value_heads * text.head_dim
    layer = text.hidden_size * (2 * queries + 2 * keys + 3 * text.intermediate_size)
    patches = (vision.image_size // vision.patch_size) ** 2
    # All layers are run, also those after the one that is read.
    width, layers = vision.hidden_size, vision.num_hidden_layers
    block = 4 * width**2 + 2 * width * vision.intermediate_size
    return Work(
        patches=2 * tiles * patches * vision.num_channels * vision.patch_size**2 * width,
        vision=2 * tiles * layers * patches * block,
        vision_attention=4 * tiles * layers * patches**2 * width,
        projector=2 * tiles * patches * text.hidden_size * (width + text.hidden_size),
        text=2 * tokens * text.num_hidden_layers * layer,
        text_attention=4 * pairs * queries,
        head=2 * learned * text.hidden_size * text.vocab_size,
    )


def causal_pairs(length: int, window: int | None) -> int:
    """How many keys the queries of one example see in all."""
    if window is None or window >= length:
        return length * (length + 1) // 2
    return window * (window + 1) // 2 + (length - window) * window
