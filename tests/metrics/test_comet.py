"""COMET's worker equals upstream's `predict`, survives being killed, and refuses what would not be
COMET.

The tests that score need an interpreter with unbabel-comet (`towereval setup comet` makes one), and
TOWEREVAL_COMET_PYTHON to name it; the models are tiny and built from code.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import COMET_PYTHON, NO_COMET
from tests.hub_server import Hub
from towereval.environments import comet_python, setup_comet
from towereval.errors import EngineError, ModelError, Unscorable, UsageError
from towereval.metrics.comet import (
    COMET22,
    COMETKIWI22,
    NOT_INSTALLED,
    XCOMET_XL,
    Comet,
    Segment,
    batches,
)
from towereval.types import Metric, Response, Sample

TINY = Path(__file__).with_name("tiny_comet.py")
WORDS = (
    "the",
    "cat",
    "house",
    "runs",
    "le",
    "chat",
    "der",
    "Hund",
    "klein",
    "ﬁsh",
    "Ａ",
    "猫",
    "Ω",
)

scoring = [pytest.mark.slow, pytest.mark.usefixtures("comet")]


def sample(*references: str, source: str = "a cat") -> Sample:
    return Sample("1", "de", (), references=references, meta={"source": source})


def answer(text: str) -> tuple[Response]:
    return (Response(key="", text=text),)


def segments(count: int, *, references: bool = True) -> list[Segment]:
    rng = random.Random(count)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(1, 20)))

    return [Segment(text(), text(), text() if references else "") for _ in range(count)]


# --- without the environment ---


def test_the_three_are_metrics() -> None:
    metrics: tuple[Metric, ...] = (XCOMET_XL, COMET22, COMETKIWI22)
    assert [metric.name for metric in metrics] == ["xcomet_xl", "comet22", "cometkiwi22"]
    assert all(metric.mean and metric.scale == 1.0 for metric in metrics)
    assert XCOMET_XL.corpus((1.5,), 2) == 0.75


def test_nothing_is_scored_without_the_environment() -> None:
    with pytest.raises(Unscorable, match=f"^{re.escape(NOT_INSTALLED)}$"):
        XCOMET_XL.sample(sample("eine Katze"), answer("eine Katze"))
    with pytest.raises(UsageError, match=r"^not installed; run: towereval setup comet$"):
        list(XCOMET_XL.score_segments(segments(3)))
    assert XCOMET_XL.signature == (
        "xcomet_xl|model:Unbabel/XCOMET-XL|sha256:unknown|references:yes|dtype:float32|batch:16"
    )


def test_what_is_known_needs_no_environment() -> None:
    scored = segments(3)
    assert not list(XCOMET_XL.score_segments(scored, {one.key for one in scored}))
    assert not list(XCOMET_XL.score_segments([]))


def test_an_interpreter_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWEREVAL_COMET_PYTHON", "/no/python")
    with pytest.raises(
        UsageError, match=r"^TOWEREVAL_COMET_PYTHON=/no/python: no such interpreter"
    ):
        comet_python()


def test_an_interpreter_without_comet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOWEREVAL_COMET_PYTHON", sys.executable)
    with pytest.raises(UsageError, match="has no unbabel-comet; run: towereval setup comet"):
        XCOMET_XL.identify()
    with pytest.raises(EngineError, match="import comet failed with status 1"):
        setup_comet(print)


def test_a_failed_set_up_leaves_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    said: list[str] = []
    with pytest.raises(EngineError, match=r"^pip install failed with status 1: ERROR: "):
        setup_comet(said.append)
    assert comet_python() is None
    assert "environments/comet" in said[0]


def test_a_segment_is_the_triple() -> None:
    text = answer("eine Katze")
    assert XCOMET_XL.segment(sample("Eine Katze."), text) == Segment(
        "a cat", "eine Katze", "Eine Katze."
    )
    assert COMETKIWI22.segment(sample(), text) == Segment("a cat", "eine Katze", "")
    assert COMET22.segment(sample("Eine Katze."), answer("")).translation == ""


@pytest.mark.parametrize("references", [(), ("a", "b"), ("",)])
def test_one_reference_is_needed(references: Sequence[str]) -> None:
    with pytest.raises(Unscorable, match="one reference translation is needed"):
        XCOMET_XL.segment(sample(*references), answer("a"))


def test_a_source_is_needed() -> None:
    with pytest.raises(Unscorable, match="no source text"):
        COMETKIWI22.segment(sample("a", source=""), answer("a"))


def test_the_key_is_of_the_whole_triple() -> None:
    assert Segment("a", "b", "c").key == Segment("a", "b", "c").key
    different = {
        Segment(*texts).key for texts in [("a", "b", "c"), ("ab", "", "c"), ("", "ab", "c")]
    }
    assert len(different) == 3


def test_batches_are_fixed_by_the_set() -> None:
    some = segments(100)
    plan = batches(some, 16)
    shuffled = random.Random(1).choices(some, k=300) + some  # with duplicates
    assert [list(batch) for batch in batches(shuffled, 16)] == [list(batch) for batch in plan]
    assert [len(batch) for batch in plan] == [16] * 6 + [4]
    lengths = [segment.length for batch in plan for segment in batch.values()]
    assert lengths == sorted(lengths, reverse=True)


def test_a_precision_that_does_not_score() -> None:
    with pytest.raises(UsageError, match="float32 and float16"):
        Comet(dtype="bfloat16")


# --- with it ---


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("comet") / "models"
    if not COMET_PYTHON:
        pytest.skip(NO_COMET)
    subprocess.run([COMET_PYTHON, "-I", "-W", "ignore", TINY, "build", folder], check=True)
    return folder


def metric(tiny: Path, kind: str) -> Comet:
    reference_free = kind in ("referenceless", "unified", "xcomet-alone")
    model = tiny / kind.removesuffix("-alone")
    return Comet(kind, str(model), reference_free=reference_free)


def upstream(tiny: Path, kind: str, rows: Sequence[Segment]) -> list[float]:
    keys = ("src", "mt") if metric(tiny, kind).reference_free else ("src", "mt", "ref")
    asked = [
        dict(zip(keys, (row.source, row.translation, row.reference), strict=False)) for row in rows
    ]
    checkpoint = Path(metric(tiny, kind).model, "checkpoints", "model.ckpt")
    done = subprocess.run(
        [COMET_PYTHON, "-I", "-W", "ignore", TINY, "predict", checkpoint],
        input=json.dumps(asked).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    found: list[float] = json.loads(done.stdout)
    return found


class TestScoring:
    pytestmark = scoring

    @pytest.mark.parametrize(
        "kind", ["regression", "referenceless", "unified", "xcomet", "xcomet-alone"]
    )
    def test_equals_upstream(self, tiny: Path, kind: str) -> None:
        references = kind in ("regression", "xcomet")
        rows = segments(300, references=references)
        long = "a very long text " * 2000
        hostile = [("", "", ""), ("the cat", "", "le chat"), (long, "le chat", "le chat")]
        hostile += [("the cat", long, long), ("\n\0\u200b", "🙂" * 50, "\t"), (".", ".", ".")]
        rows += [Segment(s, t, r if references else "") for s, t, r in hostile]
        found = dict(metric(tiny, kind).score_segments(rows))
        expected = upstream(tiny, kind, rows)
        assert [found[row.key] for row in rows] == pytest.approx(expected, abs=1e-6)
        assert max(expected) - min(expected) > 0.05  # not all the same number

    def test_duplicates_are_scored_once(self, tiny: Path) -> None:
        rows = segments(40)
        found = list(metric(tiny, "regression").score_segments(rows * 5))
        assert len(found) == 40
        assert dict(found).keys() == {row.key for row in rows}

    def test_one_sample_alone(self, tiny: Path) -> None:
        one = metric(tiny, "regression")
        (value,) = one.sample(sample("die Katze"), answer("eine Katze"))
        (expected,) = upstream(tiny, "regression", [Segment("a cat", "eine Katze", "die Katze")])
        assert value == pytest.approx(expected, abs=1e-6)

    def test_lone_surrogates_become_question_marks(self, tiny: Path) -> None:
        rows = [Segment("a cat", "a \ud800cat", ""), Segment("a cat", "a ?cat", "")]
        first, second = (
            dict(metric(tiny, "unified").score_segments([row]))[row.key] for row in rows
        )
        assert first == second

    @pytest.mark.parametrize("kind", ["unified", "xcomet"])
    def test_killed_workers_change_nothing(self, tiny: Path, kind: str) -> None:
        one = metric(tiny, kind)
        rows = segments(400, references=kind != "unified")
        clean = dict(one.score_segments(rows))
        killed: set[int] = set()
        found: dict[str, float] = {}
        for key, value in one.score_segments(rows):
            found[key] = value
            if len(found) in (33, 170, 301):
                killed.add(worker_of(tiny))
                os.kill(worker_of(tiny), signal.SIGKILL)
        assert len(killed) == 3
        assert found == clean  # to the last bit

    def test_a_stopped_run_goes_on(self, tiny: Path) -> None:
        one = metric(tiny, "xcomet")
        rows = segments(200)
        clean = dict(one.score_segments(rows))
        stopped = one.score_segments(rows)
        kept = dict(next(stopped) for _ in range(75))  # 4 batches of 16, and 11 of the fifth
        stopped.close()
        rest = list(one.score_segments(rows, kept))
        assert len(rest) == 200 - 64  # the fifth is scored whole again
        assert {**kept, **dict(rest)} == clean

    def test_a_worker_that_always_dies(self, tiny: Path) -> None:
        done = threading.Event()

        def kill() -> None:
            while not done.wait(0.2):
                with suppress(AssertionError, ProcessLookupError):
                    os.kill(worker_of(tiny), signal.SIGKILL)

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            with pytest.raises(EngineError, match=r"the worker was killed by signal 9, 3 times"):
                list(metric(tiny, "regression").score_segments(segments(3)))
        finally:
            done.set()
            killer.join()

    def test_the_worker_ends_with_the_stream(self, tiny: Path) -> None:
        stream = metric(tiny, "regression").score_segments(segments(64))
        next(stream)
        pid = worker_of(tiny)
        stream.close()
        assert not Path(f"/proc/{pid}").exists()

    def test_a_checkpoint_without_its_head(self, tiny: Path) -> None:
        with pytest.raises(ModelError, match="6 weights are missing, 0 unknown") as raised:
            list(metric(tiny, "headless").score_segments(segments(3)))
        assert "\n" not in str(raised.value)

    def test_code_in_a_checkpoint(self, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
        with pytest.raises(
            ModelError, match=r"model.ckpt holds more than weights, .*: posix.mkdir"
        ):
            list(metric(tiny, "pickled").score_segments(segments(3)))
        assert not (tiny / "ran").exists()

    @pytest.mark.parametrize(
        ("kind", "reference_free", "reason"),
        [
            ("regression", True, "needs references"),
            ("referenceless", False, "reads no references"),
            ("unified", False, "reads no references"),
        ],
    )
    def test_references_that_do_not_fit(
        self, tiny: Path, kind: str, reference_free: bool, reason: str
    ) -> None:
        one = replace(metric(tiny, kind), reference_free=reference_free)
        with pytest.raises(ModelError, match=reason):
            list(one.score_segments(segments(3)))

    def test_the_signature(self, tiny: Path) -> None:
        one = metric(tiny, "regression")
        assert "|sha256:unknown|" in one.signature
        found = one.identify()
        assert found == one.signature
        assert re.fullmatch(
            r"regression\|model:regression\|sha256:[0-9a-f]{64}\|references:yes\|dtype:float32"
            r"\|batch:16\|unbabel-comet:2\.2\.7\|torch:[\w.+]+\|transformers:4\.[\d.]+",
            found,
        )
        assert replace(one, dtype="float16").signature == found.replace("float32", "float16")
        assert metric(tiny, "xcomet").identify().split("|")[2] != found.split("|")[2]

    def test_another_checkpoint_at_the_same_place(self, tiny: Path, tmp_path: Path) -> None:
        copy = tmp_path / "model"
        copy_model(tiny / "regression", copy)
        one = Comet("regression", str(copy))
        first = one.identify()
        copy_model(tiny / "headless", copy)
        assert one.identify() != first

    def test_half_precision(self, tiny: Path) -> None:
        one = metric(tiny, "regression")
        rows = segments(50)
        full = dict(one.score_segments(rows))
        half = dict(replace(one, dtype="float16").score_segments(rows))
        assert half != full
        assert half == pytest.approx(full, abs=5e-3)

    def test_an_encoder_in_the_models_own_folder(self, tiny: Path, tmp_path: Path) -> None:
        copy = tmp_path / "model"
        copy_model(tiny / "regression", copy)
        (copy / "encoder").symlink_to(tmp_path / "nowhere", target_is_directory=True)
        (tmp_path / "nowhere").mkdir()
        one = Comet("regression", str(copy))
        with pytest.raises(ModelError, match=r"put its config.json and tokenizer into"):
            list(one.score_segments(segments(3)))
        (copy / "encoder").unlink()
        (copy / "encoder").symlink_to(tiny / "XLM-RoBERTa", target_is_directory=True)
        scores = dict(one.score_segments(segments(3)))
        assert scores == dict(metric(tiny, "regression").score_segments(segments(3)))

    def test_long_texts_are_counted(self, tiny: Path, caplog: pytest.LogCaptureFixture) -> None:
        rows = [Segment("q" * 20, "q" * 20, "q" * length) for length in range(10)]
        list(metric(tiny, "xcomet").score_segments(rows))
        assert not caplog.records
        # Each alone is read whole; joined they are longer than the 128 positions.
        rows += [Segment("q" * 60, "q" * 60, "q" * 60), Segment("q", "q" * 500, "q")]
        list(metric(tiny, "xcomet").score_segments(rows))
        assert "2 of 12 segments were longer than it reads" in caplog.text

    def test_a_model_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no such file or folder"):
            Comet("comet", str(tmp_path / "none")).identify()
        (tmp_path / "empty").mkdir()
        with pytest.raises(ModelError, match=r"no checkpoints/model.ckpt"):
            Comet("comet", str(tmp_path / "empty")).identify()

    def test_a_model_on_the_hub(
        self, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        copy_model(tiny / "xcomet", tmp_path / "models" / "Unbabel" / "XCOMET-XL")
        rows = segments(20)
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        with Hub(tmp_path, gated=["Unbabel/XCOMET-XL"]) as hub:
            use(hub, tmp_path, monkeypatch)
            with pytest.raises(ModelError, match="accept the licence at") as raised:
                XCOMET_XL.identify()
            assert "\n" not in str(raised.value)
        with Hub(tmp_path) as hub:
            use(hub, tmp_path, monkeypatch)
            scores = dict(XCOMET_XL.score_segments(rows))
        assert "|model:Unbabel/XCOMET-XL|sha256:unknown" not in XCOMET_XL.signature
        assert scores == dict(metric(tiny, "xcomet").score_segments(rows))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # from the cache
        assert scores == dict(XCOMET_XL.score_segments(rows))


def use(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in hub.environment(folder / "hf").items():
        monkeypatch.setenv(name, value)


def copy_model(model: Path, to: Path) -> None:
    (to / "checkpoints").mkdir(parents=True, exist_ok=True)
    for name in ("hparams.yaml", "checkpoints/model.ckpt"):
        (to / name).write_bytes((model / name).read_bytes())


def worker_of(tiny: Path) -> int:
    """The process that scores with one of these models."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_text()
            state = (folder / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        scores = "comet_worker.py\0score\0" in command  # another one only reads the weights
        if scores and str(tiny) in command and state != "Z":
            return int(folder.name)
    raise AssertionError("no worker is running")
