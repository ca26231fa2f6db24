"""From a request to token ids, pictures and clips: what engines that hold a model do first."""

from __future__ import annotations

import json
import math
import threading
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from PIL.Image import Image as Picture

from towereval.data.media import decode_frames
from towereval.data.video import Clip, decode_video
from towereval.errors import DataError, ModelError
from towereval.types import Checkpoint, Model, Rendered, Request, Response, Text

# A picture is one of Pillow's, or what an engine has it converted to.
Media: TypeAlias = tuple[list[Any], list[Clip]]


@dataclass(frozen=True, slots=True)
class Decoded:
    """A request with its media as pixels, or the reason why they cannot be had."""

    request: Request
    rendered: Rendered
    images: Sequence[Any] = ()
    videos: Sequence[Clip] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The prompt as the chat template gives it, media placeholders not yet expanded.

    `text` and `token_ids` end with the continuation, whose tokens are the last
    `continuation_tokens`.
    """

    text: str
    token_ids: list[int]
    continuation_tokens: int


class PromptEncoder:
    """Chat template and tokenizer of one model, for one thread at a time: others wait."""

    def __init__(self, model: Model, *, trust_remote_code: bool = False) -> None:
        from transformers import AutoProcessor

        try:
            self.processor = AutoProcessor.from_pretrained(
                model.folder, trust_remote_code=trust_remote_code
            )
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{model.folder}: its processor cannot be loaded: {reason}") from error
        self.tokenizer = getattr(self.processor, "tokenizer", self.processor)
        template = getattr(self.processor, "chat_template", None) or self.tokenizer.chat_template
        if template is None:
            raise ModelError(
                f"{model.folder}: has no chat template, so it cannot be asked anything"
            )
        self._template = template
        self._takes_parts = self._probe()
        self._checkpoint = model.checkpoint
        self._lock = threading.Lock()  # Rust's tokenizers refuse a second borrower
        # Gemma 3's template writes what begins a picture, and the processor the rest.
        kinds = ("image_token", "video_token", "boi_token")
        names = [getattr(self.processor, kind, None) for kind in kinds]
        self._placeholders = [name for name in names if isinstance(name, str)]
        self._check_placeholders(model.folder)

    def encode(self, decoded: Decoded) -> Encoded:
        """Raises `DataError` for what the engines would answer each in its own way."""
        self._check(decoded)
        with self._lock:
            return self._encode(decoded)

    def _encode(self, decoded: Decoded) -> Encoded:
        continuation = decoded.request.continuation
        text = self._apply([self._message(one) for one in decoded.rendered.messages])
        whole = text + (continuation or "")
        # The template writes bos itself: letting the tokenizer add special tokens would give two.
        encoding = self.tokenizer(whole, add_special_tokens=False, return_offsets_mapping=True)
        # Tokens are counted in the whole text, since a tokenizer may merge across the prompt's end;
        # a token that straddles it belongs to the continuation.
        tail = sum(1 for _, end in encoding["offset_mapping"] if end > len(text))
        return Encoded(whole, list(encoding["input_ids"]), tail)

    def _apply(self, messages: list[Any]) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                messages,
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=True,
            )
        )

    def _probe(self) -> bool:
        """Whether the template takes typed parts.

        One that wants a string, as Tower+'s, would show the model a list as Python prints it.
        """
        from jinja2 import TemplateError

        parts = [{"type": "text", "text": "probe"}]
        try:
            return str(parts) not in self._apply([{"role": "user", "content": parts}])
        except (TemplateError, TypeError, ValueError):
            return False

    def _message(self, message: Mapping[str, Any]) -> Mapping[str, Any]:
        """As the template wants it. Raises `DataError` where that has no place for a picture."""
        content = message["content"]
        if isinstance(content, str) or self._takes_parts:
            return message
        if any(part["type"] != "text" for part in content):
            raise DataError(
                "the model's chat template takes a text alone, no picture; name the model's family,"
                " as towervision:PATH"
            )
        return {**message, "content": "".join(part["text"] for part in content)}

    def _check_placeholders(self, folder: Path) -> None:
        """That what stands for a picture is a token, and the one that the weights know."""
        for name in self._placeholders:
            found = self.tokenizer.convert_tokens_to_ids(name)
            if found is None or found == self.tokenizer.unk_token_id:
                raise ModelError(f"{folder}: its tokenizer has no token {name}, which is a picture")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for key in ("image_token_index", "image_token_id", "video_token_index", "video_token_id"):
            number = config.get(key)
            if isinstance(number, int) and number >= len(self.tokenizer):
                raise ModelError(
                    f"{folder}: config.json's {key} is {number}, but its tokenizer has"
                    f" {len(self.tokenizer)} tokens"
                )

    def _check(self, decoded: Decoded) -> None:
        parts = [part for message in decoded.request.prompt for part in message.parts]
        texts = [part.text for part in parts if isinstance(part, Text)]
        for token in self._placeholders:
            if any(token in text for text in [*texts, decoded.request.continuation or ""]):
                raise DataError(f"the text contains {token}, which the model takes for a picture")
        pictures, most = len(decoded.rendered.images), most_pictures(self._checkpoint)
        if pictures > most:
            raise DataError(f"the prompt has {pictures} pictures, the model reads {most}")
        if len(decoded.rendered.videos) > 1:
            raise DataError(f"the prompt has {len(decoded.rendered.videos)} clips, not one")

    def decode(self, token_ids: Sequence[int], stop: Sequence[str]) -> str:
        """The answer's text, up to the first stop string."""
        with self._lock:
            text = str(self.tokenizer.decode(token_ids, skip_special_tokens=True))
        return text[: min((text.index(end) for end in stop if end in text), default=len(text))]

    def until_stop(self, token_ids: Sequence[int], stop: Sequence[str]) -> list[int]:
        """The tokens up to and with the one that completes the first stop string."""
        counts = range(len(token_ids) + 1)
        at = bisect_left(counts, True, key=lambda count: self.has_stop(token_ids[:count], stop))
        return list(token_ids[:at])

    def has_stop(self, token_ids: Sequence[int], stop: Sequence[str]) -> bool:
        if not stop:
            return False
        text = self.tokenizer.decode(token_ids, skip_special_tokens=True)
        return any(end in text for end in stop)


