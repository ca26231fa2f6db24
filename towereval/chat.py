"""The two shapes of messages that chat templates take: one string, or typed parts.

A picture comes before the text, whatever the order in the prompt: so the models were trained, and
so a picture that several questions share is a common prefix.
"""

from __future__ import annotations

from towereval.types import Checkpoint, Frame, Image, Message, Prompt, Rendered, Text, Video


def as_string(prompt: Prompt, checkpoint: Checkpoint, *, image: str, video: str = "") -> Rendered:
    """Content is one string; `image` and `video` are the placeholders with their line breaks."""
    messages, images, videos = [], [], []
    for message in prompt:
        pictures, clips = shown(message, checkpoint)
        text = "".join(part.text for part in message.parts if isinstance(part, Text))
        content = image * len(pictures) + video * len(clips) + text
        messages.append({"role": message.role, "content": content})
        images += pictures
        videos += clips
    return Rendered(tuple(messages), tuple(images), tuple(videos))


def as_parts(prompt: Prompt, checkpoint: Checkpoint) -> Rendered:
    """Content is a list of {"type": "image"}, {"type": "video"}, {"type": "text", "text": ...}."""
    messages, images, videos = [], [], []
    for message in prompt:
        pictures, clips = shown(message, checkpoint)
        content: list[dict[str, str]] = [{"type": "image"} for _ in pictures]
        content += [{"type": "video"} for _ in clips]
        content += [{"type": "text", "text": p.text} for p in message.parts if isinstance(p, Text)]
        messages.append({"role": message.role, "content": content})
        images += pictures
        videos += clips
    return Rendered(tuple(messages), tuple(images), tuple(videos))


def shown(message: Message, checkpoint: Checkpoint) -> tuple[list[Image | Frame], list[Video]]:
    """Pictures and clips; a model that reads no video is shown a clip's frames as pictures."""
    images: list[Image | Frame] = []
    videos: list[Video] = []
    for part in message.parts:
        if isinstance(part, Image):
            images.append(part)
        elif isinstance(part, Video) and checkpoint.reads_video:
            videos.append(part)
        elif isinstance(part, Video):
            images += [Frame(part, index, checkpoint.frames) for index in range(checkpoint.frames)]
    return images, videos
