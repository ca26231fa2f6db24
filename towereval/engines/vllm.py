"""vLLM in this process: requests are fed to the running engine, pictures as pixels.

The engine never waits for a batch to close: WINDOW requests are inside it, and each answer lets
one in. Pictures are decoded in threads and processed (resized, cut into tiles) in one more, while
the engine steps.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towereval.engines import KINDS
from towereval.engines.ahead import Ahead, Ready
from towereval.engines.prompts import Decoded, Decoders, PromptEncoder, most_pictures, scored
from towereval.engines.vllm_prompts import as_tensor, prompt_of, reading_of
from towereval.errors import EngineError
from towereval.types import Decoding, Model, Request, Response, Usage

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams

WINDOW = 256
# Let in together, for a step costs hardly less with few requests than with many; the engine waits
# for so many no longer than PATIENCE seconds.
LET_IN = 16
PATIENCE = 0.1


@dataclass(frozen=True, slots=True)
class Inside:
    """A request that the engine has had `since` (seconds of the monotonic clock)."""

    request: Request
    continuation_tokens: int
    since: float


def start(model: Model, *, engine_args: Mapping[str, Any], seed: int) -> VllmEngine:
    return VllmEngine(model, engine_args=engine_args, seed=seed)


class VllmEngine:
    capabilities = KINDS["vllm"].capabilities

    def __init__(self, model: Model, *, engine_args: Mapping[str, Any], seed: int) -> None:
        self.model = model
        trusted = bool(engine_args.get("trust_remote_code"))
        self.encoder = PromptEncoder(model, trust_remote_code=trusted)
        self.llm = _load(model, engine_args, seed)
        self.usage = Usage()
        self._reading = reading_of(model, engine_args)
        self._convert = as_tensor if self._takes_tensors() else None
        self._names = itertools.count()  # not keys: two requests may have the same one

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        running: dict[str, Inside] = {}
        workers = max(2, (os.cpu_count() or 2) // 2)
        decoders = Decoders(self.model, workers=workers, convert=self._convert)
        ahead = Ahead(requests, decoders, self._render)
        try:
            while ahead.more() or running:
                yield from self._let_in(ahead, running)
                if running:
                    yield from self._step(running)
        finally:
            untaken = ahead.stop()
            with suppress(Exception):  # of an engine that is dead, which was told before
                self.llm.llm_engine.abort_request(list(running))
                if untaken:  # was processed and never given to the engine: one cache has it
                    self.llm.llm_engine.reset_mm_cache()

    def close(self) -> None:
        self.llm.llm_engine.engine_core.shutdown()

    def _render(self, decoded: Decoded) -> Ready:
        """A request as the engine takes it, or the reason why it cannot be had."""
        if decoded.error:
            return Ready(error=decoded.error)
        if misread := self._misread(decoded):
            return Ready(error=f"{misread}: use --engine transformers")
        try:
            encoded = self.encoder.encode(decoded)
            if decoded.request.continuation is not None and not encoded.continuation_tokens:
                return Ready(error="the continuation has no tokens")
            renderer = self.llm.llm_engine.renderer
            (prompt,) = renderer.render_cmpl([prompt_of(decoded, encoded, self._reading)])
        except Exception as error:  # noqa: BLE001 the engine border: what one request does wrong is its own error
            return Ready(error=_told(error))
        length, most = (
            len(prompt["prompt_token_ids"]),
            self.llm.llm_engine.model_config.max_model_len,
        )
        if length >= most:
            self._forget(prompt)
            reason = f"the prompt has {length} tokens, prompt and answer may have {most}"
            return Ready(error=reason)
        return Ready(prompt, encoded.continuation_tokens)

    def _forget(self, prompt: Any) -> None:
        """The engine does not get it, so its pictures must be sent with the next prompt."""
        if (cache := self.llm.llm_engine.renderer.mm_processor_cache) is not None:
            for name in itertools.chain.from_iterable(prompt.get("mm_hashes", {}).values()):
                cache.invalidate(name)

    def _let_in(self, ahead: Ahead, running: dict[str, Inside]) -> Iterator[Response]:
        """Give the engine the next few requests."""
        began = time.monotonic()
        patience = PATIENCE if running else None
        ready = ahead.take(min(LET_IN, WINDOW - len(running)), patience)
        self.usage += Usage(waiting_seconds=time.monotonic() - began)
        for request, one in ready:
            name, error = str(next(self._names)), one.error
            if not error:
                try:
                    self.llm.llm_engine.add_request(name, one.prompt, _sampling(request))
                except Exception as fault:  # noqa: BLE001 the engine border: what one request does wrong is its own error
                    error = _told(fault)
                    ahead.between(partial(self._forget, one.prompt))
            if error:
                yield Response(request.key, error=error)
                continue
            running[name] = Inside(request, one.continuation_tokens, time.monotonic())

    def _takes_tensors(self) -> bool:
        """Whether its pictures are processed by torch and not by Pillow."""
        from transformers.image_processing_backends import TorchvisionBackend

        engine = self.llm.llm_engine
        if engine.model_config.using_transformers_backend():  # which asks a picture for its height
            return False
        processor = engine.renderer.mm_processor
        found = processor.info.get_hf_processor() if processor else None
        return isinstance(getattr(found, "image_processor", None), TorchvisionBackend)

    def _misread(self, decoded: Decoded) -> str:
        """Why vLLM would show the model something else than its own processor does, if it would."""
        config = self.llm.llm_engine.model_config
        if decoded.videos and config.using_transformers_backend():
            return (
                "vLLM runs this model by transformers' modules, which it does not tell when frames"
                " were"
            )
        if len(decoded.images) > 1 and config.hf_config.model_type == "llava_onevision":
            return "vLLM cuts each of several pictures into tiles, this model's processor none"
        return ""

    def _step(self, running: dict[str, Inside]) -> Iterator[Response]:
        stepped = time.monotonic()
        try:
            outputs = self.llm.llm_engine.step()
        except Exception as error:
            raise EngineError(f"vLLM stopped: {type(error).__name__}: {error}") from error
        self.usage += Usage(busy_seconds=time.monotonic() - stepped)
        for output in outputs:
            if output.finished:
                inside = running.pop(output.request_id)
                self.usage += Usage(
                    len(output.prompt_token_ids or ()),
                    output.num_cached_tokens or 0,
                    len(output.outputs[0].token_ids),
                )
                yield self._response(inside, output)

    def _response(self, inside: Inside, output: RequestOutput) -> Response:
        request, count = inside.request, inside.continuation_tokens
        seconds = time.monotonic() - inside.since
        if (reason := output.outputs[0].finish_reason) in ("error", "abort"):
            return Response(request.key, error=f"vLLM gave it up ({reason})", seconds=seconds)
        if request.continuation is None:
            tokens = output.outputs[0].token_ids
            text = self.encoder.decode(tokens, request.decoding.stop)
            if request.decoding.choices and text not in request.decoding.choices:
                error = f"max_tokens is too few for a whole choice: {text!r}"
                return Response(request.key, error=error, seconds=seconds)
            return Response(request.key, text, token_count=len(tokens), seconds=seconds)
        logprobs = output.prompt_logprobs[-count:]
        tokens = output.prompt_token_ids[-count:]
        total = sum(entry[token].logprob for entry, token in zip(logprobs, tokens, strict=True))
        return replace(scored(request, total, count), seconds=seconds)


def _load(model: Model, engine_args: Mapping[str, Any], seed: int) -> LLM:
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    from vllm import LLM
    from vllm.platforms import current_platform

    checkpoint = model.checkpoint
    settings: dict[str, Any] = {
        "model": str(model.folder),
        "dtype": checkpoint.dtype,
        "seed": seed,
        "max_model_len": checkpoint.context_length or None,
        "use_tqdm_on_load": False,
        "limit_mm_per_prompt": {
            "image": most_pictures(checkpoint),
            "video": int(checkpoint.reads_video),
        },
        # Processed pictures, which vLLM keeps in case they come again: all questions about one come
        # together, so those of the last are enough, and its own 4 would grow to 4 GB.
        "mm_processor_cache_gb": 0.5,
    }
    if current_platform.is_cpu():
        # One process starts in 2 s where three take 20; a small machine gains nothing from more.
        os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
        os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
        os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
        settings |= {
            "distributed_executor_backend": "uni",
            "enforce_eager": True,
            # vLLM 0.32 dies of a seeded request whose prompt is read in pieces: after each it winds
            # back the generator, which torch's CPU generator cannot do.
            "enable_chunked_prefill": False,
        }
    own = {name: _placed(value, model.folder) for name, value in checkpoint.engine_args.items()}
    try:
        llm = LLM(**{**settings, **own, **engine_args})
    except Exception as error:
        reason = " ".join(str(error).split())[:500]
        raise EngineError(
            f"vLLM cannot load {model.folder}: {type(error).__name__}: {reason}"
        ) from error
    if current_platform.is_cpu() and llm.llm_engine.model_config.is_mm_prefix_lm:
        llm.llm_engine.engine_core.shutdown()
        raise EngineError(
            f"{model.folder}: the tokens of a picture attend to each other both ways, which vLLM"
            " does on a GPU only: use --engine transformers"
        )
    return llm


def _placed(value: Any, folder: Path) -> Any:
    """An engine argument that names a file of the checkpoint as {folder}/..., with its path."""
    if isinstance(value, Mapping):
        return {key: _placed(inner, folder) for key, inner in value.items()}
    return value.replace("{folder}", str(folder)) if isinstance(value, str) else value


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"


def _sampling(request: Request) -> SamplingParams:
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams

    final = RequestOutputKind.FINAL_ONLY  # else each step makes an output of every request
    if request.continuation is not None:
        return SamplingParams(max_tokens=1, temperature=0.0, prompt_logprobs=0, output_kind=final)
    decoding: Decoding = request.decoding
    return SamplingParams(
        max_tokens=decoding.max_tokens,
        temperature=decoding.temperature,
        output_kind=final,
        seed=decoding.seed,
        stop=list(decoding.stop),
        detokenize=bool(decoding.stop),  # else the whole answer is decoded once, at its end
        structured_outputs=(
            StructuredOutputsParams(choice=list(decoding.choices)) if decoding.choices else None
        ),
    )
