"""Scores that run along: provisional, at the end the published ones, and cheap."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.test_replay import asked, mixed, record
from towereval import plugins
from towereval.plan import Plan
from towereval.progress import Look, Silence, Standing, State
from towereval.run import Outcome, run
from towereval.running import CHUNK, Running, runs_along
from towereval.store import Store
from towereval.types import Request, Response, Sample, Usage

# Two requests a sample; 23 languages; one.
TASKS = ("commute", "alm_bench", "textvqa")


class Looking(Silence):
    """Looks after every answer, and when a stage has ended."""

    def __init__(self) -> None:
        self.look: Look | None = None
        self.states: list[State] = []

    def stage(self, name: str, total: int | None, look: Look | None = None) -> None:
        self.look = look
        self.ended()

    def answered(self, response: Response) -> None:
        self.ended()

    def ended(self) -> None:
        if self.look:
            self.states.append(self.look())

    def last(self) -> dict[str, Standing]:
        return {one.task: one for one in self.states[-1].standings}


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the engine were so slow that all can be scored in a hundredth of its time."""
    monkeypatch.setattr("towereval.run.Running", lambda *words: Running(*words, share=1e9))


def replayed(folder: Path, looking: Looking) -> Outcome:
    recorded = folder / "recorded"
    if not recorded.exists():
        record(recorded, TASKS)
    plan = Plan(
        model="made",
        tasks=TASKS,
        split="sample",
        engine="replay",
        engine_args={"run": str(recorded)},
        output=folder / "results",
    )
    return run(plan, looking)


def whole(outcome: Outcome, task: str, metric: str) -> tuple[float | None, ...]:
    rows = [r for r in outcome.results if (r.task, r.metric, r.group) == (task, metric, "")]
    row = next((r for r in rows if r.language == "*"), rows[0])
    return row.value, row.ci_low, row.ci_high, row.n


@pytest.mark.usefixtures("unhurried")
def test_the_last_running_score_is_the_published_one(tmp_path: Path) -> None:
    looking = Looking()
    outcome = replayed(tmp_path, looking)
    last = looking.last()
    for task, metric in (
        ("commute", "contrastive_accuracy"),
        ("alm_bench", "accuracy"),
        ("textvqa", "vqa_accuracy"),  # one language: no mean over any
    ):
        score = last[task].score
        assert score is not None
        assert last[task].metric == metric
        assert last[task].done == last[task].total
        assert (score.value, score.low, score.high, score.n) == whole(outcome, task, metric)
    assert (last["textvqa"].languages, last["alm_bench"].languages) == (1, 23)
    assert 0 < last["alm_bench"].score.value < 1  # type: ignore[union-attr]


def test_on_the_way_it_is_the_score_of_what_is_answered(tmp_path: Path) -> None:
    task = plugins.load_task("commute")
    [metric] = task.metrics
    store, by_key = store_of(tmp_path, "commute")
    answers = [mixed(*each) for each in by_key.values()]
    with store:
        running = Running(store, [task], str, Usage, share=1e9)
        assert [one.score for one in running().standings] == [None]
        list(store.add_responses(answers[:9], kept=running.keep))  # of the fifth sample one
        [standing] = running().standings
    assert (standing.done, standing.total) == (9, len(answers))
    assert standing.score is not None
    assert standing.score.n == 4
    by_language: dict[str, list[float]] = {}
    for index, (sample, _) in enumerate(list(by_key.values())[:8:2]):
        value = metric.sample(sample, answers[2 * index : 2 * index + 2])[0]
        by_language.setdefault(sample.language, []).append(value)
    means = [sum(each) / len(each) for each in by_language.values()]
    assert standing.score.value == pytest.approx(sum(means) / len(means))


@pytest.mark.usefixtures("unhurried")
def test_what_an_earlier_start_left_is_scored_too(tmp_path: Path) -> None:
    outcome = replayed(tmp_path, Looking())
    with Store(outcome.folder) as store:
        store._db.execute("DELETE FROM responses WHERE rowid % 3 = 0")
        left = store.count_unanswered()
    looking = Looking()
    again = replayed(tmp_path, looking)
    assert again.asked == left
    first = {one.task: one for one in looking.states[0].standings}
    assert 0 < first["alm_bench"].done < first["alm_bench"].total
    score = looking.last()["alm_bench"].score
    assert score is not None
    published = whole(again, "alm_bench", "accuracy")
    assert (score.value, score.low, score.high, score.n) == published


