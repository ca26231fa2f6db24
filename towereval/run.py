"""The stream of a run: samples -> requests -> engine -> store -> scores -> results.

Everything that a task, an adapter or an engine gives goes through the store, so each step can be
stopped and taken up again: the same plan finds the same folder and asks only what is missing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from towereval import engines, languages, lock, unchanged
from towereval.answer_languages import spoken
from towereval.as_logged import task_of
from towereval.data.columns import Placed, checked
from towereval.determinism import ask_again
from towereval.errors import DataError, StoreError, TowerevalError, UnknownName, UsageError
from towereval.export import write_samples
from towereval.grading import Scoring, appoint
from towereval.manifest import read_manifest
from towereval.plan import Plan, Settled, now, origin, settle
from towereval.progress import Listener, Silence
from towereval.results import read_run
from towereval.running import Running
from towereval.scoring import score
from towereval.speed import Performance, Speed, Stopwatch, read_performance
from towereval.store import Store
from towereval.subject import Subject, recorded_clean
from towereval.summary import summarize
from towereval.types import Request, Result, Sample, Source, Task, digest


@dataclass(frozen=True, slots=True)
class Outcome:
    """`lost`: by task, how many of how many samples have a failed request or scoring."""

    folder: Path
    results: tuple[Result, ...]
    asked: int
    failures: tuple[tuple[str, int], ...]
    lost: tuple[tuple[str, int, int], ...] = ()
    performance: Performance = field(default_factory=Performance)


def run(plan: Plan, listener: Listener | None = None) -> Outcome:
    """Raises `TowerevalError`; whatever was answered by then is in the run's folder."""
    listener = listener or Silence()
    settled = settle(plan)
    tasks, subject, folder = settled.tasks, settled.subject, settled.folder
    if plan.locked:
        plan = replace(plan, like=plan.like or _last_start(folder))
        lock.check_respondent(plan.like, settled.manifest)
    with Store(folder) as store:
        stamp = unchanged.stamp(settled)
        if stamp and not _is_special(plan) and unchanged.is_published(store, stamp):
            listener.stage("nothing has changed", None)
            return _as_published(store)
        as_before = _begin(store, plan, settled, listener)
        before = read_performance(folder)
        scoring = Scoring(judge=plan.judge, checkpoints=plan.checkpoints)
        finished = (folder / "results.json").exists() and as_before
        if store.count_unanswered() or plan.predict_only or not finished:
            store.drop_results()  # they speak of what was there before
        try:
            scored = () if plan.predict_only else tasks
            seen = respond(store, plan, subject, listener, scored)
        except TowerevalError:
            if finished and not plan.predict_only:  # what was published stays published
                publish(store, tasks, subject.clean, listener, scoring, before)
            raise
        count = seen.speed.answers if seen.speed else 0
        performance = Performance(
            seen.speed or before.speed, seen.determinism or before.determinism
        )
        results: tuple[Result, ...] = ()
        if not plan.predict_only:
            results, performance = publish(
                store, tasks, subject.clean, listener, scoring, performance
            )
            unchanged.note(store, stamp)
        failures, lost = tuple(store.failures()), tuple(store.lost_samples())
        return Outcome(folder, results, count, failures, lost, performance)


def _is_special(plan: Plan) -> bool:
    """Whether more is asked for than the results."""
    return plan.locked or plan.predict_only or plan.verify_determinism > 0


def _as_published(store: Store) -> Outcome:
    """What the same command gave before."""
    rows, performance = read_run(store.folder).rows, read_performance(store.folder)
    failures, lost = tuple(store.failures()), tuple(store.lost_samples())
    return Outcome(store.folder, rows, 0, failures, lost, performance)


