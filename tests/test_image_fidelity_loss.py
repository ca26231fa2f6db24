"""What a picture costs in language fidelity: one prompt with it and without it, paired."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.finished_run import finished
from tests.test_replay import record, replayed
from towereval import plugins
from towereval.bridges import every_eval_ever
from towereval.differences import estimate_differences
from towereval.metrics.fidelity import ImageFidelityLoss
from towereval.results import read_run
from towereval.run import run
from towereval.statistics import Observations
from towereval.types import Request, Response, Sample

needs_lingua = pytest.mark.skipif(find_spec("lingua") is None, reason="needs the metrics extra")
REFERENCE = "xm3600@with-and-without-image"
GERMAN, ENGLISH = "Ein brauner Hund läuft über die Wiese.", "A brown dog runs on a meadow."


def lured(sample: Sample, request: Request) -> Response:
    """Without a picture in German; with one half of the answers are English."""
    lost = bool(request.media) and sample.id == "cd6357efdd966de8"
    return Response(request.key, ENGLISH if lost else GERMAN)


@needs_lingua
def test_one_run_gives_both_and_their_difference(tmp_path: Path) -> None:
    recorded = record(tmp_path / "recorded", [REFERENCE], lured)
    results = run(replayed(recorded, tmp_path / "out", [REFERENCE], languages=("de", "en"))).results
    values = {(row.metric, row.language): row.value for row in results}
    assert values["language_fidelity", "de"] == 0.5
    assert values["language_fidelity_without_image", "de"] == 1.0
    assert values["image_fidelity_loss", "de"] == 0.5
    assert values["image_fidelity_loss", "en"] == -1 / 8  # the picture helps
    assert values["image_fidelity_loss", "*"] == (1 / 2 - 1 / 8) / 2


@needs_lingua
def test_what_failed_is_counted_and_no_difference_of_zero(tmp_path: Path) -> None:
    def failing(sample: Sample, request: Request) -> Response:
        done = lured(sample, request)
        return done if sample.id == "cd6357efdd966de8" else Response(request.key, error="broken")

    recorded = record(tmp_path / "recorded", [REFERENCE], failing)
    results = run(replayed(recorded, tmp_path / "out", [REFERENCE], languages=("de",))).results
    rows = {row.metric: row for row in results}
    assert rows["image_fidelity_loss"].value == 1.0
    assert rows["image_fidelity_loss"].n_failed == 1
    assert "as wrong" not in rows["image_fidelity_loss"].note
    assert "0.500 with the failed as wrong" in rows["language_fidelity_without_image"].note


def test_a_difference_is_exported_without_a_lowest_value(tmp_path: Path) -> None:
    """Zero is not its worst."""
    row = {"task": "xm3600", "variant": "with-and-without-image", "value": 0.5}
    ways = {"image_fidelity_loss": "smaller", "language_fidelity": "larger"}
    rows = ({**row, "metric": name, "better": better} for name, better in ways.items())
    done = read_run(finished(tmp_path, "m", "r1", *rows))
    content = every_eval_ever.record(done, every_eval_ever.Statement("the authors", "other"))
    loss, fidelity = (each["metric_config"] for each in content["evaluation_results"])
    assert loss["lower_is_better"] and "min_score" not in loss
    assert (fidelity["min_score"], fidelity["max_score"]) == (0.0, 1.0)


def test_the_two_prompts_differ_by_the_picture_alone() -> None:
    from tests.tasks.test_all_tasks import SAMPLES, asked

    task = plugins.load_task(REFERENCE)
    requests = asked(task, SAMPLES / "xm3600", ["de"])
    for (sample, shown), (_, unshown) in zip(requests[::2], requests[1::2], strict=True):
        assert len(shown.media) == 1
        assert unshown.prompt[0].parts == shown.prompt[0].parts[1:]
        assert shown.decoding == unshown.decoding
        assert sample.prompt == shown.prompt
    assert len({request.key for _, request in requests}) == len(requests)


def interval(*losses: float) -> tuple[float, float | None, float | None]:
    table = np.array(losses, np.float64).reshape(-1, 1)
    observed = Observations(table, [f"{n}" for n in range(len(losses))])
    found, joint = estimate_differences(ImageFidelityLoss(), {"de": observed})
    assert joint is None
    return found["de"].value, found["de"].low, found["de"].high


def test_where_nothing_differs_the_interval_still_tells_how_much_is_known() -> None:
    value, low, high = interval(*[0.0] * 100)
    assert value == 0.0
    assert low is not None and high is not None
    assert -0.05 < low < 0 < high < 0.05
    assert interval(*[0.0] * 4) == (0.0, None, None)


def test_the_interval_is_that_of_paired_answers() -> None:
    """Against Bonett and Price's closed form for 40 of 400 lost and 10 won."""
    value, low, high = interval(*[1.0] * 40, *[-1.0] * 10, *[0.0] * 350)
    n = 400 + 2
    lost, won = 41 / n, 11 / n
    half = 1.96 * ((lost + won - (lost - won) ** 2) / n) ** 0.5
    assert value == pytest.approx(30 / 400)
    assert (low, high) == pytest.approx((lost - won - half, lost - won + half), abs=2e-3)


def test_languages_of_one_picture_are_not_independent() -> None:
    losses = np.random.default_rng(0).choice([0.0, 1.0], 200, p=[0.8, 0.2]).reshape(-1, 1)
    shared = Observations(losses, [f"{n}" for n in range(200)])
    apart = Observations(losses, [f"other {n}" for n in range(200)])
    metric = ImageFidelityLoss()
    _, together = estimate_differences(metric, {"de": shared, "fr": shared})
    _, independent = estimate_differences(metric, {"de": shared, "fr": apart})
    assert together and independent
    widths = [(one.high or 0) - (one.low or 0) for one in (together, independent)]
    assert widths[0] > 1.25 * widths[1]
