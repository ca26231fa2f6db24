"""What a task's `Decoding` asks for is what both engines do, to the letter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from towereval.types import Decoding, Engine, Request, Response

pytestmark = pytest.mark.engine
# vLLM 0.32 still says it to xgrammar.
XGRAMMAR = pytest.mark.filterwarnings("ignore:max_rollback_tokens is deprecated:DeprecationWarning")

Ask = Callable[..., list[Response]]
Question = Callable[..., Request]


def asked(question: Question, decoding: Decoding, count: int = 8) -> list[Request]:
    return [question(number, decoding=decoding) for number in range(count)]


@pytest.mark.parametrize("tokens", [1, 3, 16])
def test_max_tokens_is_the_number_of_tokens(
    engine: Engine, question: Question, ask: Ask, tokens: int
) -> None:
    whole = ask(engine, asked(question, Decoding(max_tokens=16)))
    assert [response.token_count for response in whole] == [16] * 8  # none ends by itself
    cut = ask(engine, asked(question, Decoding(max_tokens=tokens)))
    assert [response.token_count for response in cut] == [tokens] * 8
    for one, other in zip(whole, cut, strict=True):
        assert one.text.startswith(other.text.rstrip("\ufffd"))  # half a character


def test_answers_end_with_the_context(
    transformers_engine: Engine, vllm_engine: Engine, question: Question, ask: Ask
) -> None:
    """Prompt and answer share the 2048 tokens; without room for an answer there is an error."""
    requests = [question(0, "y" * length, shown=()) for length in (2000, 2025, 2031, 2032)]
    for engine in (transformers_engine, vllm_engine):
        responses = ask(engine, requests)
        assert [response.token_count for response in responses] == [16, 7, 1, 0]
        assert "2048" in responses[-1].error


def test_stop_strings_cut_the_answer(
    transformers_engine: Engine, vllm_engine: Engine, question: Question, ask: Ask
) -> None:
    free = ask(vllm_engine, asked(question, Decoding(max_tokens=16)))
    # A control character that a byte stands for is text like any other.
    stops = tuple(sorted({sign for response in free for sign in response.text if sign < "0"})[::2])
    wanted = [
        response.text[
            : min((response.text.index(s) for s in stops if s in response.text), default=99)
        ]
        for response in free
    ]
    assert 0 < sum(one != response.text for one, response in zip(wanted, free, strict=True)) < 8
    counts = []
    for engine in (transformers_engine, vllm_engine):
        responses = ask(engine, asked(question, Decoding(max_tokens=16, stop=stops)))
        assert [response.text for response in responses] == wanted
        counts.append([response.token_count for response in responses])
    assert counts[0] == counts[1]
    assert len(set(counts[0])) > 2


def test_a_stop_string_of_several_tokens_and_beyond_ascii(
    engine: Engine, question: Question, ask: Ask
) -> None:
    free = ask(engine, asked(question, Decoding(max_tokens=64), count=32))
    number, sign = next(
        (number, sign)
        for number, response in enumerate(free)
        for sign in response.text[1:]
        if sign > "\x80" and sign != "\ufffd"
    )
    before = free[number].text[: free[number].text.index(sign)]
    stop = before[-1:] + sign
    (response,) = ask(engine, [question(number, decoding=Decoding(max_tokens=64, stop=(stop,)))])
    assert response.text == before[:-1]
    assert response.token_count < 64


def test_a_stop_string_that_begins_in_the_prompt_does_not_stop(
    engine: Engine, question: Question, ask: Ask
) -> None:
    (free,) = ask(engine, asked(question, Decoding(max_tokens=16), count=1))
    stop = "model\n" + free.text[0]  # how the prompt ends and the answer begins
    assert (
        ask(engine, asked(question, Decoding(max_tokens=16, stop=(stop,)), count=1))[0].text
        == free.text
    )


def test_greedy_answers_ignore_the_seed(engine: Engine, question: Question, ask: Ask) -> None:
    texts = [
        [r.text for r in ask(engine, asked(question, Decoding(max_tokens=16, seed=seed)))]
        for seed in (0, 1)
    ]
    assert texts[0] == texts[1]


def test_sampled_answers_repeat_with_their_seed(
    engine: Engine, question: Question, ask: Ask
) -> None:
    def texts(seed: int, count: int = 8) -> list[str]:
        decoding = Decoding(max_tokens=16, temperature=1.0, seed=seed)
        return [response.text for response in ask(engine, asked(question, decoding, count))]

    first = texts(1)
    assert texts(1) == first
    assert texts(1, count=3) == first[:3]  # whatever else is asked
    assert not set(texts(2)) & set(first)


def test_seeded_answers_survive_a_crowd(vllm_engine: Engine, question: Question, ask: Ask) -> None:
    """More prompts than one step reads: vLLM on a CPU dies of a seeded one that it splits."""
    decoding = Decoding(max_tokens=2, temperature=1.0, seed=1)
    responses = ask(vllm_engine, asked(question, decoding, count=100))
    assert not any(response.error for response in responses)


@XGRAMMAR
def test_choices_are_one_of_them(vllm_engine: Engine, question: Question, ask: Ask) -> None:
    choices = ("A", "Bär", 'the "third" \\ one', "1\n2")
    greedy = Decoding(max_tokens=32, choices=choices)
    requests = asked(question, greedy)
    for seed in range(40):
        sampled = replace(greedy, temperature=1.0, seed=seed)
        requests.append(question(0, decoding=sampled))
    responses = ask(vllm_engine, requests)
    assert not any(response.error for response in responses)
    assert {response.text for response in responses} == set(choices)


@XGRAMMAR
def test_half_a_choice_is_an_error(vllm_engine: Engine, question: Question, ask: Ask) -> None:
    decoding = Decoding(max_tokens=2, choices=("Apfel", "Birne"))
    for response in ask(vllm_engine, asked(question, decoding)):
        assert "max_tokens" in response.error
        assert not response.text


def test_transformers_refuses_choices(
    transformers_engine: Engine, question: Question, ask: Ask
) -> None:
    assert "choices" not in transformers_engine.capabilities
    requests = asked(question, Decoding(max_tokens=8, choices=("A", "B")))
    responses = ask(transformers_engine, [*requests, question(0)])
    assert all("choices" in response.error for response in responses[:-1])
    assert responses[-1].text
