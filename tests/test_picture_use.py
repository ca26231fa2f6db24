"""Picture use: which pictures are shown, what the numbers are, and that they rank nobody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image as pil

from tests.finished_run import finished
from tests.test_cli import error_line, towereval
from tests.test_replay import Answer, record, replayed
from towereval import plugins
from towereval.bridges import eval_results, every_eval_ever
from towereval.data.folder import FolderSource
from towereval.diagnosis import media_of, showing
from towereval.errors import UnknownName, Unscorable, UsageError
from towereval.leaderboard.build import build
from towereval.metrics.picture_use import NO_PAIR, NO_WRONG, LikelihoodGain, order
from towereval.picture_use import PictureUse
from towereval.plan import SAMPLES
from towereval.results import read_run
from towereval.run import Outcome, rescore, run
from towereval.types import Image, Message, Request, Response, Result, Sample, Text

COMMUTE, MULTI30K = "commute+picture-use", "multi30k+picture-use"


def samples(reference: str, languages: Sequence[str], seed: int = 0) -> list[Sample]:
    task = plugins.load_task(reference)
    assert isinstance(task, PictureUse)
    source = FolderSource(SAMPLES / task.name)
    return list(replace(task, seed=seed).samples(source, languages))


def asked(reference: str, sample: Sample) -> dict[str, Request]:
    requests = plugins.load_task(reference).requests(sample)
    return dict(zip(order(sample), requests, strict=True))


# --- which pictures ---


def test_a_wrong_picture_is_another_ones_and_each_is_wrong_once() -> None:
    found = samples(MULTI30K, ["de", "fr"])
    pairs: dict[str, list[tuple[str, str]]] = {"de": [], "fr": []}
    for sample in found:
        requests = asked(MULTI30K, sample)
        (right,), (wrong,) = requests["right"].media, requests["wrong"].media
        assert requests["none"].media == ()
        pairs[sample.language].append((right.sha256, wrong.sha256))
    assert pairs["de"] == pairs["fr"]  # parallel items are shown the same wrong picture
    rights, wrongs = zip(*pairs["de"], strict=True)
    assert all(right != wrong for right, wrong in pairs["de"])
    assert sorted(rights) == sorted(wrongs)
    assert len(set(rights)) == 8


def test_the_seed_draws_the_wrong_pictures() -> None:
    drawn = [[s.meta["wrong"] for s in samples(MULTI30K, ["de"], seed)] for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_the_same_bytes_under_another_name_are_the_same_picture(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "again.png", "b.png")):
        pil.new("RGB", (8, 8), (number // 2 * 255, 0, 0)).save(tmp_path / name)
    rows = [{"image": name, "en": name, "cs": name} for name in ("a.png", "again.png", "b.png")]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = plugins.load_task(MULTI30K)
    names = [
        Path(json.loads(sample.meta["wrong"])[0][1]).name
        for sample in task.samples(FolderSource(tmp_path), ["cs"])
    ]
    assert names == ["b.png", "b.png", "a.png"]
    (tmp_path / "test.jsonl").write_text("\n".join(map(json.dumps, rows[:2])))
    for sample in task.samples(FolderSource(tmp_path), ["cs"]):
        assert list(asked(MULTI30K, sample)) == ["right", "none"]


def test_the_pictures_of_a_prompt_are_replaced_in_their_places() -> None:
    a, b, c, d = (Image(name, name) for name in "abcd")
    prompt = (
        Message("system", (Text("Look."),)),
        Message("user", (a, Text("and"), b)),
        Message("user", (Text("Which?"),)),
    )
    assert media_of(prompt) == (a, b)
    assert showing(prompt, (c, d))[1] == Message("user", (c, Text("and"), d))
    assert showing(prompt, ())[1] == Message("user", (Text("and"),))
    assert showing((Message("user", (a,)),), ()) == ()


def test_a_pair_is_asked_with_its_pictures_swapped() -> None:
    first, second = samples(COMMUTE, ["de"])[:2]
    one, other = asked(COMMUTE, first), asked(COMMUTE, second)
    assert one["right"].continuation == other["other"].continuation == first.choices[0]
    assert one["swapped"].media == other["right"].media != one["right"].media
    # What the pair's two rows ask about each other is one question.
    keys = {name: request.key for name, request in other.items()}
    assert one["swapped"].key == keys["other"]
    assert one["other"].key == keys["swapped"]
    assert one["other swapped"].key == keys["right"]


def test_no_adapter_writes_a_placeholder_where_no_picture_is_shown() -> None:
    """Else the model would be told of a picture that it is not shown."""
    request = asked(MULTI30K, samples(MULTI30K, ["de"])[0])["none"]
    for adapter in plugins.adapters():
        for checkpoint in adapter.checkpoints.values():
            rendered = adapter.render(request.prompt, checkpoint)
            words = json.dumps(rendered.messages).lower()
            assert (rendered.images, rendered.videos) == ((), ())
            assert "image" not in words and "video" not in words, adapter.name


# --- what the numbers are ---


def looking(gain: float) -> Callable[[Sample, Request], Response]:
    """Any candidate costs 10; the row's own translation `gain` less with its own picture."""

    def answer(sample: Sample, request: Request) -> Response:
        text = request.continuation or ""
        shown = request.media == media_of(sample.prompt)
        fits = shown == (text == sample.references[0]) and bool(request.media)
        return Response(request.key, logprob=-10.0 + gain * fits, token_count=len(text.split()))

    return answer


