"""Candidates are scored where the server gives log-probabilities of the prompt, else it is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chat_server import Asked, Reply, completion, refusal
from tests.engines.asking import QUESTION, answers, words
from towereval.types import Request

CANNOT = "EngineError: this server cannot score candidates: "


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def scoring(continuation: str, number: int = 0) -> Request:
    asked = words(number)
    return Request("0", asked.prompt, asked.decoding, continuation)


def rendered(messages: list[dict[str, str]]) -> str:
    """As a chat template does: the last message of an assistant is begun and not ended."""
    return "".join(f"<{message['role']}>{message['content']}" for message in messages)


def server(asked: Asked) -> Reply:
    """Letters are tokens but "st", which is one; the log-probability of each is minus its place."""
    text = rendered(asked.body["messages"])
    text += "" if asked.body.get("continue_final_message") else "<assistant>"
    tokens = [ord(letter) for letter in text.replace("st", "\ue000")]
    logprobs: list[Any] = [{str(token): {"logprob": -at}} for at, token in enumerate(tokens)]
    logprobs[0] = None
    return completion("x", prompt_token_ids=tokens, prompt_logprobs=logprobs)


def test_a_candidate_s_log_probability_is_that_of_its_tokens() -> None:
    [answer], asked = answers(server, [scoring("Haus")])
    start = len(f"<user>{QUESTION} 0<assistant>".replace("st", "x"))
    assert answer.logprob == -sum(range(start, start + 4))
    assert (answer.token_count, answer.text, answer.error) == (4, "", "")
    begun = next(one.body for one in asked if one.body.get("continue_final_message"))
    assert begun["messages"][-1] == {"role": "assistant", "content": "Haus"}
    assert (begun["add_generation_prompt"], begun["prompt_logprobs"]) == (False, 0)


def test_a_token_across_the_prompt_s_end_belongs_to_the_candidate() -> None:
    def merging(asked: Asked) -> Reply:
        text = rendered(asked.body["messages"])
        text += "" if asked.body.get("continue_final_message") else "<assistant>"
        tokens = [ord(letter) for letter in text.replace(">H", "\ue001")]
        logprobs = [{str(token): {"logprob": -1.0}} for token in tokens]
        return completion("x", prompt_token_ids=tokens, prompt_logprobs=logprobs)

    [answer], _ = answers(merging, [scoring("Haus")])
    assert (answer.logprob, answer.token_count) == (-4.0, 4)


def test_candidates_of_one_prompt_share_its_tokens() -> None:
    requests = [scoring(candidate) for candidate in ("Haus", "Bank", "Ufer")]
    found, asked = answers(server, requests, concurrency=1)
    assert [answer.token_count for answer in found] == [4, 4, 4]
    assert len(asked) == 4


@pytest.mark.parametrize(
    "reply",
    [
        completion("x"),
        completion("x", prompt_logprobs=None, prompt_token_ids=None),
        completion("x", prompt_token_ids=[1, 2]),
        refusal(400, "Unrecognized request argument supplied: prompt_logprobs"),
        refusal(422, '{"detail": [{"loc": ["body", "return_token_ids"], "msg": "forbidden"}]}'),
    ],
)
def test_a_server_that_cannot_score_says_so_and_is_not_asked_again(reply: Reply) -> None:
    requests = [*(scoring(candidate) for candidate in ("Haus", "Bank", "Ufer")), words(7)]

    def script(asked: Asked) -> str | Reply:
        return reply if "prompt_logprobs" in asked.body else "Haus"

    found, asked = answers(script, requests, concurrency=1)
    assert all(answer.error.startswith(CANNOT) for answer in found[:3])
    assert (found[3].text, len(asked)) == ("Haus", 2)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prompt_logprobs": [None]}, "1 log-probabilities of"),
        ({"prompt_token_ids": [1, 2], "prompt_logprobs": [None, None]}, CANNOT),
    ],
)
def test_numbers_that_do_not_fit_are_no_score(change: dict[str, Any], reason: str) -> None:
    def script(asked: Asked) -> Reply:
        answer = json.loads(server(asked).content)
        if asked.body.get("continue_final_message"):
            answer |= change
        return Reply(content=json.dumps(answer).encode())

    [answer], _ = answers(script, [scoring("Haus")])
    assert reason in answer.error
    assert answer.logprob is None


def test_a_log_probability_that_is_no_number_is_an_error() -> None:
    def script(asked: Asked) -> Reply:
        return Reply(
            content=server(asked).content.replace(b'"logprob": -', b'"logprob": NaN, "x": -')
        )

    [answer], _ = answers(script, [scoring("Haus")])
    assert answer.error == "EngineError: the log-probability is not a number"


def test_a_refusal_for_another_reason_is_told_as_it_is() -> None:
    found, _ = answers(lambda _: refusal(400, "too long"), [scoring("Haus")])
    assert found[0].error == "EngineError: HTTP 400: too long"


@pytest.mark.parametrize("continuation", [" Haus", "Haus\n", " "])
def test_spaces_that_a_template_would_strip_are_refused(continuation: str) -> None:
    [answer], asked = answers(server, [scoring(continuation)])
    assert "strip the spaces" in answer.error
    assert asked == []
