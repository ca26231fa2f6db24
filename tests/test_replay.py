"""Recorded answers are the recorded model's, found by what was asked; a stranger is an error.

`record` makes a recorded run of our own tasks on the bundled samples; other tests use it too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.errors import StoreError, UsageError
from towereval.plan import SAMPLES, Plan
from towereval.run import Outcome, run
from towereval.store import Store
from towereval.types import Request, Response, Sample, Task, digest

RESPONDENT = digest("a recorded model")
Answer = Callable[[Sample, Request], Response]


def right(sample: Sample, request: Request) -> Response:
    if request.continuation is not None:
        wrong = request.continuation != sample.references[0]
        return Response(request.key, logprob=-2.0 - wrong, token_count=1)
    reference = sample.references[0] if sample.references else ""
    label = "Final Answer: " if sample.choices and len(reference) == 1 else ""
    return Response(request.key, f"{label}{reference}", token_count=3, seconds=0.25)


def mixed(sample: Sample, request: Request) -> Response:
    """Right for about two samples of three, the same ones each time."""
    wrong = int(digest([sample.id, sample.language])[:8], 16) % 3 == 0
    answer = right(sample, request)
    if not wrong:
        return answer
    if answer.logprob is None:
        return replace(answer, text="nothing of the kind")
    return replace(answer, logprob=-5.0 - answer.logprob)


def record(
    folder: Path, tasks: Sequence[str], answer: Answer = mixed, *, seed: int = 0, adapter: str = ""
) -> Path:
    """A folder to replay: every request of the tasks' bundled samples, answered."""
    rows = [row for name in tasks for row in asked(plugins.load_task(name), seed)]
    with Store(folder) as store:
        respondent = {"model": "recorded", "adapter": adapter}
        store.write_manifest({"respondent": respondent, "respondent_digest": RESPONDENT})
        store.replace_samples(rows)
        answers = [answer(sample, each) for _, sample, requests in rows for each in requests]
        assert list(store.add_responses(answers)) == answers
    return folder


def asked(task: Task, seed: int = 0) -> Iterator[tuple[str, Sample, list[Request]]]:
    for sample in task.samples(FolderSource(SAMPLES / task.name), task.languages):
        yield (
            task.name,
            sample,
            [
                replace(each, respondent=RESPONDENT, decoding=replace(each.decoding, seed=seed))
                for each in task.requests(sample)
            ],
        )


def replayed(recorded: Path, output: Path, tasks: Sequence[str], **changes: Any) -> Plan:
    plan = Plan(
        model="made",
        tasks=tuple(tasks),
        split="sample",
        engine="replay",
        engine_args={"run": str(recorded)},
        output=output,
    )
    return replace(plan, **changes)


def value(outcome: Outcome, language: str, metric: str) -> float | None:
    [row] = [
        row
        for row in outcome.results
        if (row.language, row.metric, row.group) == (language, metric, "")
    ]
    return row.value


@pytest.mark.parametrize(
    ("task", "metric", "language", "best"),
    [
        ("alm_bench", "accuracy", "*", 1.0),
        ("alm_bench@towervision-text", "exact_match", "de", 1.0),
        ("commute", "contrastive_accuracy", "*", 1.0),
        ("multi30k", "bleu", "*", 100.0),
        ("ocrbench", "accuracy", "en", 1.0),
    ],
)
def test_recorded_answers_are_scored(
    tmp_path: Path, task: str, metric: str, language: str, best: float
) -> None:
    recorded = record(tmp_path / "recorded", [task], right)
    outcome = run(replayed(recorded, tmp_path / "results", [task]))
    assert outcome.failures == ()
    assert value(outcome, language, metric) == pytest.approx(best)
    assert all(row.n_failed == 0 for row in outcome.results)


def test_a_replay_says_whose_answers_it_holds(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["commute"])
    outcome = run(replayed(recorded, tmp_path / "results", ["commute"]))
    manifest = json.loads((outcome.folder / "manifest.json").read_text())
    assert manifest["engine"] == "replay"
    assert manifest["model"] == "made"
    assert manifest["respondent"] == {"model": "recorded", "adapter": ""}
    assert manifest["respondent_digest"] == RESPONDENT


