"""Which metrics score stored answers, and on which judge and checkpoints their numbers rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from towereval.judging import Judge, JudgePlan, ask_judge
from towereval.learning import Learned, learn
from towereval.progress import Listener
from towereval.results import read_run
from towereval.scoring import answers_or_blanks
from towereval.store import Store
from towereval.types import CorpusMetric, JudgedMetric, LearnedMetric, Metric, SampleScorer, Task

# A trial on the bundled samples fetches no checkpoint of gigabytes, whatever is installed.
UNNAMED = "on the sample split only by --checkpoint {}=MODEL"


@dataclass(frozen=True, slots=True)
class Scoring:
    """How stored responses are scored: by which metrics (none named: all), by which judge, and with
    which checkpoints of learned metrics, by metric.
    """

    metrics: tuple[str, ...] = ()
    judge: JudgePlan = field(default_factory=JudgePlan)
    checkpoints: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Grader:
    """A run's metrics with their judge and checkpoints.

    `kept`: the signatures of scores that stay as they are, by task and metric.
    """

    store: Store
    tasks: Sequence[Task]
    clean: Callable[[str], str]
    judge: Judge
    checkpoints: Mapping[str, str]
    listener: Listener
    sample_split: bool
    kept: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def signature(self, task: Task, metric: Metric) -> str:
        """The rule that made the scores: an older one where they are not made again."""
        return self.kept.get((task.name, metric.name)) or self._signature(metric)

    def _signature(self, metric: Metric) -> str:
        if isinstance(metric, JudgedMetric):
            return f"{metric.signature}|judge:{self.judge.name}"
        return (
            self._placed(metric).signature
            if isinstance(metric, LearnedMetric)
            else metric.signature
        )

    def scorer(self, task: Task, metric: Metric) -> SampleScorer:
        """For a learned metric all that has no score yet is scored first."""
        if isinstance(metric, JudgedMetric):
            return self.judge.scorer(self.store, metric)
        if isinstance(metric, LearnedMetric):
            if self.sample_split and metric.name not in self.checkpoints:
                return Learned("", missing=UNNAMED.format(metric.name)).scorer(self.store, metric)
            placed = self._placed(metric)
            self.listener.stage(f"scoring by {metric.name}", None)
            learned = learn(self.store, self.tasks, self.clean, placed, self.listener.advance)
            return learned.scorer(self.store, placed)
        if isinstance(metric, CorpusMetric):
            answered = self.store.answered(task.name)
            return metric.over((s, answers_or_blanks(r, self.clean)[0]) for _, s, r in answered)
        return metric.sample

    def _placed(self, metric: LearnedMetric) -> LearnedMetric:
        model = self.checkpoints.get(metric.name)
        return metric.at(model) if model else metric


def appoint(
    store: Store,
    tasks: Sequence[Task],
    clean: Callable[[str], str],
    scoring: Scoring,
    listener: Listener,
) -> Grader:
    """Ask the judge that is named, and note judge and checkpoints in the manifest.

    Those of an earlier scoring stand where no other is named: their verdicts are found again
    without asking.
    """
    manifest: dict[str, Any] = store.manifest()
    if scoring.judge.model:
        listener.stage("judging", None)
        asked = ask_judge(store, tasks, clean, scoring.judge, listener.advance)
        manifest["judge"] = asdict(asked)
    if scoring.checkpoints:
        manifest["checkpoints"] = {**manifest.get("checkpoints", {}), **scoring.checkpoints}
    store.write_manifest(manifest)
    judge = Judge(**manifest["judge"]) if "judge" in manifest else Judge("none", "")
    checkpoints = manifest.get("checkpoints", {})
    kept = _kept(store, scoring.metrics) if scoring.metrics else {}
    sample_split = manifest["split"] == "sample"
    return Grader(store, tasks, clean, judge, checkpoints, listener, sample_split, kept)


def _kept(store: Store, again: Sequence[str]) -> dict[tuple[str, str], str]:
    """Signatures of the metrics that are not scored again, from the rows they made."""
    if not (store.folder / "results.json").exists():
        return {}
    return {
        (row.task, row.metric): row.signature
        for row in read_run(store.folder).rows
        if row.metric not in again
    }
