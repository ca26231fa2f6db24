"""Made-up runs for the simulations: whole runs as `compare` reads them, of tasks that we have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from towereval.measured import Measured, MeasuredTask, Part

# Tasks whose first metric is a mean of zeros and ones.
TASKS = {"textvqa": "vqa_accuracy", "ocrbench": "accuracy", "commute": "contrastive_accuracy"}
VARIANTS = {"textvqa": "validation", "ocrbench": "official", "commute": "official"}
Scores = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Suite:
    """One task: `items` a language, `questions` of them on each picture, the same or own ones."""

    task: str
    languages: int
    items: int
    questions: int = 1
    parallel: bool = False

    def clusters(self) -> list[list[str]]:
        return [
            [
                f"{0 if self.parallel else language}-{item // self.questions}"
                for item in range(self.items)
            ]
            for language in range(self.languages)
        ]


def pair_of_runs(
    suites: Sequence[Suite], discordance: float, rng: np.random.Generator
) -> dict[str, tuple[Scores, Scores]]:
    """Two equally good runs: (languages, items) right or wrong, by task.

    Some items are shakier than others, in all languages that have them, and half of a picture's
    disagreements go one way: neither makes one run better.
    """
    found = {}
    for suite in suites:
        size = (1 if suite.parallel else suite.languages, suite.items // suite.questions)
        shaky, side = rng.beta(2 * discordance, 2 * (1 - discordance), size), rng.random(size)
        ability = rng.normal(size=size)
        shaky, side, ability = (
            np.broadcast_to(np.repeat(each, suite.questions, 1), (suite.languages, suite.items))
            for each in (shaky, side, ability)
        )
        shape = ability.shape
        right = rng.random(shape) < 1 / (1 + np.exp(-1 - ability))
        differ = rng.random(shape) < shaky
        ours = np.where(rng.random(shape) < 0.5, side, rng.random(shape)) < 0.5
        found[suite.task] = (np.where(differ, ours, right), np.where(differ, ~ours, right))
    return found


def broken(right: Scores, share: float, rng: np.random.Generator) -> Scores:
    """That share of a language's items turned from right to wrong, in every language given."""
    worse = right.copy()
    for row in worse:
        row[rng.choice(np.flatnonzero(row), round(share * row.size), replace=False)] = False
    return worse


def as_run(suites: Sequence[Suite], scores: Mapping[str, Scores], name: str) -> Measured:
    tasks = {}
    for suite in suites:
        metric = TASKS[suite.task]
        languages = {}
        for index, names in enumerate(suite.clusters()):
            values = tuple((float(score),) for score in scores[suite.task][index])
            samples = tuple(map(str, range(suite.items)))
            code = f"l{index:02}"
            languages[code] = Part("made up", name + code, samples, tuple(names), {metric: values})
        tasks[suite.task] = MeasuredTask(VARIANTS[suite.task], 1, {metric: "made up"}, languages)
    return Measured(name, name, "full", tasks)


def counted(
    repetitions: int, seed: int, once: Callable[[np.random.Generator], object]
) -> list[object]:
    """What each repetition gives, every one with a generator of its own."""
    return [once(np.random.default_rng([seed, index])) for index in range(repetitions)]