def outcome(tmp_path: Path, tasks: Sequence[str], answer: Answer) -> Outcome:
    recorded = record(tmp_path / "recorded", tasks, answer)
    return run(replayed(recorded, tmp_path / "out", tasks))


def row(found: Sequence[Result], metric: str, language: str) -> Result:
    (one,) = (r for r in found if (r.metric, r.language, r.group) == (metric, language, ""))
    return one


def test_a_model_that_looks_has_what_it_gains_by_looking(tmp_path: Path) -> None:
    found = outcome(tmp_path, [MULTI30K], looking(3.0)).results
    words = [len(sample.references[0].split()) for sample in samples(MULTI30K, ["de"])]
    for name in ("cxmi", "right_minus_wrong"):
        assert row(found, name, "de").value == pytest.approx(3.0)
        per_token = row(found, f"{name}_per_token", "de")
        assert per_token.value == pytest.approx(3.0 * len(words) / sum(words))
        assert per_token.ci_low is not None and per_token.ci_low < per_token.value
    assert {r.variant for r in found} == {"towervision+picture-use"}


def test_a_picture_that_misleads_has_a_gain_below_zero(tmp_path: Path) -> None:
    """With its interval: BLEU's would end at zero."""

    def misled(sample: Sample, request: Request) -> Response:
        cost = 2.0 + int(sample.id) if request.media else 0.0
        return Response(request.key, logprob=-10.0 - cost, token_count=5)

    found = row(outcome(tmp_path, [MULTI30K], misled).results, "cxmi", "fr")
    assert found.value == pytest.approx(-5.5)
    assert found.ci_low is not None and found.ci_high is not None
    assert found.ci_low < -7 < found.value < found.ci_high < -3


@pytest.mark.parametrize(("gain", "follows"), [(3.0, 1.0), (0.0, 0.0)])
def test_a_preference_follows_the_picture_or_is_none(
    tmp_path: Path, gain: float, follows: float
) -> None:
    found = outcome(tmp_path, [COMMUTE], looking(gain)).results
    assert row(found, "image_swap_accuracy", "*").value == follows
    assert row(found, "cxmi", "de").value == gain


def test_right_with_its_own_picture_is_not_enough(tmp_path: Path) -> None:
    """A model that prefers the animal whatever it is shown is right in every second row."""

    def blind(sample: Sample, request: Request) -> Response:
        cost = float(len(request.continuation or ""))
        return Response(request.key, logprob=-cost, token_count=1)

    found = outcome(tmp_path, [COMMUTE], blind)
    assert row(found.results, "image_swap_accuracy", "*").value == 0.0
    assert row(found.results, "cxmi", "*").value == 0.0
    assert rescore(found.folder).results == found.results


