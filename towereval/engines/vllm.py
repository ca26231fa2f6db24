"""vLLM in this process: requests are fed to the running engine, pictures as pixels.

The engine never waits for a batch to close: WINDOW requests are inside it, and each answer lets
one in. Pictures are decoded in threads and processed (resized, cut into tiles) between the steps.
"""

from __future__ import annotations

import itertools
import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from towereval.data.media import DECODING
from towereval.engines import KINDS
from towereval.engines.prompts import (
    Decoded,
    Decoders,
    Encoded,
    PromptEncoder,
    most_pictures,
    scored,
    video_metadata,
)
from towereval.errors import EngineError
from towereval.types import Decoding, Frame, Image, Model, Request, Response, Usage, Video, digest

if TYPE_CHECKING:
    from vllm import LLM, RequestOutput, SamplingParams

WINDOW = 256
# So many more are decoded or being so: a large photograph takes 36 MB.
AHEAD = 32
# So many are let in between two steps, so that the first answer waits for few pictures.
LET_IN = 32


@dataclass(frozen=True, slots=True)
class Ready:
    """A processed prompt, or the reason why there is none."""

    prompt: Any = None
    continuation_tokens: int = 0
    error: str = ""


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
        self._names = itertools.count()  # not keys: two requests may have the same one

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        source = iter(requests)
        ahead: deque[Callable[[], Decoded]] = deque()
        running: dict[str, Inside] = {}
        more = True
        decoders = Decoders(self.model, workers=max(2, (os.cpu_count() or 2) // 2))
        try:
            while more or ahead or running:
                while more and len(ahead) < AHEAD:
                    if (request := next(source, None)) is None:
                        more = False
                        break
                    ahead.append(decoders.submit(request))
                yield from self._let_in(ahead, running)
                if running:
                    yield from self._step(running)
        finally:
            decoders.close()
            self.llm.llm_engine.abort_request(list(running))

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
        return Ready(prompt, encoded.continuation_tokens)

    def _let_in(
        self, ahead: deque[Callable[[], Decoded]], running: dict[str, Inside]
    ) -> Iterator[Response]:
        """Give the engine the next few requests."""
        for _ in range(min(LET_IN, len(ahead), WINDOW - len(running))):
            began = time.monotonic()
            decoded = ahead.popleft()()
            self.usage += Usage(waiting_seconds=time.monotonic() - began)
            request, ready = decoded.request, self._render(decoded)
            name = str(next(self._names))
            error = ready.error
            try:
                if not error:
                    self.llm.llm_engine.add_request(name, ready.prompt, _sampling(request))
            except Exception as fault:  # noqa: BLE001 the engine border: what one request does wrong is its own error
                error = _told(fault)
            if error:
                yield Response(request.key, error=error)
                continue
            running[name] = Inside(request, ready.continuation_tokens, time.monotonic())

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


def prompt_of(decoded: Decoded, encoded: Encoded, reading: str) -> dict[str, Any]:
    """As vLLM takes it; `reading` is part of what names a picture (`reading_of`)."""
    prompt: dict[str, Any] = {"prompt_token_ids": encoded.token_ids}
    data: dict[str, Any] = {}
    if decoded.images:
        data["image"] = list(decoded.images)
    if decoded.videos:
        # That the frames are sampled is told vLLM in the metadata, and transformers beside it.
        data["video"] = [
            (clip.frames_THWC, {**video_metadata(clip), "do_sample_frames": False})
            for clip in decoded.videos
        ]
    if data:
        prompt["multi_modal_data"] = data
        # vLLM's cache keys, which it believes: a picture is processed once however many ask about
        # it. Left alone it would take two pictures with one EXIF ImageID for the same.
        prompt["multi_modal_uuids"] = {
            "image": [picture_id(image, reading) for image in decoded.rendered.images],
            "video": [picture_id(clip, reading) for clip in decoded.rendered.videos],
        }
    return prompt


def reading_of(model: Model, engine_args: Mapping[str, Any]) -> str:
    """A digest of all that makes other pixels, or other tokens, of the same file."""
    shown = [DECODING, model.digest, model.checkpoint.frames, model.checkpoint.frame_size]
    return digest([*shown, engine_args.get("mm_processor_kwargs")])[:16]


def picture_id(item: Image | Frame | Video, reading: str) -> str | None:
    """Content and how it is read; what has no hash has no id, or all such would be one picture."""
    file = item.video if isinstance(item, Frame) else item
    part = f"{item.index}of{item.count}" if isinstance(item, Frame) else type(item).__name__
    return f"{file.sha256}/{part}/{reading}" if file.sha256 else None


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
