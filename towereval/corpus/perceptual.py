"""A picture's hash by what it shows: equal or near for copies that were re-encoded or resized.

The signs of low frequencies (a "pHash"): the picture in grey at 32 x 32 pixels, its discrete cosine
transform, of the 16 x 16 lowest frequencies those above their median. 256 bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Pixels

SIDE, LOWEST = 32, 16
# Bits by which two hashes of one picture may differ: see docs/corpus.md for what was measured.
DISTANCE = 24
# Standard deviation in grey levels, of 255: a flatter picture has no frequencies, only noise.
FLAT = 2.0


def perceptual_hash(pixels: Pixels) -> NDArray[np.uint64] | None:
    """Four words of 64 bits, None for a picture of one colour."""
    import numpy as np
    from PIL import Image
    from scipy.fft import dctn

    grey = pixels.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    levels_HW = np.asarray(grey, dtype=np.float64)
    if levels_HW.std() < FLAT:
        return None
    lowest_FF = dctn(levels_HW, norm="ortho")[:LOWEST, :LOWEST]
    bits = (lowest_FF > np.median(lowest_FF)).ravel()
    return np.packbits(bits).view(np.uint64)


def distances(words: NDArray[np.uint64], hashes_N4: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Bits that differ from each of N hashes."""
    import numpy as np

    distance_N: NDArray[np.int64] = np.bitwise_count(hashes_N4 ^ words).sum(axis=1, dtype=np.int64)
    return distance_N