def test_a_row_without_its_pair_and_one_of_equal_candidates_have_no_swap(tmp_path: Path) -> None:
    lines = (SAMPLES / "commute/de.jsonl").read_text().splitlines()
    first, second, alone = (json.loads(line) for line in lines[:3])
    same = {"correct_translation": "Fledermaus", "incorrect_translation": "Fledermaus"}
    for number, each in enumerate((first, second, alone)):
        each["image"] = f"{number}.png"
        pil.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / each["image"])
    rows = [first | same, second | same, alone]
    (tmp_path / "de.jsonl").write_text("\n".join(map(json.dumps, rows)))
    task = plugins.load_task(COMMUTE)
    (swap,) = (metric for metric in task.metrics if metric.name == "image_swap_accuracy")
    found = list(task.samples(FolderSource(tmp_path), ["de"]))
    assert len(found) == 3
    for sample in found:
        responses = [Response("", logprob=-1.0, token_count=1)] * len(order(sample))
        with pytest.raises(Unscorable, match=NO_PAIR):
            swap.sample(sample, responses)
        assert "remark" not in sample.meta
    with pytest.raises(Unscorable, match=NO_WRONG):
        unpaired = replace(found[0], meta={})
        LikelihoodGain("wrong", "token").sample(unpaired, [Response("")] * 2)


def test_a_failed_request_is_no_gain(tmp_path: Path) -> None:
    def failing(sample: Sample, request: Request) -> Response:
        if sample.id == "0" and sample.language == "de" and not request.media:
            return Response(request.key, error="out of memory")
        return looking(1.0)(sample, request)

    recorded = record(tmp_path / "recorded", [MULTI30K], failing)
    words = ("--model", "made", "--tasks", "multi30k", "--split", "sample", "--engine", "replay")
    done = towereval(
        *("diagnose", "picture-use", *words, "--engine-args", f"run={recorded}"), cwd=tmp_path
    )
    assert done.returncode == 4
    assert "failed 1x: out of memory" in done.stderr
    german = next(line for line in done.stdout.splitlines() if line.split()[0] == "de")
    assert german.split()[-3:] == ["7", "1", "0"]


# --- what it refuses, and where it stays out ---


@pytest.mark.parametrize("name", ["alm_bench", "m5_vlod"])
def test_letters_are_refused_by_name(name: str) -> None:
    task = plugins.load_task(f"{name}+picture-use")
    with pytest.raises(UsageError, match=rf"{name}@\w+\+picture-use .* option's letter"):
        next(task.samples(FolderSource(SAMPLES / name), task.languages))


