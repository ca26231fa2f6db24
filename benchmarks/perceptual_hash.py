"""How far a picture's hash moves when the picture is copied, and how far other pictures are.

    python benchmarks/perceptual_hash.py

Of the bundled samples' different pictures, which the project has drawn and made itself.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import combinations

import numpy as np
from PIL import Image, ImageEnhance

from towereval.corpus.perceptual import DISTANCE, distances, perceptual_hash
from towereval.plan import SAMPLES


def pictures() -> Iterator[tuple[str, Image.Image]]:
    """Each with the task it is of."""
    seen = set()
    for file in sorted(SAMPLES.rglob("*.png")) + sorted(SAMPLES.rglob("*.jpg")):
        with Image.open(file) as one:
            picture = one.convert("RGB")
        key = hashlib.sha256(picture.tobytes()).digest()
        if key not in seen:
            seen.add(key)
            yield file.relative_to(SAMPLES).parts[0], picture


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return Image.open(data).convert("RGB")


def half(picture: Image.Image) -> Image.Image:
    return picture.resize((max(1, picture.width // 2), max(1, picture.height // 2)))


def brighter(picture: Image.Image, factor: float) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(factor)


def cropped(picture: Image.Image) -> Image.Image:
    """Without a fiftieth at each side."""
    width, height = picture.size
    return picture.crop((width // 50, height // 50, width - width // 50, height - height // 50))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG, quality 30": lambda one: jpeg(one, 30),
    "half the size": half,
    "224 x 224": lambda one: one.resize((224, 224)),
    "a fifth brighter": lambda one: brighter(one, 1.2),
    "half, brighter, JPEG 50": lambda one: jpeg(brighter(half(one), 1.1), 50),
    "2% cropped at each side": cropped,
}


def main() -> None:
    found = []
    for task, picture in pictures():
        if (words := perceptual_hash(picture)) is not None:
            found.append((task, picture, words))
    print(f"{len(found)} pictures; taken for copies: at most {DISTANCE} of 256 bits")
    for name, copy in COPIES.items():
        hashes = [(words, perceptual_hash(copy(one))) for _, one, words in found]
        apart = np.array([distances(a, b[None])[0] for a, b in hashes if b is not None])
        told = np.mean(apart <= DISTANCE)
        print(f"{name}: median {np.median(apart):.0f} bits, at most {apart.max()}, {told:.0%} told")
    pairs = [
        (int(distances(a, b[None])[0]), tuple(sorted({one, other})))
        for (one, _, a), (other, _, b) in combinations(found, 2)
    ]
    apart = np.array([distance for distance, _ in pairs])
    taken = Counter(tasks for distance, tasks in pairs if distance <= DISTANCE)
    print(
        f"other pictures, {len(pairs)} pairs: median {np.median(apart):.0f} bits;"
        f" {taken.total()} taken for copies, by task: {dict(taken)}"
    )


if __name__ == "__main__":
    main()
