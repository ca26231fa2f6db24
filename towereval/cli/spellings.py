"""What lm-eval's and lmms-eval's commands call the options of `run`.

A spelling that means the same is taken. One that cannot mean the same is refused with the reason:
a number that was made otherwise than its user thinks is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from typer.core import TyperCommand

from towereval.cli import options
from towereval.errors import UsageError

if TYPE_CHECKING:
    import typer

ALIASES = {"--model-args": "--engine-args", "--output-path": "--output"}
# Flags of what is always done: samples are kept, prompts have the model's own chat format.
ALWAYS = frozenset({"--log-samples", "--apply-chat-template"})
# Values that say what is always so, and why another cannot be had.
DEFAULTS = {
    "--batch-size": (
        ("auto",),
        "the engine fills its batches itself; --engine-args max_num_seqs=N bounds them",
    ),
    "--num-fewshot": (
        ("0",),
        "examples in a prompt are a part of a task's protocol: give the task another variant",
    ),
}
REFUSED = {
    "--use-cache": "answers are always kept, in the run's folder below --output: the same command"
    " goes on from there",
    "--gen-kwargs": "how answers are decoded is a part of a task's protocol: give the task another"
    " variant with its own Decoding",
}
# Of --model-args: what says which model it is.
MODEL_KEYS = ("pretrained", "model", "model_version", "path", "revision")


class RunCommand(TyperCommand):
    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        return super().parse_args(ctx, list(translated(args)))


def dashed(name: str) -> str:
    """Options may be written with `_` for `-`."""
    return name.replace("_", "-")


def translated(words: Sequence[str]) -> Iterator[str]:
    """A command's words with our options for theirs. Raises `UsageError`."""
    rest = iter(words)
    for word in rest:
        typed, equals, value = word.partition("=")
        name = dashed(typed) if typed.startswith("--") else ""
        if name in REFUSED:
            raise UsageError(f"{typed}: {REFUSED[name]}")
        if name in ALWAYS and not equals:
            continue
        if name not in (*ALIASES, *DEFAULTS, "--limit"):
            yield word
            continue
        if not equals:
            value = next(rest, "")
        _check(typed, name, value)
        if name not in DEFAULTS:
            yield from (ALIASES.get(name, name), value)


def _check(typed: str, name: str, value: str) -> None:
    if name in DEFAULTS:
        same, reason = DEFAULTS[name]
        if value not in same:
            raise UsageError(f"{typed} {value}: {reason}")
    if name == "--model-args":
        named = [key for key in MODEL_KEYS if key in options.pairs([value], typed)]
        if named:
            raise UsageError(
                f"{typed} {named[0]}=...: the model is named by --model, as a name, a folder or"
                " ID@REVISION, and the engine by --engine"
            )
    if name == "--output-path" and value.endswith(".json"):
        raise UsageError(f"{typed} {value}: a run is a folder, so this names the folder of runs")
    if name == "--limit" and value.startswith(("0.", ".")):
        raise UsageError(
            f"{typed} {value}: a share is not taken, for samples are not counted before they are"
            " asked; give a number of samples a language"
        )
