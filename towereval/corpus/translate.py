"""Texts put into other languages by any model that the harness runs, kept and resumed as a run.

A passage is what must be translated together: a conversation's texts, or a question and its
options. Each text is asked alone, greedily; one without a letter stays as it is. A text that could
not be asked, and an answer that is empty or was cut at its length, leave their passage
untranslated, with the reason: nothing is ever translated by "".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from towereval import engines
from towereval.errors import UnknownName, UsageError
from towereval.judging import public_name
from towereval.languages import LANGUAGES
from towereval.plan import Plan
from towereval.progress import Listener
from towereval.run import respond
from towereval.store import Store
from towereval.subject import Subject, find_subject
from towereval.types import Decoding, Message, Request, Response, Sample, Text

TASK = "translate"
# Tower+ was tuned on a question of this form (https://huggingface.co/Unbabel/Tower-Plus-9B); the
# one that TowerVision's authors asked is not published. Another wording is another answer.
QUESTION = "Translate the following {source} source text to {target}:\n{source}: {text}\n{target}: "


@dataclass(frozen=True, slots=True)
class Translator:
    """`max_tokens`: an answer of so many is taken for a cut one."""

    model: str
    engine: str = "vllm"
    engine_args: Mapping[str, Any] = field(default_factory=dict)
    max_tokens: int = 1024
    retries: int = 0


About = TypeVar("About")


@dataclass(frozen=True, slots=True)
class Passage(Generic[About]):
    """`id` is unique among the passages of its target `language`; `about` is the caller's."""

    id: str
    source_language: str
    language: str
    texts: tuple[str, ...]
    about: About


@dataclass(frozen=True, slots=True)
class Translated(Generic[About]):
    """`texts` is empty where there is no translation, for this `reason`; `failed`: the request did,
    so that the same command asks it again.
    """

    passage: Passage[About]
    texts: tuple[str, ...] = ()
    reason: str = ""
    failed: bool = False


def check_languages(codes: Iterable[str]) -> None:
    for code in codes:
        if code not in LANGUAGES or code == "und":
            raise UnknownName("language", code, LANGUAGES)


def find_translator(translator: Translator) -> tuple[str, Subject]:
    """Its name, which translations carry, and the model. Raises `TowerevalError`."""
    if "generate" not in engines.find(translator.engine).capabilities:
        raise UsageError(f"{translator.engine} cannot translate: it does not generate")
    subject = find_subject(translator.model, translator.engine, translator.engine_args)
    return f"{public_name(translator.model)}@{subject.respondent[:12]}", subject


def translate(
    passages: Callable[[], Iterable[Passage[About]]],
    translator: Translator,
    folder: Path,
    listener: Listener,
) -> Iterator[Translated[About]]:
    """One for each passage, in order; `passages` is called twice and gives the same both times.

    Answers are kept in `folder`, a store as a run's: the same call asks only what is missing.
    Raises `TowerevalError`.
    """
    name, subject = find_translator(translator)
    plan = Plan(
        translator.model,
        (),
        engine=translator.engine,
        engine_args=translator.engine_args,
        retries=translator.retries,
    )
    with Store(folder) as store:
        store.write_manifest(
            {"model": name, "respondent": dict(subject.description), "question": QUESTION}
        )
        listener.stage("reading texts", None)
        store.replace_samples(_rows(passages(), subject, translator.max_tokens, listener))
        respond(store, plan, subject, listener)
        answered = store.answered(TASK)
        for passage, (_, _, responses) in zip(passages(), answered, strict=True):
            yield _translated(passage, responses, subject.clean, translator.max_tokens)


def _rows(
    passages: Iterable[Passage[About]], subject: Subject, max_tokens: int, listener: Listener
) -> Iterator[tuple[str, Sample, Sequence[Request]]]:
    for passage in passages:
        requests = [
            Request(
                passage.id,
                (Message("user", (Text(question(passage, text)),)),),
                Decoding(max_tokens),
                respondent=subject.respondent,
            )
            for text in passage.texts
            if has_words(text)
        ]
        listener.advance()
        yield TASK, Sample(passage.id, passage.language, (), ()), requests


def question(passage: Passage[About], text: str) -> str:
    source, target = (LANGUAGES[c].english for c in (passage.source_language, passage.language))
    return QUESTION.format(source=source, target=target, text=text.strip())


def has_words(text: str) -> bool:
    return any(char.isalpha() for char in text)


def _translated(
    passage: Passage[About],
    responses: Sequence[Response | None],
    clean: Callable[[str], str],
    max_tokens: int,
) -> Translated[About]:
    rest = iter(responses)
    texts = []
    for text in passage.texts:
        if not has_words(text):
            texts.append(text)
            continue
        response = next(rest)
        if response is None or response.error:
            reason = response.error if response else "not asked yet"
            return Translated(passage, reason=reason, failed=True)
        answer = clean(response.text).strip()
        if not answer:
            return Translated(passage, reason="the model answered nothing")
        if response.token_count >= max_tokens:
            return Translated(passage, reason=f"the answer was cut at {max_tokens} tokens")
        # The blanks around a text part it from what stands beside it.
        core = text.strip()
        texts.append(text.replace(core, answer, 1))
    return Translated(passage, tuple(texts))
