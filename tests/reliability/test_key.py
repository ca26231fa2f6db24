"""From files and options to keys: what can change an answer changes them, and nothing else does.

`tests/test_store.py` does the same for each field of a request.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from PIL import Image as pil

from tests.test_checkpoints import checkpoint
from tests.test_cli import installed
from towereval import engines, plugins
from towereval.data import media
from towereval.plan import SAMPLES, Plan, settle
from towereval.progress import Silence
from towereval.run import collect
from towereval.store import Store

TASKS = ("ocrbench", "commute")


@dataclass(frozen=True)
class Case:
    """A plan over files of its own, which a mutation may change."""

    plan: Plan
    folder: Path
    patch: pytest.MonkeyPatch


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.syspath_prepend(
        installed(tmp_path / "packages", transformers="5.19.0", torch="2.13.0")
    )
    model = checkpoint(tmp_path / "model")
    (model / "chat_template.jinja").write_text("{{ messages }}")
    data = tmp_path / "data"
    data.mkdir()
    about = {"dataset": "IIIT5K", "question_type": "Regular Text Recognition", "answer": ["x"]}
    rows = [{"image": f"{n}.png", "question": f"what is {n}?", **about} for n in range(3)]
    for number in range(3):
        pil.new("RGB", (8, 8), (number, 0, 0)).save(data / f"{number}.png")
    (data / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    shutil.copytree(SAMPLES / "commute", tmp_path / "commute")
    plan = Plan(
        model=str(model),
        tasks=TASKS,
        engine="transformers",
        data={"ocrbench": data, "commute": tmp_path / "commute"},
        output=tmp_path / "results",
    )
    return Case(plan, tmp_path, monkeypatch)


def keys(case: Case, store: str) -> set[str]:
    settled = settle(case.plan)
    with Store(case.folder / store) as opened:
        respondent = settled.subject.respondent
        collect(opened, case.plan, settled.tasks, settled.sources, respondent, Silence())
        return {request.key for request in opened.asked()}


def rewrite(file: str, old: str, new: str) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        text = (case.folder / file).read_text()
        assert old in text
        (case.folder / file).write_text(text.replace(old, new))
        return case

    return change


def one_pixel(case: Case) -> Case:
    for number in range(3):
        file = case.folder / "data" / f"{number}.png"
        picture = pil.open(file).copy()
        picture.putpixel((7, 7), (number, 1, 0))
        picture.save(file)
    return case


def weights(case: Case) -> Case:
    file = case.folder / "model" / "model.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    return case


def options(**changes: object) -> Callable[[Case], Case]:
    return lambda case: replace(case, plan=replace(case.plan, **changes))


def version(**packages: str) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        case.patch.syspath_prepend(installed(case.folder / "newer", **packages))
        return case

    return change


def adapter(case: Case) -> Case:
    found = plugins.load_adapter(plugins.GENERIC)
    case.patch.setattr(type(found), "version", found.version + 1)
    return case


def decoding(case: Case) -> Case:
    from towereval import subject

    case.patch.setattr(subject, "DECODING", f"{media.DECODING} and otherwise")
    return case


# What is changed, and of which tasks the questions become others by it.
OTHER: dict[str, tuple[Callable[[Case], Case], tuple[str, ...]]] = {
    "question": (rewrite("data/test.jsonl", "what is", "What is"), ("ocrbench",)),
    "one pixel of a picture, under its path": (one_pixel, ("ocrbench",)),
    "weights": (weights, TASKS),
    "config.json": (rewrite("model/config.json", "tiny", "tinier"), TASKS),
    "chat template": (rewrite("model/chat_template.jinja", "messages", "messages[-1]"), TASKS),
    "engine": (version(transformers="5.19.1", torch="2.13.0"), TASKS),
    "library below it": (version(transformers="5.19.0", torch="2.13.1"), TASKS),
    "dtype": (options(engine_args={"dtype": "float32"}), TASKS),
    "quantisation": (options(engine_args={"quantization": "fp8"}), TASKS),
    "context": (options(engine_args={"max_model_len": 99}), TASKS),
    "seed": (options(seed=1), TASKS),
    "adapter": (adapter, TASKS),
    "how pictures are decoded": (decoding, TASKS),
}


@pytest.mark.parametrize("what", OTHER)
def test_what_can_change_an_answer_is_another_question(case: Case, what: str) -> None:
    change, tasks = OTHER[what]
    before = keys(case, "before")
    both = before & keys(change(case), "after")
    alone = {task: keys(only(case, task), f"alone-{task}") for task in TASKS}
    untouched = set(TASKS) - set(tasks)
    assert both == before & set().union(*(alone[task] for task in untouched))
    assert len(before) > len(both)


def only(case: Case, task: str) -> Case:
    data = {task: case.plan.data[task]}
    return replace(case, plan=replace(case.plan, tasks=(task,), data=data))


def moved(*names: str) -> Callable[[Case], Case]:
    def change(case: Case) -> Case:
        for name in names:
            shutil.move(case.folder / name, case.folder / f"other-{name}")
        data = {"ocrbench": case.folder / "other-data", "commute": case.folder / "other-commute"}
        model = str(case.folder / "other-model")
        return replace(case, plan=replace(case.plan, model=model, data=data))

    return change


def log_level(case: Case) -> Case:
    case.patch.setenv("VLLM_LOGGING_LEVEL", "DEBUG")
    case.patch.setenv("PYTHONHASHSEED", "3")
    return case


SAME: dict[str, Callable[[Case], Case]] = {
    "where results go": lambda case: options(output=case.folder / "elsewhere")(case),
    "where data and model lie": moved("data", "commute", "model"),
    "order of tasks": options(tasks=TASKS[::-1]),
    "languages in another order": options(languages=("de", "fr", "en", "ar", "ru", "zh", "cs")),
    "retries, fresh, a check of determinism": options(retries=3, fresh=True, verify_determinism=9),
    "log level": log_level,
    "references": rewrite("data/test.jsonl", '"answer": ["x"]', '"answer": ["y"]'),
}


@pytest.mark.parametrize("what", SAME)
def test_what_cannot_change_an_answer_is_the_same_question(case: Case, what: str) -> None:
    before = keys(case, "before")
    assert keys(SAME[what](case), "after") == before


@pytest.mark.parametrize("engine", ["vllm", "ray"])
def test_where_an_engine_runs_is_no_part_of_the_key(case: Case, engine: str) -> None:
    from towereval.subject import respondent_of

    found = settle(case.plan).subject.model
    assert found
    kind = engines.find(engine)
    plain = respondent_of(found, kind, {"vllm": "1"}, {})
    placed = respondent_of(found, kind, {"vllm": "1"}, dict.fromkeys(kind.placement, 7))
    assert placed.digest == plain.digest
