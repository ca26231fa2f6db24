"""transformers, in batches padded on the left: the reference that vLLM's answers are held against.

Legend: B batch, S sequence (padding, prompt with expanded media, continuation), V vocabulary.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby, islice
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, GenerationConfig

from towereval.engines import KINDS
from towereval.engines.prompts import Decoded, Encoded, PromptEncoder, decode_ahead, video_metadata
from towereval.errors import EngineError
from towereval.types import Decoding, Model, Request, Response

BATCH_SIZE = 8

# These classes put a head of their own on Gemma2's trunk and leave out its final softcap, which
# vLLM applies: the order of the tokens is the same, log-probabilities are not.
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
        self.encoder = PromptEncoder(model)
        self.encoder.tokenizer.padding_side = "left"
        try:
            network = AutoModelForImageTextToText.from_pretrained(model.folder, **settings)
        except Exception as error:
            reason = " ".join(str(error).split())[:500]
            raise EngineError(f"transformers cannot load {model.folder}: {reason}") from error
        self.network = network.to(self.device).eval()
        torch.manual_seed(seed)

    def run(self, requests: Iterable[Request]) -> Generator[Response, None, None]:
        ahead = decode_ahead(self.model, requests)
        kinds = groupby(ahead, key=lambda d: (d.request.continuation is None, d.request.decoding))
        for (generated, decoding), group in kinds:
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
        """Answer a batch; one that fails is tried request by request, so that no request fails
        another.
        """
        yield from (Response(d.request.key, error=d.error) for d in batch if d.error)
        good = [decoded for decoded in batch if not decoded.error]
        if not good:
            return
        began = time.monotonic()
        try:
            encoded = [self.encoder.encode(d.rendered, d.request.continuation) for d in good]
            with torch.inference_mode():
                responses = answer(good, encoded)
        except Exception as error:  # noqa: BLE001 the engine border: it becomes the request's own error
            if len(good) > 1:
                for decoded in good:
                    yield from self._answer([decoded], answer)
                return
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"
            responses = [Response(good[0].request.key, error=reason)]
        seconds = (time.monotonic() - began) / len(good)
        yield from (replace(response, seconds=seconds) for response in responses)

    def _inputs(self, batch: Sequence[Decoded], encoded: Sequence[Encoded]) -> Any:
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
        limit = self.model.checkpoint.context_length
        length = inputs["input_ids"].shape[1]
        if limit and length > limit:
            raise ValueError(f"the prompt has {length} tokens, the model reads {limit}")
        return inputs.to(self.device, self.network.dtype)

    def _generate(self, batch: Sequence[Decoded], encoded: Sequence[Encoded]) -> list[Response]:
        decoding = batch[0].request.decoding
        inputs = self._inputs(batch, encoded)
        tokens_BS = self.network.generate(
            **inputs,
            generation_config=self._decoding(decoding),
            tokenizer=self.encoder.tokenizer,
        )
        responses = []
        for decoded, tokens_S in zip(
            batch, tokens_BS[:, inputs["input_ids"].shape[1] :], strict=True
        ):
            tokens = self._until_end(tokens_S.tolist())
            text = self.encoder.decode(tokens, decoding.stop)
            responses.append(Response(decoded.request.key, text, token_count=len(tokens)))
        return responses

    def _score(self, batch: Sequence[Decoded], encoded: Sequence[Encoded]) -> list[Response]:
        inputs = self._inputs(batch, encoded)
        logits_BSV = self.network(**inputs).logits.float()
        cap = self.network.config.get_text_config().to_dict().get("final_logit_softcapping")
        if cap and self.network.config.model_type in _WITHOUT_SOFTCAP:
            logits_BSV = cap * torch.tanh(logits_BSV / cap)
        logprobs_BSV = logits_BSV.log_softmax(-1)
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
            responses.append(
                Response(decoded.request.key, logprob=float(logprobs_S.sum()), token_count=count)
            )
        return responses

    def _decoding(self, decoding: Decoding) -> GenerationConfig:
        """The task's settings and the model's end tokens; its own habits (top-k, penalties) stay
        out.
        """
        own = self.network.generation_config
        return GenerationConfig(
            max_new_tokens=decoding.max_tokens,
            do_sample=decoding.temperature > 0,
            temperature=decoding.temperature if decoding.temperature > 0 else None,
            stop_strings=list(decoding.stop) or None,
            eos_token_id=own.eos_token_id,
            bos_token_id=own.bos_token_id,
            pad_token_id=own.pad_token_id if own.pad_token_id is not None else self._ends()[0],
        )

    def _ends(self) -> list[int]:
        ends = self.network.generation_config.eos_token_id
        return ends if isinstance(ends, list) else [] if ends is None else [ends]

    def _until_end(self, tokens: list[int]) -> list[int]:
        """Up to and with the first end token: what follows is the batch's padding."""
        at = min((tokens.index(end) for end in self._ends() if end in tokens), default=len(tokens))
        return tokens[: at + 1]
