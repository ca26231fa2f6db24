"""System prompts that ask for captions and answers in many forms, and which one a record gets.

Source: TowerVision (arXiv 2510.21849), appendix A.5, where they were given to Gemini 2.5 for
synthetic captions; with straight apostrophes. All are in English.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from towereval.corpus.caption_prompts import drawn
from towereval.corpus.files import read, writing
from towereval.corpus.records import Record, Turn
from towereval.errors import DataError
from towereval.types import Text

GROUPS = MappingProxyType(
    {
        "direct": (
            "Answer the question concisely.",
            "Provide a brief, direct answer to the question.",
            "Keep your response short and to the point.",
            "Give a concise answer based on what you see in the image.",
            "Answer directly based on the visual information.",
            "Respond with a short, clear answer to the question.",
            "Be brief and direct in your response.",
        ),
        "caption-answer": (
            "First provide a caption of what you see, then give your answer.",
            "Write a brief caption describing the image, followed by your answer to the question.",
            "Start with a description of the image, then provide your answer clearly marked as"
            " 'Answer:'.",
            "First write 'Caption: <brief image description>' then answer the question.",
            "Begin with 'Caption: [what you see in the image]' followed by your response to the"
            " question.",
            "Start by writing 'CAPTION: {description}' before answering the question.",
        ),
        "final-answer": (
            "End your response with 'Final Answer: <your answer>'.",
            "Conclude with 'Final Answer: <your answer>'.",
            "After looking at the image, provide 'Final Answer: <your answer>'.",
            "Your response should end with 'Final Answer: <your answer>'.",
            "First describe what you see, then provide 'Final Answer: <your answer>'.",
            "Always end your response with 'Final Answer: <your answer>' after analyzing the"
            " image.",
            "Provide a concise answer. End with 'Final Answer: <your answer>'.",
        ),
        "naive": (
            "Describe the image and answer the question.",
            "Begin by describing the image and then answer the question.",
            "Provide a brief description of the image and then answer the question.",
            "Answer the question in a helpful and informative manner.",
            "Start by describing the image and then answer the question.",
            "You are a helpful assistant. Describe the image and answer the question.",
        ),
        "pairs": (
            "Caption: <description> →Answer: <response>",
            "Image shows: <description> | My answer: <response>",
            "[CAPTION] <description> [ANSWER] <response>",
            "# Image: <description>\n# Answer: <response>",
            "First 'Image Description: <what you see>' then 'Answer: <your response>'",
        ),
        "markers": (
            "<description><answer>",
            "Image: <description> →Answer: <conclusion>",
            "<IMAGE> describe what you see </IMAGE> <ANSWER> provide your response </ANSWER>",
            "Begin with '{IMAGE DESCRIPTION}' and end with '{FINAL ANSWER}'.",
        ),
    }
)
_BANK = tuple(prompt for prompts in GROUPS.values() for prompt in prompts)


def instruct_file(file: Path, seed: int, output: Path, *, again: bool) -> Mapping[str, int]:
    """Write the file with a system prompt where something is shown and there is none.

    `again`: also in place of those that are there. By language how many got one.
    """
    counts: Counter[str] = Counter()
    with writing(output) as writer:
        for _, record in read(file):
            has_one = any(turn.role == "system" for turn in record.messages)
            if (record.images or record.video) and (again or not has_one):
                counts[record.language] += 1
                record = instructed(record, seed)
            writer.add(record)
    return counts


def instructed(record: Record, seed: int) -> Record:
    """With the prompt that (seed, id) draws before its first turn, also before its translation.

    Raises `DataError` for a translation that has other texts than it had before.
    """
    prompt = Text(_BANK[drawn(record, seed) % len(_BANK)])
    turns = [turn for turn in record.messages if turn.role != "system"]
    translation = record.translation
    if translation is not None:
        if len(translation.source_texts) != len(record.texts):
            raise DataError(f"{record.id}: not as many texts as before its translation")
        texts = sum(isinstance(part, Text) for turn in turns for part in turn.parts)
        kept = translation.source_texts[len(record.texts) - texts :]
        translation = replace(translation, source_texts=(prompt.text, *kept))
    return replace(record, messages=(Turn("system", (prompt,)), *turns), translation=translation)
