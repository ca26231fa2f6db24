"""Judged answers: what is asked of the judge, how often, and what becomes of its verdicts."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from itertools import chain, repeat
from pathlib import Path
from statistics import mean
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chat_server import Asked, ChatServer, Reply, completion, refusal
from tests.test_cli import error_line, towereval
from towereval import plugins
from towereval.data.folder import FolderSource
from towereval.errors import EngineError, Unscorable, UsageError
from towereval.grading import Scoring
from towereval.judging import JudgePlan, ask_judge
from towereval.metrics.judge import AlmBenchJudge
from towereval.plan import SAMPLES, Plan
from towereval.progress import Look, Silence
from towereval.run import Outcome, rescore, run
from towereval.store import Store
from towereval.types import Decoding, Request, Response, Result, Sample, Text, digest

KEY = "sk-judge-0123456789"
TASKS = ("alm_bench@official", "vimul_bench")
NO_JUDGE = "unscored: no judge was asked; run: towereval score RUN --judge MODEL"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


# --- a model that knows some letters, and a judge that marks what it says by itself ---


def mark(text: str) -> int:
    """From 0 to 10, another one for nearly every text."""
    return int(digest(text)[:8], 16) % 11


def answered(text: str) -> str:
    return "B" if text.endswith("choices directly.") else f"mark {mark(text)}"


def judged(text: str) -> str:
    [number] = map(int, re.findall("(?:Prediction|Predicted answer): mark ([0-9]+)\n", text))
    if "Predicted answer" in text:
        return str({"pred": "yes" if number > 4 else "no", "score": number // 2})
    return str(number)


@dataclass
class Pair:
    """One server for both. `wrong`: what the judge says to some questions instead."""

    server: ChatServer
    wrong: dict[str, str | Reply] = field(default_factory=dict)

    def reply(self, asked: Asked) -> str | Reply:
        if asked.body["model"] == "m":
            return answered(asked.text)
        for words, reply in self.wrong.items():
            if words in asked.text:
                return reply
        return judged(asked.text)

    def count(self, model: str) -> int:
        return sum(asked.body["model"] == model for asked in self.server.asked)

    def plan(self, output: Path, *tasks: str, **changes: Any) -> Plan:
        at = {"base_url": self.server.url}
        plan = Plan("m", tasks or TASKS, split="sample", engine="openai", engine_args=at)
        return replace(plan, output=output, **{"judge": self.judge(), **changes})

    def judge(self, model: str = "j") -> JudgePlan:
        return JudgePlan(model, "openai", {"base_url": self.server.url})

    def command(self, *words: object) -> list[object]:
        at = f"base_url={self.server.url}"
        return [
            *("run", "--model", "m", "--engine", "openai", "--engine-args", at),
            *("--tasks", ",".join(TASKS), "--split", "sample", *words),
        ]

    def judge_words(self) -> list[object]:
        at = f"base_url={self.server.url}"
        return ["--judge", "j", "--judge-engine", "openai", "--judge-engine-args", at]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with ChatServer(lambda _: None) as server:
        pair = Pair(server)
        server.script = pair.reply
        yield pair


def bundled(reference: str) -> list[Sample]:
    task = plugins.load_task(reference)
    return list(task.samples(FolderSource(SAMPLES / task.name), task.languages))


def expected(reference: str) -> dict[tuple[str, str], list[float]]:
    """Group and language -> what each judged sample is worth; "" is the whole."""
    values: dict[tuple[str, str], list[float]] = {}
    for sample in bundled(reference):
        text = sample.prompt[0].parts[1]
        assert isinstance(text, Text)
        if sample.choices:
            continue
        number = mark(text.text)
        value = number / 10 if reference == "alm_bench@official" else float(number > 4)
        for group in ("", sample.group):
            values.setdefault((group, sample.language), []).append(value)
    return values


def rows(results: Iterable[Result], metric: str = "judge") -> dict[tuple[str, str, str], Result]:
    return {(row.task, row.group, row.language): row for row in results if row.metric == metric}


def read(folder: Path) -> list[Result]:
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return [Result(**{**row, "languages": tuple(row["languages"])}) for row in content["results"]]


def check_all(results: Iterable[Result]) -> None:
    found = rows(results)
    for reference in TASKS:
        task = reference.partition("@")[0]
        wanted = expected(reference)
        for (group, language), values in wanted.items():
            row = found.pop((task, group, language))
            assert row.value == pytest.approx(mean(values))
            assert (row.n, row.n_failed, row.n_unscored) == (len(values), 0, 0)
        macro = found.pop((task, "", "*"))
        means = [mean(values) for (group, _), values in wanted.items() if not group]
        assert macro.value == pytest.approx(mean(means))
        assert len(macro.languages) == len(means)
    assert found == {}


# --- verdicts become values ---


def test_judged_values_are_what_the_judge_says(tmp_path: Path, pair: Pair) -> None:
    done = towereval(*pair.command(*pair.judge_words()), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    [folder] = tmp_path.glob("results/m/*")
    results = read(folder)
    check_all(results)
    values = [row.value for row in rows(results).values()]
    assert len(set(values)) > 10
    assert (pair.count("m"), pair.count("j")) == (52 + 28 + 14, 52 + 14)
    assert "judging" in done.stderr.splitlines()
    again = towereval(*pair.command(*pair.judge_words()), cwd=tmp_path)
    assert again.stdout.splitlines()[:-1] == done.stdout.splitlines()[:-2]  # no speed is told
    assert (pair.count("m"), pair.count("j")) == (94, 66)


def test_the_signature_names_the_judge(tmp_path: Path, pair: Pair) -> None:
    results = run(pair.plan(tmp_path)).results
    signatures = {(row.task, row.signature) for row in rows(results).values()}
    names = {re.fullmatch(r".*\|judge:(j@[0-9a-f]{12})", text) for _, text in signatures}
    assert len({found[1] for found in names if found}) == 1
    assert {(task, text.rpartition("|")[0]) for task, text in signatures} == {
        ("alm_bench", AlmBenchJudge.signature),
        ("vimul_bench", "judge|rule:video_chatgpt|prompt:1|temperature:0|seed:0|version:1"),
    }
    others = {row.signature for row in rows(results, "accuracy").values()}
    assert others == {"accuracy|rule:videomme|version:1"}


def test_letters_and_open_answers_are_scored_apart(tmp_path: Path, pair: Pair) -> None:
    results = run(pair.plan(tmp_path, "vimul_bench")).results
    letters = [sample.references[0] for sample in bundled("vimul_bench") if sample.choices]
    accuracy, judge = rows(results, "accuracy"), rows(results)
    assert {group for _, group, _ in accuracy} == {"", "mcq"}
    assert {group for _, group, _ in judge} == {"", "open"}
    assert accuracy["vimul_bench", "", "*"].value == mean(letter == "B" for letter in letters)
    assert (accuracy["vimul_bench", "", "*"].n, judge["vimul_bench", "", "*"].n) == (28, 14)


def test_identical_questions_are_asked_once(tmp_path: Path, pair: Pair) -> None:
    """Three pictures, one question and one answer: three requests, one verdict for all."""
    data = tmp_path / "data"
    shutil.copytree(SAMPLES / "alm_bench", data)
    row = json.loads((data / "test.jsonl").read_text("utf-8").split("\n")[0])
    shown = ["images/house.png", "images/dog.png", "images/bus.png"]
    lines = [json.dumps({**row, "file_name": name, "Image_Url": ""}) for name in shown]
    (data / "test.jsonl").write_text("\n".join(lines))
    plan = pair.plan(tmp_path, "alm_bench@official", split="full", data={"alm_bench": data})
    results = [row for row in run(plan).results if row.metric == "judge"]
    [row_of_language] = [row for row in results if not row.group]
    assert (pair.count("m"), pair.count("j")) == (3, 1)
    assert (row_of_language.n, row_of_language.language) == (3, "zh-Hans")


# --- verdicts that are none ---


def test_a_verdict_that_cannot_be_read_is_unscored(tmp_path: Path, pair: Pair) -> None:
    pair.wrong = {"sails of the boat": "About 7.", "order do the colours": "It matches."}
    outcome = run(pair.plan(tmp_path, languages=("en",)))
    found = rows(outcome.results)
    alm, short = found["alm_bench", "", "en"], found["alm_bench", "Short Questions", "en"]
    assert (alm.n, alm.n_unscored, alm.n_failed) == (5, 1, 0)
    assert (short.value, short.n, short.n_unscored) == (None, 0, 1)
    assert short.note == "unscored: the judge gave no mark out of ten: 'About 7.'"
    video = found["vimul_bench", "", "en"]
    assert (video.value, video.n_unscored) == (None, 1)
    assert video.note == "unscored: no verdict says yes or no: 'It matches.'"
    count = pair.count("j")
    assert run(pair.plan(tmp_path, languages=("en",))).results == outcome.results
    assert pair.count("j") == count  # it is a verdict all the same


def test_a_failed_request_to_the_judge_is_asked_again(tmp_path: Path, pair: Pair) -> None:
    words = ["--languages", "en,de", *pair.judge_words()]
    pair.wrong = {"snowman with": refusal(400, "too long"), "Sie geht auf": completion(None)}
    first = towereval(*pair.command(*words), cwd=tmp_path)
    assert first.returncode == 4
    assert first.stderr.splitlines()[-2:] == [
        "failed 1x: judge: EngineError: HTTP 400: too long",
        "failed 1x: judge: EngineError: the server gave no answer (stop)",
    ]
    [folder] = tmp_path.glob("results/m/*")
    found = rows(read(folder))
    assert found["alm_bench", "", "en"].n_failed == 1
    assert found["alm_bench", "", "de"].n_failed == 0
    lost = found["alm_bench", "Long Question", "en"]
    assert (lost.value, lost.n, lost.n_failed, lost.n_unscored) == (None, 0, 1, 0)
    assert lost.note == "unscored: judge: EngineError: HTTP 400: too long"
    assert (found["vimul_bench", "", "de"].n_failed, found["vimul_bench", "", "en"].n) == (1, 1)
    scored = towereval("score", folder, cwd=tmp_path)
    assert (scored.returncode, scored.stderr.splitlines()) == (4, first.stderr.splitlines()[-2:])

    before, pair.wrong = Counter(asked.text for asked in pair.server.asked), {}
    again = towereval(*pair.command(*words), cwd=tmp_path)
    assert again.returncode == 0
    after = Counter(asked.text for asked in pair.server.asked) - before
    assert len(after) == 2
    assert all("snowman with" in text or "Sie geht auf" in text for text in after)
    assert {row.n_failed for row in read(folder)} == {0}


def test_what_the_model_did_not_answer_is_not_judged(tmp_path: Path, pair: Pair) -> None:
    whole = pair.server.script

    def script(asked: Asked) -> str | Reply | None:
        failed = asked.body["model"] == "m" and "In which order do" in asked.text
        return refusal(400, "no clips") if failed else whole(asked)

    pair.server.script = script
    outcome = run(pair.plan(tmp_path, "vimul_bench", languages=("en", "de")))
    assert outcome.failures == (("EngineError: HTTP 400: no clips", 1),)
    lost = rows(outcome.results)["vimul_bench", "", "en"]
    assert (lost.value, lost.n, lost.n_failed) == (None, 0, 1)
    assert pair.count("j") == 1
    # An open question is none of the letter's: it does not count as one of its failures.
    accuracy = rows(outcome.results, "accuracy")
    assert {group for _, group, _ in accuracy} == {"", "mcq"}
    assert {(row.n_failed, row.n) for row in accuracy.values()} == {(0, 2), (0, 4)}


# --- no judge, the judge of before, another judge ---


def test_without_a_judge_nothing_is_judged_and_the_row_says_so(tmp_path: Path, pair: Pair) -> None:
    results = run(pair.plan(tmp_path, judge=JudgePlan())).results
    assert pair.count("j") == 0
    found = rows(results)
    wanted = {
        (reference.partition("@")[0], *place): len(values)
        for reference in TASKS
        for place, values in expected(reference).items()
    }
    assert {place: row.n_unscored for place, row in found.items()} == wanted
    assert {(row.value, row.n, row.note) for row in found.values()} == {(None, 0, NO_JUDGE)}
    assert {row.signature.rpartition("|")[2] for row in found.values()} == {"judge:none"}
    assert rows(results, "accuracy")["vimul_bench", "", "*"].value is not None


def test_a_run_is_judged_afterwards(tmp_path: Path, pair: Pair) -> None:
    first = towereval(*pair.command(), cwd=tmp_path)
    assert first.returncode == 0
    [folder] = tmp_path.glob("results/m/*")
    done = towereval("score", folder, *pair.judge_words(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check_all(read(folder))
    # Later scores and runs find those verdicts without the judge.
    written = read(folder)
    scored = towereval("score", folder, cwd=tmp_path)
    assert (scored.returncode, scored.stdout, scored.stderr) == (0, done.stdout, "")
    assert read(folder) == written
    assert towereval(*pair.command(), cwd=tmp_path).returncode == 0
    assert read(folder) == written
    assert (pair.count("m"), pair.count("j")) == (94, 66)


def test_scoring_another_metric_leaves_the_verdicts(tmp_path: Path, pair: Pair) -> None:
    outcome = run(pair.plan(tmp_path, "vimul_bench"))
    assert rescore(outcome.folder, Scoring(("accuracy",))).results == outcome.results
    assert rescore(outcome.folder, Scoring(("judge",))).results == outcome.results
    assert pair.count("j") == 14


def test_another_judge_is_another_number(tmp_path: Path, pair: Pair) -> None:
    outcome = run(pair.plan(tmp_path, "vimul_bench"))
    pair.server.script = lambda _: "{'pred': 'no', 'score': 0}"
    other = rescore(outcome.folder, Scoring(judge=pair.judge("k")))
    assert (pair.count("j"), pair.count("k")) == (14, 14)
    value = rows(other.results)["vimul_bench", "", "*"]
    assert value.value == 0.0
    assert "|judge:k@" in value.signature
    # The first judge's verdicts are still there.
    back = rescore(outcome.folder, Scoring(judge=pair.judge()))
    assert back.results == outcome.results
    assert (pair.count("j"), pair.count("k")) == (14, 14)


# --- the judge's engine ---


def test_a_judge_that_cannot_start_keeps_the_answers(tmp_path: Path, pair: Pair) -> None:
    words = ["--languages", "en", "--judge", "j", "--judge-engine", "openai"]
    told = chain([Reply(content=b"{}")], repeat(Reply(0)))  # it is there until it is wanted
    with ChatServer(lambda _: None, lambda: next(told)) as going:
        leaves = [*words, "--judge-engine-args", f"base_url={going.url}"]
        done = towereval(*pair.command(*leaves), cwd=tmp_path)
        count = pair.count("m")
        again = towereval(*pair.command(*leaves, "--seed", "1"), cwd=tmp_path)
    for one in (done, again):
        assert one.returncode == 4
        assert one.stderr.splitlines()[-1].startswith(f"error: no server answers at {going.url}: ")
        assert "Traceback" not in one.stderr
    # One that is not there is told before anything is asked.
    assert (count, pair.count("m")) == (6 + 3, count)
    here = [*words, "--judge-engine-args", f"base_url={pair.server.url}"]
    assert towereval(*pair.command(*here), cwd=tmp_path).returncode == 0
    assert pair.count("m") == count


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["--judge-engine", "openai"], 2, "the openai engine wants base_url="),
        (["--judge-engine", "opneai"], 2, "unknown engine 'opneai'; did you mean openai?"),
        (["--judge-engine", "replay"], 2, "the replay engine wants --engine-args run=PATH"),
        (["--judge-engine", "openai", "--judge-engine-args", "base_url"], 2, "wants KEY=VALUE"),
    ],
)
def test_a_wrong_judge_is_told_before_anything_is_asked(
    tmp_path: Path, pair: Pair, words: Sequence[str], status: int, message: str
) -> None:
    done = towereval(*pair.command("--judge", "j", *words), cwd=tmp_path)
    assert message in error_line(done, status)
    assert pair.server.asked == []
    assert not (tmp_path / "results").exists()


def test_the_judges_key_is_kept_nowhere(tmp_path: Path, pair: Pair) -> None:
    pair.wrong = {"sails of the boat": refusal(401, f"not for {KEY}")}
    words = [*pair.judge_words(), "--judge-engine-args", "api_key_env=JUDGE_KEY"]
    done = towereval(*pair.command("--languages", "en", *words), cwd=tmp_path, JUDGE_KEY=KEY)
    assert "judge: EngineError: HTTP 401: not for (the key)" in done.stderr
    held = {asked.body["model"]: asked.headers.get("Authorization") for asked in pair.server.asked}
    assert held == {"m": None, "j": f"Bearer {KEY}"}
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4
    assert [path for path in files if KEY.encode() in path.read_bytes()] == []
    assert KEY not in done.stdout + done.stderr


def test_a_broken_off_judge_keeps_its_verdicts(tmp_path: Path, pair: Pair) -> None:
    heard = Broken(after=5)
    plan = pair.plan(tmp_path, "alm_bench@official")
    with pytest.raises(EngineError, match="stopped by the test"):
        run(plan, heard)
    # What was on its way may still arrive.
    asked = -1
    while asked != (asked := pair.count("j")):
        time.sleep(0.5)
    outcome = run(plan)
    check = expected("alm_bench@official")["", "de"]
    assert rows(outcome.results)["alm_bench", "", "de"].value == pytest.approx(mean(check))
    assert pair.count("j") - asked <= 52 - 5


class Broken(Silence):
    """A listener that stops the judging."""

    def __init__(self, after: int) -> None:
        self.name, self.left = "", after

    def stage(self, name: str, total: int | None, look: Look | None = None) -> None:
        self.name = name

    def advance(self) -> None:
        self.left -= self.name == "judging"
        if self.left == 0:
            raise EngineError("stopped by the test")


class Choosy(AlmBenchJudge):
    """A judge that cannot be asked about every sample."""

    def question(self, sample: Sample, responses: Sequence[Response]) -> Request | None:
        if sample.id == "1":
            raise Unscorable("there is nothing to ask")
        return super().question(sample, responses)


def test_what_cannot_be_asked_stops_no_other_question(tmp_path: Path, pair: Pair) -> None:
    meta: Mapping[str, str] = {"Question_Type": "Short Questions", "Question": "?"}
    request = Request("", (), Decoding(max_tokens=1))
    samples = [Sample(str(number), "de", (), ("ja",), meta=meta) for number in range(3)]
    task: Any = SimpleNamespace(name="t", metrics=(Choosy(),))
    with Store(tmp_path / "run") as store:
        asked = [replace(request, respondent=sample.id) for sample in samples]
        rows_of_task = zip(samples, asked, strict=True)
        store.replace_samples(("t", sample, [request]) for sample, request in rows_of_task)
        list(store.add_responses(Response(r.key, f"mark {r.respondent}") for r in asked))
        judge = ask_judge(store, [task], str, pair.judge(), lambda: None)
        verdicts = [
            judge.verdict(store, question)
            for sample in (samples[0], samples[2])
            if (question := task.metrics[0].question(sample, [Response("", f"mark {sample.id}")]))
        ]
    assert [verdict.text for verdict in verdicts if verdict] == ["0", "2"]
    assert pair.count("j") == 2


def test_an_engine_that_only_scores_cannot_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    from towereval import engines, judging

    only = replace(engines.KINDS["openai"], capabilities=frozenset({"score"}))
    monkeypatch.setitem(engines.KINDS, "openai", only)
    with pytest.raises(UsageError, match="openai cannot judge: it does not generate"):
        judging.find_judge(JudgePlan("j", "openai", {"base_url": "http://host/v1"}))


def test_a_judges_folder_is_no_part_of_its_signature(
    pair: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "checkpoints" / "judge-7b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    judges = {
        "checkpoints/judge-7b": "judge-7b",
        f"generic:{tmp_path}/checkpoints/judge-7b/": "generic:judge-7b",
        "/home/someone/not/here": "here",  # a path of the server's machine
        "org/judge-7b": "org/judge-7b",
        "llama3:8b": "llama3:8b",
    }
    for model, named in judges.items():
        task = plugins.load_task("alm_bench@official")
        with Store(tmp_path / "store") as store:
            judge = ask_judge(store, [task], str, pair.judge(model), lambda: None)
        assert re.fullmatch(rf"{re.escape(named)}@[0-9a-f]{{12}}", judge.name), judge.name


@pytest.mark.engine
@pytest.mark.skipif(
    find_spec("torch") is None or find_spec("transformers") is None,
    reason="needs the cpu extra: torch or transformers is not installed",
)
def test_a_model_of_our_own_can_judge(tmp_path: Path, pair: Pair) -> None:
    """The tiny model knows nothing: what it says of an answer cannot be read."""
    outcome: Outcome = run(pair.plan(tmp_path, judge=JudgePlan(), languages=("de", "ja")))
    words = ["--judge", "tiny", "--judge-engine", "transformers"]
    done = towereval("score", outcome.folder, *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = rows(read(outcome.folder))
    places = [("alm_bench", "de", 6), ("alm_bench", "ja", 6), ("vimul_bench", "de", 1)]
    for task, language, count in places:
        row = found[task, "", language]
        assert (row.value, row.n, row.n_failed, row.n_unscored) == (None, 0, 0, count)
        assert "|judge:tiny@" in row.signature
        assert re.match("unscored: (the judge gave no mark|.*verdict)", row.note)
    with Store(outcome.folder) as store:
        manifest = store.manifest()
    assert manifest["judge"]["name"].startswith("tiny@")
