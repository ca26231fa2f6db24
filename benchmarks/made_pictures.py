"""Pictures of 1024x768 as JPEGs of about 127 kB, all different, and a question about each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

# The folder of the task that reads them, for TOWEREVAL_PATH.
PLUGINS = Path(__file__).parent / "pictures"
QUESTIONS = {
    "en": "What is shown in picture {}? Answer shortly.",
    "de": "Was zeigt Bild {}? Antworte kurz.",
    "fr": "Que montre la photo {} ? Bref.",
    "es": "Que muestra la foto {}? Breve.",
    "pt": "O que mostra a foto {}? Seja breve.",
    "it": "Che cosa mostra la foto {}? Breve.",
    "nl": "Wat toont foto {}? Antwoord kort.",
}
WIDTH, HEIGHT = 1024, 768


def write_pictures(folder: Path, count: int, languages: Sequence[str] = ("en",)) -> None:
    """`test.jsonl` has all of one language, then all of the next, as benchmarks come.

    Smooth patches and noise: near the worst case for PNG, like a photograph for JPEG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    noise_HWC = rng.normal(0, 4.2, (HEIGHT, WIDTH, 3)).astype(np.float32)
    for number in range(count):
        patches_HWC = rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)
        smooth = Image.fromarray(patches_HWC).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        noisy_HWC = np.asarray(smooth) + np.roll(noise_HWC, number * 7, axis=1)
        picture = Image.fromarray(np.clip(noisy_HWC, 0, 255).astype(np.uint8))
        picture.save(folder / name_of(number), "JPEG", quality=88)
    with (folder / "test.jsonl").open("w", encoding="utf-8") as lines:
        for language in languages:
            for number in range(count):
                question = QUESTIONS[language].format(number)
                row = {"picture": name_of(number), "language": language, "question": question}
                lines.write(json.dumps(row) + "\n")


def name_of(number: int) -> str:
    return f"{number:05}.jpg"
