"""Which example comes when: the shares that were asked for, by number and seed alone."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from towereval.errors import UsageError
from towereval.train.mixture import Mixture, Stratum, permuted, shares
from towereval.train.recipe import Mix

# English pictures 600, English text 100, German 200 and 60, Czech 30 and 10.
STRATA = [
    Stratum(0, "en", False, 600),
    Stratum(0, "en", True, 100),
    Stratum(1, "de", False, 200),
    Stratum(1, "de", True, 60),
    Stratum(1, "cs", False, 30),
    Stratum(1, "cs", True, 10),
]


def by(label: str, found: tuple[float, ...]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for stratum, share in zip(STRATA, found, strict=True):
        name = str(getattr(stratum, label))
        sums[name] = sums.get(name, 0) + share
    return sums


def test_nothing_asked_is_the_natural_mix() -> None:
    assert shares(STRATA, Mix()) == pytest.approx([0.6, 0.1, 0.2, 0.06, 0.03, 0.01])


def test_languages_and_texts_have_the_shares_asked_for() -> None:
    found = shares(STRATA, Mix(english_share=0.5, temperature=0.5, text_only_share=0.2))
    root = 260**0.5 + 40**0.5
    wanted = {"en": 0.5, "de": 0.5 * 260**0.5 / root, "cs": 0.5 * 40**0.5 / root}
    assert by("language", found) == pytest.approx(wanted, abs=1e-6)
    assert by("text_only", found) == pytest.approx({"True": 0.2, "False": 0.8}, abs=1e-6)


def test_no_temperature_is_uniform_and_keeps_english() -> None:
    found = by("language", shares(STRATA, Mix(temperature=0)))
    assert found == pytest.approx({"en": 0.7, "de": 0.15, "cs": 0.15})


def test_what_is_drawn_is_within_half_a_percent_of_what_was_asked() -> None:
    found = shares(STRATA, Mix(english_share=0.37, temperature=0.3, text_only_share=0.22))
    mixture = Mixture(found, seed=5)
    for first in (0, 777_000):
        drawn = Counter(mixture.place(k)[0] for k in range(first, first + 4000))
        assert {at: count / 4000 for at, count in drawn.items()} == pytest.approx(
            dict(enumerate(found)), abs=0.005
        )


def test_the_rarest_stratum_comes_and_none_comes_twice() -> None:
    mixture = Mixture((0.99995, 0.00003, 0.00002), seed=0)
    places = [mixture.place(k) for k in range(100_000)]
    assert len(set(places)) == 100_000
    counts = Counter(stratum for stratum, _ in places)
    assert 2 <= counts[1] <= 4
    assert 1 <= counts[2] <= 3
    assert sorted(index for stratum, index in places if stratum == 0) == list(range(counts[0]))


def test_an_order_is_a_permutation_of_its_own() -> None:
    orders = [[permuted(i, 1001, key) for i in range(1001)] for key in ("a", "b")]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(1001))
    assert sum(a == b for a, b in zip(*orders, strict=True)) < 10
    assert [permuted(i, 1, "a") for i in range(1)] == [0]


def test_no_process_changes_an_order() -> None:
    script = (
        "from towereval.train.mixture import Mixture, permuted;"
        "m = Mixture((0.5, 0.3, 0.2), 7);"
        "print([m.place(k) for k in range(9)], [permuted(i, 10, 'x') for i in range(10)])"
    )
    told = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            check=True,
            capture_output=True,
            timeout=180,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(told) == 1


@pytest.mark.parametrize(
    ("mix", "strata", "said"),
    [
        (Mix(text_only_share=0.2), STRATA[::2], "the data lack: text only"),
        (
            Mix(english_share=0.5),
            STRATA[:2],
            "other languages than English, and the data have none",
        ),
        (Mix(english_share=0.5), STRATA[2:], "the data lack: en"),
        (Mix(english_share=0.5), [Stratum(0, "", False, 1)], "drawn sources choose their own"),
        # All text is English and all pictures are not.
        (Mix(english_share=0.5, text_only_share=0.2), [STRATA[1], STRATA[2]], "cannot both be had"),
    ],
)
def test_a_mix_that_cannot_be_had_is_refused(mix: Mix, strata: list[Stratum], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        shares(strata, mix)
