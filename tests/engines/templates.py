"""Chat templates of the families in their shape: where turns, pictures and line breaks stand.

Each family's own is longer (tools, default dates); what is compared is what a user's question with
pictures gives. ALL are the special tokens that they write.
"""

from __future__ import annotations

ALL = (
    *("<image>", "<video>", "<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|im_start|>", "<|im_end|>", "[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]"),
    *("<start_of_image>", "<end_of_image>", "<image_soft_token>", "<img>", "</img>"),
    *("<IMG_CONTEXT>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    *("<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>", "<|USER_TOKEN|>", "<|CHATBOT_TOKEN|>"),
    *("<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>"),
    *("TILE", "TILE_GLOBAL", *(f"TILE_{number}" for number in range(1, 13))),
)


def _parts(turn: str, *, image: str, video: str = "") -> str:
    """A turn per message, whose {} is its parts in their order."""
    parts = (
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}" + image + "{% elif"
        " part['type'] == 'video' %}" + video + "{% else %}{{ part['text'] }}{% endif %}"
        "{% endfor %}{% endif %}"
    )
    return "{% for message in messages %}" + turn.replace("{}", parts) + "{% endfor %}"


_NEXT = "{% if add_generation_prompt %}"
TOWER = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "<start_of_turn>{{ role }}\n{{ message['content'] | trim }}<end_of_turn>\n{% endfor %}"
    + _NEXT
    + "<start_of_turn>model\n{% endif %}"
)
_QWEN_SYSTEM = (
    "{% if messages[0]['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
)
_QWEN_TURN = "<|im_start|>{{ message['role'] }}\n{}<|im_end|>\n"
_QWEN_NEXT = _NEXT + "<|im_start|>assistant\n{% endif %}"
QWEN2 = (
    _QWEN_SYSTEM
    + "{% for message in messages %}<|im_start|>{{ message['role'] + '\n' + message['content'] }}"
    "<|im_end|>\n{% endfor %}" + _QWEN_NEXT
)
QWEN_VL = (
    _QWEN_SYSTEM
    + _parts(
        _QWEN_TURN,
        image="<|vision_start|><|image_pad|><|vision_end|>",
        video="<|vision_start|><|video_pad|><|vision_end|>",
    )
    + _QWEN_NEXT
)
VIDEOLLAMA3 = _parts(_QWEN_TURN, image="<|image_pad|>\n", video="<|video_pad|>\n") + _QWEN_NEXT
INTERNVL = _parts(_QWEN_TURN, image="<IMG_CONTEXT>\n", video="<video>\n") + _QWEN_NEXT
GEMMA3 = (
    "{{ bos_token }}"
    + _parts("<start_of_turn>{{ message['role'] }}\n{}<end_of_turn>\n", image="<start_of_image>")
    + _NEXT
    + "<start_of_turn>model\n{% endif %}"
)
AYA = (
    "{{ bos_token }}"
    + _parts("<|START_OF_TURN_TOKEN|><|USER_TOKEN|>{}<|END_OF_TURN_TOKEN|>", image="<image>")
    + _NEXT
    + "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>{% endif %}"
)
MISTRAL = "{{ bos_token }}" + _parts("[INST] {} [/INST]", image="<image>\n")
LLAMA3 = (
    "{{ bos_token }}"
    + _parts(
        "<|start_header_id|>{{ message['role'] }}<|end_header_id|>\n\n{}<|eot_id|>",
        image="<image>\n",
    )
    + _NEXT
    + "<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}"
)
PIXTRAL = "{{ bos_token }}" + _parts("[INST]{}[/INST]", image="[IMG]")