def test_a_refused_diagnosis_leaves_no_run(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", ["m5_vlod"])
    plan = replayed(recorded, tmp_path / "out", ["m5_vlod+picture-use"])
    with pytest.raises(UsageError, match="has no sample to ask about"):
        run(plan)
    assert not list((tmp_path / "out").rglob("*.*"))
    with pytest.raises(UsageError, match="has no sample to ask about"):
        run(plan)


def test_a_diagnosis_that_is_none_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean picture-use"):
        plugins.load_task("multi30k+picture-us")


def test_questions_with_letters_are_unscored_beside_open_ones(tmp_path: Path) -> None:
    found = outcome(tmp_path, ["vimul_bench+picture-use"], looking(1.0)).results
    german = row(found, "cxmi", "de")
    letters = [s for s in samples("vimul_bench+picture-use", ["de"]) if s.group == "mcq"]
    assert (german.n_unscored, german.n_failed) == (len(letters), 0)
    assert german.n > 0


def test_a_diagnosis_ranks_nobody(tmp_path: Path) -> None:
    outcome(tmp_path, [MULTI30K], looking(1.0))
    with pytest.raises(UsageError, match="a diagnosis ranks nobody"):
        build(tmp_path / "out")
    outcome(tmp_path / "more", ["commute+picture-use", "multi30k"], looking(1.0))
    board = build(tmp_path / "more")
    assert {line.variant for line in board.rows} == {"towervision"}


def test_two_models_are_compared_by_what_they_gain(tmp_path: Path) -> None:
    """By several nats: no best value bounds a difference."""

    def more(sample: Sample, request: Request) -> Response:
        return looking(5.0 + int(sample.id) / 10)(sample, request)

    base = outcome(tmp_path / "base", [MULTI30K], looking(1.0)).folder
    other = outcome(tmp_path / "other", [MULTI30K], more).folder
    done = towereval("compare", base, other, "--format", "json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["comparisons"]
    (german,) = (r for r in found if (r["metric"], r["language"]) == ("cxmi", "de"))
    assert german["delta"] == pytest.approx(4.35)
    assert 1.0 < german["ci_low"] < 4.35 < german["ci_high"]
    lost = towereval("compare", other, base, cwd=tmp_path)
    assert re.search(r"cxmi, de: -4\.35 in its unit, adjusted p", lost.stdout), lost.stdout
    pytest.importorskip("matplotlib")
    done = towereval("analyse", "gain", base, other, "--output", "gain.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^  de +1\.00 +5\.35 +\+4\.35 +\+", done.stdout, re.MULTILINE)
    assert "picture-use cxmi, in its own unit; cxmi|unit:nats/sentence" in done.stdout
    done = towereval("plot", "gain", base, other, "--output", "plot.svg", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("gain.svg", "plot.svg"):
        drawn = (tmp_path / name).read_text(encoding="utf-8")
        assert "gain in multi30k@towervision+picture-use cxmi, 95% intervals" in drawn
        assert "+4.35" in drawn


def test_the_command_shows_a_row_a_language(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", [COMMUTE, MULTI30K], looking(9.0))
    words = ("--model", "made", "--tasks", "commute,multi30k", "--engine", "replay")
    words += ("--engine-args", f"run={recorded}", "--split", "sample")
    first, second = (towereval("diagnose", "picture-use", *words, cwd=tmp_path) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr
    (line,) = (line for line in first.stdout.splitlines() if line.split()[:1] == ["ar"])
    assert line.split() == ["ar", "9.00", "2.571", "9.00", "2.571", "1.00", "4", "0", "0"]
    assert "\n0 asked, " in second.stdout
    refused = towereval("diagnose", "picture-use", *words[:2], "--tasks", ",", cwd=tmp_path)
    assert "--tasks names no task" in error_line(refused, 2)


def test_a_diagnosis_is_exported_with_no_bounds_and_not_as_a_score(tmp_path: Path) -> None:
    ours = {"task": "multi30k", "variant": "towervision+picture-use", "language": "de"}
    rows = [{**ours, "metric": name, "value": 0.5} for name in ("cxmi", "right_minus_wrong")]
    done = read_run(finished(tmp_path, "org/m", "r1", *rows))
    with pytest.raises(UsageError, match="no row has a value"):
        eval_results.write_files(done, tmp_path / "out", {})
    stated = every_eval_ever.Statement("the authors", "other")
    content = every_eval_ever.record(done, stated)
    (first, _) = content["evaluation_results"]
    assert first["score_details"]["score"] == 0.5
    assert "max_score" not in first["metric_config"]


def test_the_real_pairs_are_found(shared: Path, tmp_path: Path) -> None:
    """All but two French pairs, whose rows are not each other's, and eight of equal candidates."""
    paired = {}
    for language in ("fr", "ru", "ar"):
        folder = shared / "data/commute" / f"en-{language}"
        names = ("src.en", f"correct.{language}", f"incorrect.{language}", "img.order")
        columns = [(folder / name).read_text(encoding="utf-8").split("\n") for name in names]
        rows = []
        for number, (source, right, wrong, _) in enumerate(zip(*columns, strict=True)):
            # The pictures are not part of the texts: any that differ will do.
            colour = (number % 256, number // 256, len(language))
            pil.new("RGB", (1, 1), colour).save(tmp_path / f"{number}.png")
            texts = {"correct_translation": right, "incorrect_translation": wrong}
            rows.append({"source": source, "image": f"{number}.png", **texts})
        (tmp_path / f"{language}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        found = list(plugins.load_task(COMMUTE).samples(FolderSource(tmp_path), [language]))
        assert all("wrong" in sample.meta for sample in found)
        paired[language] = (sum("swapped" in sample.meta for sample in found), len(found))
    assert paired == {"fr": (304, 308), "ru": (318, 324), "ar": (322, 324)}
