"""transformers, in batches padded on the left: the reference that vLLM's answers are held against.

Legend: B batch, S sequence (padding, prompt with expanded media, continuation), V vocabulary.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForMultimodalLM,
    GenerationConfig,
)

from towereval.engines import KINDS
from towereval.engines.prompts import (
    Decoded,
    Encoded,
    PromptEncoder,
    decode_ahead,
    scored,
    video_metadata,
)
from towereval.errors import EngineError
from towereval.types import Decoding, Model, Request, Response, Usage

BATCH_SIZE = 8

# These classes put a head of their own on Gemma2's trunk and leave out its final softcap, which
# vLLM applies: the order of the tokens is the same, probabilities are not.
_WITHOUT_SOFTCAP = ("llava", "llava_next", "llava_next_video", "llava_onevision")


def start(model: Model, *, engine_args: Mapping[str, Any], seed: int) -> TransformersEngine:
    return TransformersEngine(model, engine_args=engine_args, seed=seed)


class TransformersEngine:
    """`engine_args`: `batch_size`, `device`, and what `from_pretrained` takes."""

    capabilities = KINDS["transformers"].capabilities

    def __init__(self, model: Model, *, engine_args: Mapping[str, Any], seed: int) -> None:
        settings: dict[str, Any] = {
            "attn_implementation": "eager",  # the only one that has Gemma2's attention softcap
            "dtype": model.checkpoint.dtype,
            **engine_args,
        }
        self.batch_size = int(settings.pop("batch_size", BATCH_SIZE))
        self.device = settings.pop("device", "cuda" if torch.cuda.is_available() else "cpu")
        self.model = model
        trusted = bool(settings.get("trust_remote_code"))
        self.encoder = PromptEncoder(model, trust_remote_code=trusted)
        self.encoder.tokenizer.padding_side = "left"
        try:
            network = _class(model, trusted).from_pretrained(model.folder, **settings)
        except Exception as error:
            reason = " ".join(str(error).split())[:500]
            raise EngineError(f"transformers cannot load {model.folder}: {reason}") from error
        self.network = network.to(self.device).eval()
        text_config = network.config.get_text_config()
        cap = getattr(text_config, "final_logit_softcapping", None)
        if cap and network.config.model_type in _WITHOUT_SOFTCAP:
            network.get_output_embeddings().register_forward_hook(
                lambda _module, _inputs, logits: cap * torch.tanh(logits / cap)
            )
        longest = getattr(text_config, "max_position_embeddings", None)
        self.context_length = model.checkpoint.context_length or longest or sys.maxsize
        self.usage = Usage()
        self._leave_habits()
        torch.manual_seed(seed)

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        ahead = decode_ahead(self.model, requests)
        for (generated, decoding, *_), group in groupby(ahead, key=_kind):
            if generated and decoding.choices:
                reason = "the transformers engine cannot hold an answer to choices: use vLLM"
                yield from (Response(decoded.request.key, error=reason) for decoded in group)
                continue
            # Sampled answers would depend on their neighbours in the batch.
            size = self.batch_size if not generated or decoding.temperature == 0 else 1
            while batch := list(islice(group, size)):
                yield from self._answer(batch, self._generate if generated else self._score)

    def close(self) -> None:
        del self.network

    def _answer(
        self,
        batch: Sequence[Decoded],
        answer: Callable[[Sequence[Decoded], Sequence[Encoded]], list[Response]],
    ) -> Iterator[Response]:
        """Answer a batch, or its requests one by one: no request may fail another."""
        yield from (Response(d.request.key, error=d.error) for d in batch if d.error)
        good = [decoded for decoded in batch if not decoded.error]
        if not good:
            return
        began = time.monotonic()
        try:
            encoded = [self.encoder.encode(decoded) for decoded in good]
            with torch.inference_mode():
                responses = answer(good, encoded)
        except Exception as error:  # noqa: BLE001 the engine border: it becomes the request's own error
            if len(good) > 1:
                for decoded in good:
                    yield from self._answer([decoded], answer)
                return
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            responses = [Response(good[0].request.key, error=reason)]
        spent = time.monotonic() - began
        self.usage += Usage(
            output_tokens=sum(r.token_count for r in responses if r.logprob is None),
            busy_seconds=spent,
        )
        seconds = spent / len(good)
        yield from (replace(response, seconds=seconds) for response in responses)

    def inputs(self, batch: Sequence[Decoded], encoded: Sequence[Encoded]) -> Any:
        media: dict[str, Any] = {}
        if batch[0].images:
            media["images"] = [list(decoded.images) for decoded in batch]
        if batch[0].videos:
            media["videos"] = [[clip.frames_THWC for clip in d.videos] for d in batch]
            media["video_metadata"] = [[video_metadata(clip) for clip in d.videos] for d in batch]
            media["do_sample_frames"] = False
        inputs = self.encoder.processor(
            text=[one.text for one in encoded],
            padding=True,
            return_tensors="pt",
            add_special_tokens=False,
            **media,
        )
        length = inputs["input_ids"].shape[1]
        if length >= self.context_length:
            limit = self.context_length
            raise ValueError(f"the prompt has {length} tokens, prompt and answer may have {limit}")
        self.usage += Usage(prompt_tokens=int(inputs["attention_mask"].sum()))
        return inputs.to(self.device, self.network.dtype)

    def _generate(self, batch: Sequence[Decoded], encoded: Sequence[Encoded]) -> list[Response]:
        decoding = batch[0].request.decoding
        inputs = self.inputs(batch, encoded)
        padded = inputs["input_ids"].shape[1]
        torch.manual_seed(decoding.seed)
        tokens_BS = self.network.generate(
            **inputs,
            generation_config=_generation(decoding),
            stopping_criteria=[_StopStrings(self.encoder, decoding.stop, padded)],
        )
        lengths = inputs["attention_mask"].sum(-1).tolist()
        responses = []
        for decoded, length, tokens_S in zip(batch, lengths, tokens_BS[:, padded:], strict=True):
            tokens = self._until_end(tokens_S.tolist())[: self.context_length - length]
            tokens = self.encoder.until_stop(tokens, decoding.stop)
            text = self.encoder.decode(tokens, decoding.stop)
            responses.append(Response(decoded.request.key, text, token_count=len(tokens)))
        return responses

    def _score(self, batch: Sequence[Decoded], encoded: Sequence[Encoded]) -> list[Response]:
        inputs = self.inputs(batch, encoded)
        longest = 1 + max(one.continuation_tokens for one in encoded)
        logprobs_BSV = self.network(**inputs).logits[:, -longest:].float().log_softmax(-1)
        responses = []
        for index, (decoded, one) in enumerate(zip(batch, encoded, strict=True)):
            count = one.continuation_tokens
            if not count:
                responses.append(
                    Response(decoded.request.key, error="the continuation has no tokens")
                )
                continue
            tokens_S = inputs["input_ids"][index, -count:]
            logprobs_S = logprobs_BSV[index, -count - 1 : -1].gather(-1, tokens_S[:, None])
            responses.append(scored(decoded.request, float(logprobs_S.sum()), count))
        return responses

    def _leave_habits(self) -> None:
        """Keep of the model's generation config its special tokens only.

        What a call leaves open transformers takes from there: repetition penalties, suppressed
        tokens. The tokenizer's end token ends an answer too, as in vLLM.
        """
        own, tokenizer = self.network.generation_config, self.encoder.tokenizer
        ends = own.eos_token_id if isinstance(own.eos_token_id, list) else [own.eos_token_id]
        self.ends = {end for end in [*ends, tokenizer.eos_token_id] if end is not None}
        pads = [own.pad_token_id, tokenizer.pad_token_id, *sorted(self.ends)]
        self.network.generation_config = GenerationConfig(
            eos_token_id=sorted(self.ends) or None,
            bos_token_id=own.bos_token_id,
            pad_token_id=next((pad for pad in pads if pad is not None), None),
        )

    def _until_end(self, tokens: list[int]) -> list[int]:
        """Up to and with the first end token: what follows is the batch's padding."""
        at = next((at for at, token in enumerate(tokens) if token in self.ends), len(tokens))
        return tokens[: at + 1]


