"""Languages are found by code or group, in the order in which a task offers them."""

from __future__ import annotations

import re

import pytest

from towereval import plugins
from towereval.errors import UnknownName
from towereval.languages import GROUPS, LANGUAGES, TIERS, Present, among, expand, select

OFFERED = ("fr", "de", "zh-Hant", "en", "is")


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ((), OFFERED),
        (("de",), ("de",)),
        (("is", "fr"), ("fr", "is")),
        (("de", "de"), ("de",)),
        (("core",), ("fr", "de", "zh-Hant", "en")),
        (("unseen",), ("is",)),
        (("unseen", "de", "core"), OFFERED),
        (("tier:T5",), ("fr", "de", "zh-Hant")),  # English stands apart
        (("tier:T2", "script:Hant"), ("zh-Hant", "is")),
    ],
)
def test_codes_and_groups_choose_from_what_is_offered(
    wanted: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    assert select(wanted, OFFERED) == chosen


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ger", "unknown language 'ger'"),
        ("De", r"did you mean .*\bde\b"),
        ("cor", r"did you mean .*\bcore\b"),
        ("it", "unknown language 'it'"),  # a language, but none that is offered
        ("added", "unknown language 'added'"),  # no member of the group is offered
        ("", "unknown language ''"),
        ("tier:T7", r"did you mean .*\btier:T5\b"),
        ("tier:T1", "unknown language 'tier:T1'"),
        ("script:Thai", "unknown language 'script:Thai'"),
        ("T5", "unknown language 'T5'"),
    ],
)
def test_what_is_not_offered_is_refused(name: str, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        select(("de", name), OFFERED)


def test_groups_are_expanded_in_place() -> None:
    assert expand(("nb", "unseen", "de")) == ("nb", "da", "fi", "hu", "is", "sv", "de")
    assert expand(()) == ()


@pytest.mark.parametrize(("group", "count"), [("core", 10), ("added", 9), ("tower20", 20)])
def test_groups_are_as_large_as_the_paper_says(group: str, count: int) -> None:
    assert len(GROUPS[group]) == count


@pytest.mark.parametrize("group", GROUPS)
def test_a_groups_members_are_known_and_named_once(group: str) -> None:
    assert set(GROUPS[group]) <= set(LANGUAGES)
    assert len(set(GROUPS[group])) == len(GROUPS[group])
    assert group not in LANGUAGES


def test_core_added_and_unseen_share_no_language() -> None:
    members = [*GROUPS["core"], *GROUPS["added"], *GROUPS["unseen"]]
    assert len(set(members)) == len(members)


@pytest.mark.parametrize("code", LANGUAGES)
def test_codes_are_bcp_47_and_names_are_there(code: str) -> None:
    language = LANGUAGES[code]
    assert re.fullmatch(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", code)
    assert re.fullmatch(r"[A-Z][a-z]{3}", language.script)
    assert language.code == code
    assert language.english
    assert language.own or code == "und"


def test_no_two_languages_share_a_name() -> None:
    assert len({language.english for language in LANGUAGES.values()}) == len(LANGUAGES)
    assert len({language.own for language in LANGUAGES.values()}) == len(LANGUAGES)


TASKS = [
    f"{name}@{task.variant}" for name in plugins.names("tasks") for task in plugins.load_tasks(name)
]


@pytest.mark.parametrize("reference", TASKS)
def test_a_tasks_languages_are_known(reference: str) -> None:
    task = plugins.load_task(reference)
    assert set(task.languages) <= set(LANGUAGES)
    assert len(set(task.languages)) == len(task.languages) > 0


def test_a_group_reaches_benchmarks_that_do_not_tell_varieties_apart() -> None:
    assert select(["core"], ("de", "zh", "ar")) == ("de", "zh")
    assert select(["added"], ("cs", "no", "da")) == ("cs", "no")
    assert select(["tower20"], ("pt", "zh-Hans", "fi")) == ("pt", "zh-Hans")
    assert select(["zh-Hans"], ("zh-Hans", "zh")) == ("zh-Hans",)


def test_a_language_is_in_one_tier() -> None:
    codes = [code for members in TIERS.values() for code in members]
    assert len(codes) == len(set(codes))
    assert {*LANGUAGES} - {*codes} == {"und", "en"}  # English has a column of its own


def test_a_group_reaches_the_varieties_of_its_plain_codes() -> None:
    assert select(["core"], ("pt-BR", "ja")) == ("pt-BR",)
    assert select(["lrm10"], ("zh-Hans", "zh-Hant", "ja")) == ("zh-Hans", "zh-Hant")


def test_a_script_is_each_codes_own() -> None:
    assert select(["script:Hans"], ("zh", "zh-Hans")) == ("zh-Hans",)
    assert set(expand(["script:Arab"])) >= {"ar", "fa", "ur"}


@pytest.mark.parametrize(
    ("group", "offered", "found"),
    [
        ("unseen", ("sv", "de", "da"), Present("unseen", ("sv", "da"), ("fi", "hu", "is"))),
        ("added", ("cs", "no", "da"), ("uk", "hi", "ko", "ja", "pl", "ro")),  # no is nn and nb
        ("tower20", ("pt", "zh"), 16),
        ("script:Arab", ("ar", "de"), Present("script:Arab", ("ar",), ())),
    ],
)
def test_who_is_missing_is_named(
    group: str, offered: tuple[str, ...], found: Present | tuple[str, ...] | int
) -> None:
    present = among(group, offered)
    if isinstance(found, int):
        assert len(present.missing) == found
    else:
        assert found in (present, present.missing)
