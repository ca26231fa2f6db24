"""When frames were is told to both engines alike, also of clips whose frames come unevenly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.tiny_models import video_model
from towereval.data.media import video_file
from towereval.data.video import decode_video
from towereval.engines.prompts import video_metadata
from towereval.types import Decoding, Engine, Model, Request, Response, Video

pytestmark = pytest.mark.engine

Ask = Callable[..., list[Response]]
UNEVEN = (0, 20, 300, 320, 340, 360, 600)
CONTINUATIONS = ("Ein Hund.", "Eine Katze.", "Nichts.")


@pytest.fixture(scope="module")
def tiny(libraries: None, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A model with a sense of time instead of the picture model."""
    return video_model("qwen", tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def even_and_uneven(tmp_path_factory: pytest.TempPathFactory) -> tuple[Video, Video]:
    """The same seven pictures in 1.2 seconds and, by their own times, in 0.6."""
    from tests.data.clips import clip

    folder = tmp_path_factory.mktemp("clips")
    even = clip(folder / "even.mkv", 7, codec="mpeg4")
    uneven = clip(folder / "uneven.mkv", 7, codec="mpeg4", times=list(UNEVEN))
    return video_file(even), video_file(uneven)


def test_metadata_puts_the_last_frame_at_its_time(even_and_uneven: tuple[Video, Video]) -> None:
    for video, last in zip(even_and_uneven, (1.2, 0.6), strict=True):
        clip = decode_video(video, 4)
        told = video_metadata(clip)
        assert clip.timestamps[-1] == pytest.approx(last, abs=0.002)
        assert told["frames_indices"] == [0, 2, 4, 6]
        assert told["frames_indices"][-1] / told["fps"] == pytest.approx(last, rel=0.01)
        assert told["duration"] == pytest.approx(told["total_num_frames"] / told["fps"])


def test_both_engines_hear_of_uneven_times(
    transformers_engine: Engine,
    vllm_engine: Engine,
    even_and_uneven: tuple[Video, Video],
    question: Callable[..., Request],
    ask: Ask,
) -> None:
    requests = [
        question(0, shown=(clip,), decoding=Decoding(max_tokens=1), continuation=continuation)
        for clip in even_and_uneven
        for continuation in CONTINUATIONS
    ]
    one, other = ask(transformers_engine, requests), ask(vllm_engine, requests)
    assert [response.error for response in (*one, *other)] == [""] * 12
    wanted = pytest.approx([response.logprob for response in one], abs=1e-3)
    assert [response.logprob for response in other] == wanted
    count = len(CONTINUATIONS)
    for even, uneven in zip(one[:count], one[count:], strict=True):
        assert even.logprob is not None
        assert uneven.logprob is not None
        assert abs(even.logprob - uneven.logprob) > 1e-2


def test_turned_clips_are_turned_in_both_engines(
    transformers_engine: Engine,
    vllm_engine: Engine,
    question: Callable[..., Request],
    film: Callable[..., Video],
    tmp_path: Path,
    ask: Ask,
) -> None:
    from tests.data.clips import av, held

    files = [tmp_path / f"{degrees}.mp4" for degrees in (0, 90)]
    for file in files:
        with av.open(film(0).source) as source, av.open(str(file), "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    target.mux(packet)
    held(files[1], 90)
    score = Decoding(max_tokens=1)
    requests = [
        question(0, shown=(video_file(file),), decoding=score, continuation=CONTINUATIONS[0])
        for file in files
    ]
    one, other = ask(transformers_engine, requests), ask(vllm_engine, requests)
    assert [response.error for response in (*one, *other)] == [""] * 4
    wanted = pytest.approx([response.logprob for response in one], abs=1e-3)
    assert [response.logprob for response in other] == wanted
    assert one[0].logprob is not None
    assert one[1].logprob is not None
    assert abs(one[0].logprob - one[1].logprob) > 1e-2
