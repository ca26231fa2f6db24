"""Our models in lmms-eval: `lmms-eval --model towereval --model_args model=towervision-9b`.

Imported by lmms-eval alone. Adapters, mended checkpoints and engines are those of `towereval run`;
requests are fed to the running engine, so `--batch_size` has no meaning. What a task asks of the
decoding is done: `max_new_tokens`, `temperature`, `until`. A request that fails ends the command:
lmms-eval has no place for an answer that there is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from lmms_eval.api.instance import Instance
from lmms_eval.api.model import lmms

from towereval import engines
from towereval.bridges.lmms_decoding import decoding_of
from towereval.bridges.lmms_media import MediaCache, Opened, shown
from towereval.bridges.lmms_tasks import prompt_of
from towereval.data.media import cache_folder
from towereval.errors import EngineError, UsageError
from towereval.subject import find_subject
from towereval.types import Decoding, Request

# What lmms-eval's loader adds where a task has no `until`; none of its vLLM models heeds it.
ADDED_STOP = "\n\n"


class TowerevalModel(lmms):  # type: ignore[misc]
    """`model` as in `towereval run`; further arguments are the engine's, as --engine-args."""

    is_simple = False

    def __init__(
        self,
        model: str,
        engine: str = "vllm",
        seed: int = 0,
        batch_size: int | str = 1,
        max_batch_size: int | None = None,
        device: str | None = None,
        **engine_args: Any,
    ) -> None:
        super().__init__()
        self._seed = int(seed)
        subject = find_subject(model, engine, engine_args)
        if subject.model is None:
            raise UsageError(f"engine={engine} has no model that could answer")
        self._clean = subject.clean
        self._engine = engines.start(subject.kind, subject.model, engine_args, self._seed)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        asked: dict[str, list[int]] = {}
        answers: dict[int, str] = {}
        with closing(self._engine.run(self._requests(requests, asked))) as responses:
            for response in responses:
                if response.error:
                    raise EngineError(f"a request failed: {response.error}")
                for number in asked[response.key]:
                    answers[number] = self._clean(response.text)
        return [answers[number] for number in range(len(requests))]

    def _requests(
        self, requests: Sequence[Instance], asked: dict[str, list[int]]
    ) -> Iterator[Request]:
        """One after the other, as the engine wants them; notes which are asked by which key."""
        opened = Opened()
        media = MediaCache(cache_folder() / "media", opened)
        for number, instance in enumerate(requests):
            _, doc_to_messages, settings, document, task, split = instance.args
            with opened.watched():
                messages = doc_to_messages(self.task_dict[task][split][document])
                told = [shown(each, media) for each in messages]
            until = settings.get("until") or []
            stops = [until] if isinstance(until, str) else until
            settings = {**settings, "until": [stop for stop in stops if stop != ADDED_STOP]}
            decoding = decoding_of(settings)
            request = Request(
                f"{task}/{document}",
                prompt_of(told),
                Decoding(**{**decoding, "stop": tuple(decoding["stop"]), "seed": self._seed}),
            )
            asked.setdefault(request.key, []).append(number)
            yield request

    def clean(self) -> None:
        """Called when all is answered, before scoring."""
        self._engine.close()

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise UsageError("lmms-eval 0.7 scores log-likelihoods wrongly: not served")

    def generate_until_multi_round(self, requests: list[Instance]) -> list[str]:
        raise UsageError("towereval asks one question a sample")
