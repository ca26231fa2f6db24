"""Pictures that the project draws: shapes, printed words, icons, clips. No fonts, no files.

H, W, 3: height, width and colour channels, uint8.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 48
FRAMES = 4  # of a clip
STEPS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
RGB: Mapping[str, tuple[int, int, int]] = {
    "red": (220, 30, 30),
    "blue": (40, 60, 230),
    "green": (30, 160, 50),
    "yellow": (240, 220, 30),
    "black": (15, 15, 15),
    "white": (250, 250, 250),
}
PLACES: Mapping[str, tuple[tuple[int, int], ...]] = {
    "alone": ((24, 24),),
    "beside": ((12, 24), (36, 24)),
    "above": ((24, 12), (24, 36)),
}
# Ambiguous word -> its two senses -> shape, colour, centre and radius. Signs, not likenesses.
ICONS: Mapping[str, tuple[tuple[tuple[str, str, int, int, int], ...], ...]] = {
    "bank": (
        (("square", "blue", 10, 38, 12), ("square", "blue", 36, 38, 12)),
        (("square", "yellow", 24, 32, 12), ("triangle", "black", 24, 12, 10)),
    ),
    "bat": (
        (("triangle", "black", 13, 22, 11), ("triangle", "black", 35, 22, 11)),
        (("cross", "red", 24, 24, 15),),
    ),
    "seal": (
        (("circle", "black", 17, 28, 11), ("circle", "black", 33, 28, 11)),
        (("circle", "red", 24, 24, 15), ("star", "yellow", 24, 24, 9)),
    ),
    "trunk": (
        (("circle", "green", 24, 13, 12), ("square", "black", 24, 37, 8)),
        (("circle", "white", 15, 18, 11), ("square", "white", 34, 33, 10)),
    ),
    "bow": (
        (("diamond", "green", 11, 24, 10), ("cross", "yellow", 34, 24, 11)),
        (("triangle", "red", 12, 24, 10), ("triangle", "blue", 36, 24, 10)),
    ),
    "pitcher": (
        (("square", "blue", 20, 29, 13), ("circle", "white", 38, 14, 7)),
        (("cross", "black", 16, 28, 12), ("circle", "yellow", 37, 12, 8)),
    ),
}
# Letter -> seven rows of five dots, as hexadecimal pairs.
_ROWS = {
    "A": "0e11111f111111",
    "C": "0e11101010110e",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11191513111111",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "X": "11110a040a1111",
    "Y": "11110a04040404",
    "Z": "1f01020408101f",
}
LETTERS = "".join(_ROWS)


def scene(random: Random, arrangement: str, things: Sequence[tuple[str, str]]) -> NDArray[Any]:
    """Things of (colour, shape) at their places, each a little off."""
    picture = _ground(random, SIDE)
    for (colour, shape), (x, y) in zip(things, PLACES[arrangement], strict=True):
        at = x + random.randint(-2, 2), y + random.randint(-2, 2)
        _put(picture, shape, colour, *at, random.uniform(9, 11), random)
    return picture.astype(np.uint8)


def icon(random: Random, word: str, sense: int) -> NDArray[Any]:
    picture = _ground(random, SIDE)
    right, down = random.randint(-2, 2), random.randint(-2, 2)
    for shape, colour, x, y, radius in ICONS[word][sense]:
        size = radius * random.uniform(0.92, 1.08)
        _put(picture, shape, colour, x + right, y + down, size, random)
    return picture.astype(np.uint8)


def word(random: Random, text: str) -> NDArray[Any]:
    """A picture twice as wide as high with up to four letters, 15 by 21 pixels each."""
    picture = _ground(random, 2 * SIDE)
    colour = RGB[random.choice(("black", "white", "blue", "red"))]
    left, top = random.randint(3, 6), random.randint(11, 15)
    for index, letter in enumerate(text):
        at = left + 23 * index
        picture[top : top + 21, at : at + 15][_glyph(letter)] = colour
    return picture.astype(np.uint8)


def moving(random: Random, colour: str, shape: str, move: str) -> tuple[NDArray[Any], ...]:
    """FRAMES pictures of a thing on its way through the middle."""
    right, down = STEPS[move]
    x, y = 24 + random.uniform(-3, 3), 24 + random.uniform(-3, 3)
    pace = random.uniform(7.5, 9)
    frames = []
    for number in range(FRAMES):
        picture, gone = _ground(random, SIDE), pace * (number - (FRAMES - 1) / 2)
        _put(picture, shape, colour, x + right * gone, y + down * gone, 9, random)
        frames.append(picture.astype(np.uint8))
    return tuple(frames)


def changing(random: Random, shape: str, first: str, last: str) -> tuple[NDArray[Any], ...]:
    """FRAMES pictures of a thing that trembles and at some time has another colour."""
    change = random.randint(1, FRAMES - 1)
    frames = []
    for number in range(FRAMES):
        picture, colour = _ground(random, SIDE), first if number < change else last
        at = 24 + random.randint(-4, 4), 24 + random.randint(-4, 4)
        _put(picture, shape, colour, *at, 10, random)
        frames.append(picture.astype(np.uint8))
    return tuple(frames)


def _ground(random: Random, width: int) -> NDArray[Any]:
    noise = _noise()  # windows of one field: fresh noise would be most of the work
    y, x = random.randrange(400 - SIDE), random.randrange(400 - width)
    return random.randint(120, 175) + noise[y : y + SIDE, x : x + width]


def _put(
    picture: NDArray[Any],
    shape: str,
    colour: str,
    x: float,
    y: float,
    radius: float,
    random: Random,
) -> None:
    jitter = np.array([random.randint(-12, 12) for _ in range(3)])
    picture[_mask(shape, x, y, radius)] = np.clip(np.array(RGB[colour]) + jitter, 0, 255)


def _mask(shape: str, x: float, y: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = _grid()
    right, down = columns - x, rows - y
    wide, high = np.abs(right), np.abs(down)
    mask: NDArray[np.bool_]
    if shape == "circle":
        mask = right**2 + down**2 <= radius**2
    elif shape == "square":
        mask = np.maximum(wide, high) <= radius * 0.85
    elif shape == "triangle":
        mask = (down <= radius * 0.8) & (down >= wide * 1.8 - radius)
    elif shape == "cross":
        bar = radius * 0.33
        mask = ((wide <= bar) & (high <= radius)) | ((high <= bar) & (wide <= radius))
    elif shape == "diamond":
        mask = wide * 1.4 + high <= radius
    else:
        reach = 0.62 + 0.42 * np.cos(5 * (np.arctan2(down, right) + np.pi / 2))
        mask = np.hypot(right, down) <= radius * reach
    return mask


@functools.cache
def _grid() -> tuple[NDArray[Any], NDArray[Any]]:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32)
    return rows, columns


@functools.cache
def _noise() -> NDArray[Any]:
    return np.random.default_rng(0).normal(0, 6, (400, 400, 3)).astype(np.float32)


@functools.cache
def _glyph(letter: str) -> NDArray[np.bool_]:
    rows = [int(_ROWS[letter][at : at + 2], 16) for at in range(0, 14, 2)]
    dots = [[row >> bit & 1 for bit in range(4, -1, -1)] for row in rows]
    return np.kron(np.array(dots), np.ones((3, 3), dtype=int)).astype(bool)