def _class(model: Model, trust_remote_code: bool) -> Any:
    """The auto class that knows the checkpoint: some read pictures as language models."""
    config = AutoConfig.from_pretrained(model.folder, trust_remote_code=trust_remote_code)
    own = getattr(config, "auto_map", {}) if trust_remote_code else {}
    for auto in (AutoModelForImageTextToText, AutoModelForMultimodalLM, AutoModelForCausalLM):
        if auto.__name__ in own or type(config) in auto._model_mapping:
            return auto
    return AutoModelForImageTextToText  # whose error says what it knows


class _StopStrings:
    """Ends a row whose answer has a stop string; transformers' own finds them in the prompt too.

    Only the answer's tail is read, so `until_stop` has the last word.
    """

    def __init__(self, encoder: PromptEncoder, stop: Sequence[str], prompt_length: int) -> None:
        self.encoder = encoder
        self.stop = stop
        self.prompt_length = prompt_length
        self.tail = 1 + max((len(end.encode()) for end in stop), default=0)

    def __call__(self, tokens_BS: Any, scores_BV: Any, **_: Any) -> Any:
        tails_BS = tokens_BS[:, max(self.prompt_length, tokens_BS.shape[1] - self.tail) :]
        stopped = [self.encoder.has_stop(tail_S, self.stop) for tail_S in tails_BS.tolist()]
        return torch.tensor(stopped, device=tokens_BS.device)


def _kind(decoded: Decoded) -> tuple[bool, Decoding, bool, bool]:
    """What a batch has in common: a processor takes pictures for all of its rows or for none."""
    request, rendered = decoded.request, decoded.rendered
    shown = bool(rendered.images), bool(rendered.videos)
    return request.continuation is None, request.decoding, *shown


def _generation(decoding: Decoding) -> GenerationConfig:
    sampled = decoding.temperature > 0
    return GenerationConfig(
        max_new_tokens=decoding.max_tokens,
        do_sample=sampled,
        temperature=decoding.temperature if sampled else None,
        top_k=0 if sampled else None,  # else 50
    )
