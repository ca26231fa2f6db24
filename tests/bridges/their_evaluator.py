"""What lmms-eval's own evaluator makes of given answers; run under the interpreter that has it.

    their_evaluator.py FILE

FILE is JSON: {"include": [folders], "tasks": {name: {"config": what replaces the YAML's, "answers":
[texts]}}, "groups": [names]}. Prints, by task, what was shown (texts, and a digest of each
picture's pixels), each sample's scores and the results; by group, its results. Where groups are
named, the tasks are theirs.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

OUT = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

from lmms_eval import evaluator  # noqa: E402
from lmms_eval.api.model import lmms  # noqa: E402
from lmms_eval.tasks import TaskManager  # noqa: E402
from PIL import Image  # noqa: E402


class Given(lmms):
    """A model whose answers are given."""

    is_simple = False

    def __init__(self, answers: dict[str, list[str]]) -> None:
        super().__init__()
        self.answers = answers
        self.shown: dict[str, dict[int, list[list[str]]]] = {name: {} for name in answers}

    def generate_until(self, requests: list[Any]) -> list[str]:
        given = []
        for request in requests:
            _, doc_to_messages, _, document, task, split = request.args
            messages = doc_to_messages(self.task_dict[task][split][document])
            parts = [part for message in messages for part in message["content"]]
            self.shown[task][document] = [told(part) for part in parts]
            given.append(self.answers[task][document])
        return given

    def loglikelihood(self, requests: list[Any]) -> list[Any]:
        raise AssertionError("the tasks here ask for one generated answer")

    def generate_until_multi_round(self, requests: list[Any]) -> list[str]:
        raise AssertionError("the tasks here ask for one generated answer")


def told(part: dict[str, Any]) -> list[str]:
    if part["type"] == "text":
        return ["text", part["text"]]
    picture = part["url"] if isinstance(part["url"], Image.Image) else Image.open(part["url"])
    return ["image", hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()]


def loaded(manager: TaskManager, name: str, config: dict[str, Any]) -> Any:
    """As a chat model's task: what replaces a YAML's settings makes it a simple one's otherwise."""
    given = {"task": name, **config} if config else name
    return manager._load_individual_task_or_group(given, task_type="chat")[name]


def main() -> None:
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    os.chdir(Path(sys.argv[1]).parent)
    model = Given({name: task["answers"] for name, task in asked["tasks"].items()})
    manager = TaskManager(include_path=asked["include"] or None)
    found = evaluator.simple_evaluate(
        model,
        tasks=asked.get("groups")
        or [loaded(manager, name, task["config"]) for name, task in asked["tasks"].items()],
        task_manager=manager,
        bootstrap_iters=0,
        cli_args=Namespace(
            output_path=".",
            process_with_media=False,
            reasoning_tags='[["<think>", "</think>"], ["<analysis>", "</analysis>"]]',
        ),
    )
    json.dump(
        {
            name: {
                "shown": [model.shown[name][number] for number in sorted(model.shown[name])],
                "samples": sorted(found["samples"][name], key=lambda one: int(one["doc_id"])),
                "results": found["results"][name],
            }
            for name in asked["tasks"]
        }
        | {name: {"results": found["results"][name]} for name in asked.get("groups", ())},
        OUT,
        default=str,
    )


if __name__ == "__main__":
    main()
