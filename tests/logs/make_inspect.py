"""Logs by the real inspect_ai, under an interpreter that has it: python make_inspect.py FOLDER.

Six questions in two languages; a made model answers by a table, fails at one question and, in its
second epoch, answers another question otherwise. Events and tracebacks are cut before a log is
written: they are most of it, and name the machine.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import tiktoken

# The made model counts tokens by a vocabulary that it would fetch.
tiktoken.get_encoding = lambda name: SimpleNamespace(encode=lambda text, **more: text.split())

import inspect_ai  # noqa: E402
from inspect_ai import Task, task  # noqa: E402
from inspect_ai.dataset import MemoryDataset, Sample  # noqa: E402
from inspect_ai.log import write_eval_log  # noqa: E402
from inspect_ai.model import ChatMessageUser, ContentImage, ContentText, ModelOutput, get_model  # noqa: E402
from inspect_ai.scorer import Score, includes, mean, scorer  # noqa: E402
from inspect_ai.solver import solver  # noqa: E402

PICTURE = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
QUESTIONS = (
    ("Wie viele Tage hat eine Woche?", ["sieben"], "de"),
    ("Welche Farbe hat Schnee?", ["weiß", "weiss"], "de"),
    ("Wie heißt das Junge des Hundes?", ["Welpe"], "de"),
    ("Combien de jours a une semaine ?", ["sept"], "fr"),
    ("Quelle est la couleur de la neige ?", ["blanche"], "fr"),
    ("Que boit un veau ?", ["du lait"], "fr"),
)
ANSWERS = {
    "good": {"Tage": "sieben Tage", "Schnee": "weiss", "Junge": "Kitten", "jours": "sept"},
    "other": {
        "Tage": "drei",
        "Schnee": "weiß",
        "Junge": "Welpe",
        "jours": "huit",
        "boit": "du lait",
    },
}


def samples():
    for number, (question, references, language) in enumerate(QUESTIONS):
        asked = question
        if number == 5:
            parts = [ContentText(text=question), ContentImage(image=PICTURE)]
            asked = [ChatMessageUser(content=parts)]
        told = {"language": language}
        yield Sample(id=f"q{number}", input=asked, target=references, metadata=told)


@solver
def asking(fails: bool):
    async def solve(state, generate):
        if fails and state.sample_id == "q4":
            raise ValueError("the picture cannot be read")
        return await generate(state)

    return solve


@scorer(metrics=[mean()])
def length():
    async def score(state, target):
        said = state.output.completion
        return Score(value=float(len(said))) if said != "rien" else Score.unscored(reason="no word")

    return score


@scorer(metrics={"hit": [mean()], "near": [mean()]})
def pair():
    async def score(state, target):
        hit = any(each in state.output.completion for each in target)
        return Score(value={"hit": hit, "near": 0.5})

    return score


@task
def weeks(fails: bool = True):
    return Task(
        dataset=MemoryDataset(list(samples()), name="weeks"),
        solver=asking(fails),
        scorer=[includes(), length(), pair()],
        fail_on_error=False,
        version=2,
    )


def model(name: str):
    table, asked = ANSWERS[name], []

    def answer(given, tools, tool_choice, config):
        text = given[-1].text
        asked.append(text)
        said = next((said for key, said in table.items() if key in text), "rien")
        # Of several epochs the second finds the puppy.
        said = "Welpe" if "Junge" in text and asked.count(text) > 1 else said
        return ModelOutput.from_content(f"mockllm/{name}", said)

    return get_model(f"mockllm/{name}", custom_outputs=answer, memoize=False)


def write(folder: Path, file: str, name: str, fails: bool, **more: object) -> None:
    where = {"log_dir": str(folder / "raw"), "display": "none"}
    [log] = inspect_ai.eval(weeks(fails), model=model(name), **where, **more)
    for sample in log.samples:
        sample.events, sample.events_data = [], None
        if sample.error:
            sample.error.traceback = sample.error.traceback_ansi = ""
    log.eval.task_file = None
    log.eval.revision = None
    write_eval_log(log, str(folder / file))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write(target, "good.eval", "good", fails=True)
    write(target, "whole.eval", "good", fails=False)
    write(target, "other.json", "other", fails=False)
    write(target, "epochs.eval", "good", fails=False, epochs=2, max_samples=1, max_connections=1)