class Decoders:
    """Threads that decode media. Neighbours that show the same media share one decoding.

    `convert` makes of a picture what the engine takes, in the same thread.
    """

    def __init__(
        self,
        model: Model,
        *,
        workers: int = 2,
        recent: int = 16,
        convert: Callable[[Picture], Any] | None = None,
    ) -> None:
        self._model = model
        self._convert = convert
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
        self._most = recent
        self._recent: OrderedDict[tuple[object, ...], Future[Media]] = OrderedDict()

    def submit(self, request: Request) -> Callable[[], Decoded]:
        """Begin to decode; what is returned waits for the outcome."""
        rendered = self._model.adapter.render(request.prompt, self._model.checkpoint)
        key = (rendered.images, rendered.videos)
        if key not in self._recent:
            self._recent[key] = self._pool.submit(self._decode, rendered)
            while len(self._recent) > self._most:
                self._recent.popitem(last=False)
        media = self._recent[key]

        def wait() -> Decoded:
            try:
                images, videos = media.result()
            except Exception as error:  # noqa: BLE001 the engine border: one bad file is one failed request
                return Decoded(request, rendered, error=f"{type(error).__name__}: {error}")
            return Decoded(request, rendered, images, videos)

        return wait

    def close(self) -> None:
        """What has not begun is not decoded, and who waits for it is told so."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _decode(self, rendered: Rendered) -> Media:
        shown = self._model.checkpoint
        clips = [decode_video(video, shown.frames) for video in rendered.videos]
        pictures: list[Any] = decode_frames(rendered.images, shown.frame_size)
        if self._convert is not None:
            pictures = [self._convert(picture) for picture in pictures]
        return pictures, clips


def decode_ahead(
    model: Model, requests: Iterable[Request], *, depth: int = 16
) -> Iterator[Decoded]:
    """Requests in order with decoded media; `depth` of them are decoded ahead."""
    waiting: deque[Callable[[], Decoded]] = deque()
    with closing(Decoders(model, recent=depth)) as decoders:
        for request in requests:
            waiting.append(decoders.submit(request))
            if len(waiting) > depth:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()


def scored(request: Request, logprob: float, token_count: int) -> Response:
    """A continuation's log-probability; a model whose numbers break down has given no answer."""
    if math.isnan(logprob):
        return Response(request.key, error="the log-probability is not a number")
    return Response(request.key, logprob=logprob, token_count=token_count)


def most_pictures(checkpoint: Checkpoint) -> int:
    """A clip's frames count, where they are shown as pictures."""
    return max(checkpoint.images, 0 if checkpoint.reads_video else checkpoint.frames)


def video_metadata(clip: Clip) -> dict[str, Any]:
    """What processors with a sense of time (Qwen2.5-VL) must be told, lest they assume a rate."""
    fps = clip.fps or 1.0
    return {
        "fps": fps,
        "duration": clip.total / fps,
        "total_num_frames": clip.total,
        "frames_indices": list(clip.indices),
        "height": clip.frames_THWC.shape[1],
        "width": clip.frames_THWC.shape[2],
        "video_backend": "opencv",
    }