def test_only_means_of_what_a_sample_scores_by_itself_run_along() -> None:
    metrics = {
        name: runs_along(plugins.load_task(name))
        for name in ("multi30k", "xm3600", "alm_bench@official", "mme", "pope")
    }
    named = {name: metric.name if metric else None for name, metric in metrics.items()}
    # BLEU, chrF and MME's sums are none, nor what a judge, a checkpoint or the whole corpus gives.
    assert named == {
        "multi30k": None,
        "xm3600": None,
        "alm_bench@official": None,
        "mme": "accuracy",
        "pope": "accuracy",
    }


def store_of(folder: Path, task: str) -> tuple[Store, dict[str, tuple[Sample, Request]]]:
    store = Store(folder)
    rows = list(asked(plugins.load_task(task), 0))
    store.replace_samples(rows)
    return store, {r.key: (s, r) for _, s, requests in rows for r in requests}


def test_what_failed_is_counted_until_it_is_asked_again(tmp_path: Path) -> None:
    store, by_key = store_of(tmp_path, "alm_bench")
    with store:
        running = Running(store, [plugins.load_task("alm_bench")], str, Usage, share=1e9)
        running()
        keys = list(by_key)[:10]
        failing = [Response(key, error="too long") for key in keys[:4]]
        list(
            store.add_responses(
                [*failing, *(mixed(*by_key[k]) for k in keys[4:])], kept=running.keep
            )
        )
        [one] = running().standings
        assert (one.done, one.failed, one.score and one.score.n) == (10, 4, 6)
        running.ask_again()
        [one] = running().standings
        assert (one.done, one.failed) == (6, 0)
        again = [Response(keys[0], error="too long"), *(mixed(*by_key[k]) for k in keys[1:4])]
        list(store.add_responses(again, kept=running.keep))
        [one] = running().standings
        assert (one.done, one.failed, one.score and one.score.n) == (10, 1, 9)


def test_scoring_takes_a_hundredth_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that only scoring moves, a second a sample, and the test."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    task = plugins.load_task("alm_bench")
    store, by_key = store_of(tmp_path, "alm_bench")
    [metric] = task.metrics
    real = type(metric).sample

    def slow(self: object, sample: Sample, responses: list[Response]) -> tuple[float, ...]:
        now[0] += 1.0
        return real(self, sample, responses)  # type: ignore[arg-type]

    monkeypatch.setattr(type(metric), "sample", slow)
    with store:
        running = Running(store, [task], str, Usage)
        running()
        list(store.add_responses((mixed(*each) for each in by_key.values()), kept=running.keep))
        counts = []
        for _ in range(4):
            now[0] += 100.0
            [standing] = running().standings
            counts.append(standing.score.n if standing.score else 0)
    assert len(by_key) > CHUNK
    # The first imports what scoring needs, and is not charged.
    assert counts == [2, 3, 4, 5]


def test_a_metric_that_breaks_stops_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, by_key = store_of(tmp_path, "commute")
    task = plugins.load_task("commute")

    def broken(*_: object) -> tuple[float, ...]:
        raise ZeroDivisionError

    monkeypatch.setattr(type(task.metrics[0]), "sample", broken)
    with store:
        running = Running(store, [task], str, Usage, share=1e9)
        running()
        list(store.add_responses((mixed(*each) for each in by_key.values()), kept=running.keep))
        [standing] = running().standings
    assert (standing.done, standing.metric, standing.score) == (standing.total, "", None)


def test_who_does_not_look_pays_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("scored although nobody looked")

    monkeypatch.setattr(Running, "_begin", never)
    monkeypatch.setattr(Running, "_count", never)
    record(tmp_path / "recorded", ["commute"])
    plan = Plan(
        model="made",
        tasks=("commute",),
        split="sample",
        engine="replay",
        engine_args={"run": str(tmp_path / "recorded")},
        output=tmp_path / "results",
    )
    assert run(plan).asked == 48
