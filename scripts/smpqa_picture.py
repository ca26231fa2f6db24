"""Writes docs/images/smpqa.png: two plots of the bundled samples in each of eleven languages.

python scripts/smpqa_picture.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
PLOTS = ROOT / "towereval/data/samples/smpqa/images"
LANGUAGES = ("en", "de", "it", "id", "zu", "ru", "ar", "hi", "th", "ko", "zh")
WIDE, CELL = 4, (330, 220)


def main() -> None:
    files = [PLOTS / code / f"{name}.png" for code in LANGUAGES for name in ("bar-000", "pie-000")]
    rows = -(-len(files) // WIDE)
    sheet = Image.new("RGB", (WIDE * CELL[0], rows * CELL[1]), "white")
    for number, file in enumerate(files):
        plot = Image.open(file).convert("RGB")
        plot.thumbnail((CELL[0] - 10, CELL[1] - 10), Image.Resampling.LANCZOS)
        sheet.paste(plot, (number % WIDE * CELL[0] + 5, number // WIDE * CELL[1] + 5))
    sheet.quantize(64, dither=Image.Dither.NONE).save(ROOT / "docs/images/smpqa.png", optimize=True)


if __name__ == "__main__":
    main()
