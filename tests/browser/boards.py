"""Boards for the browser: made-up scores of known models, with samples in their logs."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image as pil

from tests.finished_run import finished
from towereval.data.media import image_file
from towereval.leaderboard.build import build
from towereval.leaderboard.document import Card
from towereval.leaderboard.publish import Publication, publish_board
from towereval.store import Store
from towereval.types import Decoding, Message, Request, Response, Sample, Score, Text

HOSTILE = '<img src=x onerror="window.hacked=1"></script><script>window.hacked=1</script>\u202eevil'
# Task, metric and languages; the last is on another scale and not averaged.
MEASURES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("questions", "accuracy", ("de", "en", "fr", "ko", "uk")),
    ("signs", "macro_f1", ("de", "en", "ko")),
    ("captions", "bleu", ("de", "fr")),
)
# The samples cannot tell the first two apart.
STRENGTH = {"alpha-70b": 0.81, "beta-9b": 0.806, "gamma-9b": 0.62, "delta-2b": 0.4}
LACKING = ("delta-2b", "questions", "ko")  # the one cell that nobody ran
CARDS = {
    "alpha-70b": Card(70.0, "proprietary"),
    "beta-9b": Card(9.0, "Apache-2.0"),
    "gamma-9b": Card(9.0, "Apache-2.0"),
}


@dataclass(frozen=True, slots=True)
class Made:
    """Where a board is, and what its leaderboard.json says."""

    folder: Path
    content: Mapping[str, Any]

    @property
    def address(self) -> str:
        return (self.folder / "index.html").resolve().as_uri()


def make_board(folder: Path, **publication: Any) -> Made:
    """Four models, one of them imported and one without a language."""
    for model, strength in STRENGTH.items():
        engine = "lmms-eval logs" if model == "gamma-9b" else "vllm"
        run = finished(folder / "results", model, "r1", *rows(model, strength), engine=engine)
        log_samples(run)
    return published(folder, cards=CARDS, **publication)


def make_hostile_board(folder: Path) -> Made:
    """Every text that a model, a data set or a hand can put into a run is hostile."""
    texts = {"task": HOSTILE, "variant": HOSTILE, "signature": HOSTILE, "note": HOSTILE}
    lines = [{**texts, "value": 0.5}, {**texts, "value": 0.5, "group": HOSTILE}]
    for index in range(2):
        run = finished(folder / "results", f"{index}", "r1", *lines, engine=HOSTILE)
        for name in ("manifest.json", "results.json"):
            content = json.loads((run / name).read_text())
            content["model"] = f"{index}{HOSTILE}{'A' * 1_000_000}"
            (run / name).write_text(json.dumps(content))
        log_samples(run, HOSTILE, ("en",), HOSTILE + "B" * 1_000_000)
    return published(folder, title=HOSTILE)


def published(folder: Path, **publication: Any) -> Made:
    board = build(folder / "results")
    publish_board(board, folder / "board", lambda _: None, Publication(**publication))
    content = json.loads((folder / "board" / "leaderboard.json").read_text(encoding="utf-8"))
    return Made(folder / "board", content)


def rows(model: str, strength: float) -> list[dict[str, Any]]:
    hardness = random.Random(0)
    made: list[dict[str, Any]] = []
    for task, metric, languages in MEASURES:
        scale = 100.0 if metric == "bleu" else 1.0
        values = []
        for code in languages:
            value = round(scale * (strength + hardness.uniform(-0.1, 0.1)), 4)
            if (model, task, code) == LACKING:
                continue
            values.append(value)
            made.append(row(task, metric, code, values[-1], 0.03 * scale))
        if len(values) == len(languages):
            mean = sum(values) / len(values)
            made.append({**row(task, metric, "*", mean, 0.016 * scale), "languages": languages})
    made[0]["n_failed"] = 7
    return made


def row(task: str, metric: str, language: str, value: float, half: float) -> dict[str, Any]:
    limits = {"ci_low": value - half, "ci_high": value + half}
    named = {"task": task, "metric": metric, "language": language, "signature": f"{metric}|v1"}
    return {**named, **limits, "value": value, "variant": "made", "n": 400, "note": "wilson"}


def log_samples(
    run: Path,
    task: str = "questions",
    languages: Sequence[str] = ("de", "en"),
    answer: str = "Ein Fuchs",
) -> None:
    """Two samples a language in the run's log: the first is right, the second failed."""
    picture = run / "fox.png"
    pil.new("RGB", (640, 480), "orange").save(picture)
    asked = []
    for code in languages:
        for index in range(2):
            question = (Text(f"{task}\nWer ist das? {index}"), image_file(picture))
            prompt = (Message("user", question),)
            sample = Sample(f"{task}-{index}", code, prompt, (f"Fuchs {task}",))
            asked.append((sample, Request(f"{task}-{index}", prompt, Decoding(8))))
    with Store(run) as store:
        store.replace_samples((task, sample, [request]) for sample, request in asked)
        answers = (
            Response(request.key, error="out of memory")
            if sample.id.endswith("1")
            else Response(request.key, answer)
            for sample, request in asked
        )
        for _ in store.add_responses(answers):
            pass
        scores = []
        for position, sample, _ in store.answered(task):
            named = (sample.id, sample.language, "", "", "accuracy")
            failed = sample.id.endswith("1")
            values = () if failed else (1.0,)
            why = "out of memory" if failed else ""
            scores.append((position, Score(*named, values, why, failed)))
        store.replace_scores(scores)