def _begin(store: Store, plan: Plan, settled: Settled, listener: Listener) -> bool:
    """Read the data and write the manifest; whether an earlier start had the same data."""
    # What an earlier `score` was told of judges and checkpoints still holds, and so do the data
    # that are in the store until they are replaced.
    earlier = store.earlier_manifest()
    told = {k: v for k, v in earlier.items() if k in ("judge", "checkpoints", "data")}
    manifest = {**settled.manifest, "run_id": store.folder.name, **told}
    if not earlier:  # else the earlier one is true until the data are read
        store.write_manifest(manifest)
    sources, respondent = settled.sources, settled.subject.respondent
    try:
        digests = collect(store, plan, settled.tasks, sources, respondent, listener)
    except UsageError:
        if not earlier:  # the data say that it cannot be asked: there is nothing to resume
            store.discard()
        raise
    data = {
        name: {**origin(plan, name, sources[name]), "digests": digests[name]} for name in digests
    }
    manifest = {**manifest, "data": data}
    if earlier and not store.count_unanswered():
        # Nothing will be asked, so where it was asked stays as it was.
        asked_on = ("environment", "started", "towereval")
        manifest |= {key: earlier[key] for key in asked_on if key in earlier}
    store.write_manifest(manifest)
    return bool(data == earlier.get("data"))


def rescore(
    folder: Path, scoring: Scoring | None = None, listener: Listener | None = None
) -> Outcome:
    """Score a run's stored responses again, by today's metrics; only a judge needs an engine."""
    scoring = scoring or Scoring()
    manifest = read_manifest(folder)
    tasks = [task_of(told) for told in manifest["tasks"]]
    offered = {metric.name for task in tasks for metric in task.metrics}
    for name in (*scoring.metrics, *scoring.checkpoints):
        if name not in offered:
            raise UnknownName("metric", name, offered)
    for asked, task in zip(manifest["tasks"], tasks, strict=True):
        if asked["version"] != task.version:
            raise StoreError(
                f"{folder}: {task.name} was asked in version {asked['version']}, this towereval has"
                f" {task.version}: run it again"
            )
    if scoring.metrics and (scoring.judge.model or scoring.checkpoints):
        # The other metrics keep their scores, which must not get a new judge's name.
        raise UsageError("--judge and --checkpoint go without --metrics: all is scored again")
    clean = recorded_clean(manifest)
    with Store(folder) as store:
        if not store.tasks():
            raise StoreError(f"{folder} has no samples to score: run it again")
        performance = read_performance(folder)
        results, _ = publish(store, tasks, clean, listener or Silence(), scoring, performance)
        return Outcome(folder, results, 0, tuple(store.failures()), tuple(store.lost_samples()))


def collect(
    store: Store,
    plan: Plan,
    tasks: Sequence[Task],
    sources: Mapping[str, Source],
    respondent: str,
    listener: Listener,
) -> dict[str, dict[str, str]]:
    """Put all samples and requests into the store; a digest of each task's and language's.

    Raises `DataError` for a task without any sample.
    """
    hashes: dict[str, dict[str, Any]] = {task.name: {} for task in tasks}

    def rows() -> Iterator[tuple[str, Sample, list[Request]]]:
        for task in tasks:
            for sample in samples_of(task, sources[task.name], plan):
                requests = [
                    replace(
                        request,
                        respondent=respondent,
                        decoding=replace(request.decoding, seed=plan.seed),
                    )
                    for request in task.requests(sample)
                ]
                content = [sample.id, sample.language, sample.references]
                content += [replace(request, respondent="").key for request in requests]
                found = hashes[task.name].setdefault(sample.language, hashlib.sha256())
                found.update(json.dumps(content).encode())
                listener.advance()
                yield task.name, sample, requests
            if not hashes[task.name]:
                raise DataError(f"{task.name}: the data have no sample to ask about")
            if plan.locked:  # before anything is replaced
                about = origin(plan, task.name, sources[task.name])
                about["digests"] = _digests(hashes[task.name])
                lock.check_data(plan.like, task.name, about)

    listener.stage("reading samples", None)
    store.replace_samples(rows())
    return {name: _digests(found) for name, found in hashes.items()}


def _digests(found: Mapping[str, Any]) -> dict[str, str]:
    return {language: value.hexdigest()[:16] for language, value in found.items()}