def test_answers_are_cleaned_by_the_recorded_adapter_and_stored_raw(tmp_path: Path) -> None:
    def blanks(sample: Sample, request: Request) -> Response:
        return replace(right(sample, request), text=f" \n{sample.references[0]}\n ")

    values = {}
    for adapter in ("", "generic 1"):
        recorded = record(tmp_path / f"recorded{adapter}", ["multi30k"], blanks, adapter=adapter)
        plan = replayed(recorded, tmp_path / f"results{adapter}", ["multi30k"])
        outcome = run(plan)
        values[adapter] = value(outcome, "de", "chrf")
        with Store(outcome.folder) as store:
            replies = [responses[0] for _, _, responses in store.answered("multi30k")]
        assert all(reply and reply.text.startswith(" \n") for reply in replies)
    assert values["generic 1"] == pytest.approx(100.0)


def test_what_was_not_asked_then_is_a_counted_failure(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["commute"])
    outcome = run(replayed(recorded, tmp_path / "results", ["commute", "multi30k"]))
    assert outcome.failures == (("this request is not in the recorded run", 24),)
    lost = [row for row in outcome.results if row.task == "multi30k"]
    assert {(row.language, row.value, row.n, row.n_failed) for row in lost} == {
        (language, None, 0, 8) for language in ("cs", "de", "fr")
    }
    assert all(row.value is not None for row in outcome.results if row.task == "commute")


def test_another_seed_is_another_question(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"], seed=7)
    same = run(replayed(recorded, tmp_path / "results", ["multi30k"], seed=7))
    other = run(replayed(recorded, tmp_path / "results", ["multi30k"], seed=8))
    assert same.failures == ()
    assert sum(count for _, count in other.failures) == 24


def test_another_picture_is_another_question(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["multi30k"])
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "multi30k", data)
    same = replayed(recorded, tmp_path / "same", ["multi30k"], split="full")
    assert run(replace(same, data={"multi30k": data})).failures == ()
    pictures = sorted((data / "images").iterdir())
    shutil.copy(pictures[0], pictures[1])
    other = run(replace(same, data={"multi30k": data}, output=tmp_path / "other"))
    assert sum(count for _, count in other.failures) == 3  # one caption in three languages


def test_a_recorded_failure_stays_a_failure(tmp_path: Path) -> None:
    def refuse(sample: Sample, request: Request) -> Response:
        if sample.id == "0":
            return Response(request.key, error="ValueError: too long")
        return right(sample, request)

    recorded = record(tmp_path / "recorded", ["multi30k"], refuse)
    outcome = run(replayed(recorded, tmp_path / "results", ["multi30k"]))
    assert outcome.failures == (("ValueError: too long", 3),)
    assert {row.n_failed for row in outcome.results if row.language == "de"} == {1}


def test_replaying_leaves_the_recording_as_it_was(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["commute"])
    before = (recorded / "manifest.json").read_bytes(), answers(recorded)
    run(replayed(recorded, tmp_path / "results", ["commute", "multi30k"]))
    assert ((recorded / "manifest.json").read_bytes(), answers(recorded)) == before


def test_a_replay_can_be_replayed(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["commute"])
    first = run(replayed(recorded, tmp_path / "one", ["commute"]))
    second = run(replayed(first.folder, tmp_path / "two", ["commute"]))
    assert second.results == tuple(replace(row, run_id=second.folder.name) for row in first.results)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "--engine-args run=PATH"),
        ({"path": "x"}, "--engine-args run=PATH"),
        ({"run": "x", "dtype": "float32"}, "--engine-args run=PATH"),
    ],
)
def test_replay_wants_a_run_and_nothing_else(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        run(replayed(tmp_path, tmp_path / "results", ["commute"], engine_args=arguments))


def test_a_folder_that_is_no_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is not a run: it has no manifest"):
        run(replayed(tmp_path / "nothing", tmp_path / "results", ["commute"]))
    assert not (tmp_path / "nothing").exists()


def test_a_recording_in_use_is_refused(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["commute"])
    with Store(recorded), pytest.raises(StoreError, match="recorded: in use by"):
        run(replayed(recorded, tmp_path / "results", ["commute"]))


def answers(folder: Path) -> list[object]:
    with Store(folder) as store:
        return [list(store.answered(task)) for task in store.tasks()]