def respond(
    store: Store, plan: Plan, subject: Subject, listener: Listener, tasks: Sequence[Task] = ()
) -> Performance:
    """Ask what has no answer yet, all tasks through one engine, and some of it again.

    Scores of `tasks` run along for a listener that looks.
    """
    missing = store.count_unanswered()
    if not missing and not plan.verify_determinism:
        return Performance()
    watch = Stopwatch()
    listener.stage(f"starting {subject.kind.name}", None)
    with watch.timing("starting"):
        engine = engines.start(subject.kind, subject.model, plan.engine_args, plan.seed)
    with closing(engine):
        running = Running(store, tasks, subject.clean, lambda: engine.usage)
        listener.found(store.count_questions() - missing)
        listener.stage("asking", missing, running)
        for attempt in range(1 + plan.retries):
            if attempt and not (left := store.count_unanswered()):
                break
            if attempt:
                running.ask_again()
                listener.stage(f"asking what failed, {attempt}. retry", left, running)
            # Closing commits what came last, also when the stream is broken off.
            with (
                watch.timing("asking"),
                closing(engine.run(store.unanswered())) as answers,
                closing(store.add_responses(answers, kept=running.keep)) as stored,
            ):
                for response in stored:
                    listener.answered(response)
            listener.ended()
        spent = watch.seconds
        speed = Speed(missing, spent["starting"], spent["asking"], 0.0, engine.usage)
        repetition = None
        if plan.verify_determinism:
            listener.stage("asking again", plan.verify_determinism)
            repetition = ask_again(store, engine, plan.verify_determinism, plan.seed)
    return Performance(speed if missing else None, repetition)


def publish(
    store: Store,
    tasks: Sequence[Task],
    clean: Callable[[str], str],
    listener: Listener,
    scoring: Scoring,
    performance: Performance | None = None,
) -> tuple[tuple[Result, ...], Performance]:
    """Score the stored responses and write results.json and the samples."""
    watch = Stopwatch()
    with watch.timing("scoring"):
        grader = appoint(store, tasks, clean, scoring, listener)
        listener.stage("scoring", None)
        score(store, tasks, clean, grader.scorer, scoring.metrics)
        manifest = store.manifest()
        data = {name: entry.get("digests", {}) for name, entry in manifest.get("data", {}).items()}
        results = summarize(
            store, tasks, grader.signature, data, split=manifest["split"], run_id=manifest["run_id"]
        )
        languages_spoken = list(spoken(store, tasks))
        for task in tasks:
            write_samples(store, task.name, [metric.name for metric in task.metrics])
    performance = performance or Performance()
    if performance.speed:
        speed = replace(performance.speed, scoring_seconds=watch.seconds["scoring"])
        performance = replace(performance, speed=speed)
    rows = [asdict(result) for result in results]
    store.write_results(
        {
            "run_id": manifest["run_id"],
            "model": manifest["model"],
            "created": now(),
            "unasked": store.count_unasked(),
            **performance.record(),
            "results": rows,
            "digest": digest(rows),
            "spoken": [one.record() for one in languages_spoken],
        }
    )
    return results, performance


def samples_of(task: Task, source: Source, plan: Plan) -> Iterator[Sample]:
    """The task's samples in the plan's languages, at most `limit` of each: no more are read."""
    named = set(languages.expand(plan.languages))
    wanted = [code for code in task.languages if code in named] or task.languages
    limit = math.inf if plan.limit is None else plan.limit
    counts = dict.fromkeys(wanted, 0)
    placed = Placed(source)
    try:
        for sample in map(checked, task.samples(placed, wanted)):
            if sample.language not in task.languages:
                has = ", ".join(task.languages)
                raise DataError(f"sample {sample.id!r:.40} is in {sample.language!r}, not {has}")
            counts[sample.language] = counts.get(sample.language, 0) + 1
            if counts[sample.language] <= limit:
                yield sample
            if min(counts.values()) >= limit:
                return
    except KeyError as error:
        where = ": ".join(filter(None, (task.name, placed.place)))
        raise DataError(f"{where}: the data has no column or value {error}") from error
    except DataError as error:
        where = ": ".join(filter(None, (task.name, placed.place)))
        raise DataError(f"{where}: {error}") from error


def _last_start(folder: Path) -> dict[str, Any]:
    if not (folder / "manifest.json").exists():
        raise UsageError(f"--locked: {folder} has no earlier start; name one by --from-manifest")
    return read_manifest(folder)
