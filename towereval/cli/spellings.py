"""What lm-eval's and lmms-eval's commands call the options of `run`.

A spelling that means the same is taken. One that cannot mean the same is refused with the reason:
a number that was made otherwise than its user thinks is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from typer.core import TyperCommand

from towereval.cli import options
from towereval.errors import UsageError

if TYPE_CHECKING:
    import typer

ALIASES = {"--model-args": "--engine-args", "--output-path": "--output"}
# Flags of what is always done.
ALWAYS = {
    "--log-samples": "samples are always kept",
    "--apply-chat-template": "a prompt always has the model's own chat format",
}
_BATCHES = "the engine fills its batches itself; --engine-args max_num_seqs=N bounds them"
# Values that say what is always so, and why another cannot be had.
DEFAULTS = {
    "--batch-size": (("auto",), _BATCHES),
    "--num-fewshot": (
        ("0",),
        "examples in a prompt are a part of a task's protocol: give the task another variant",
    ),
}
_PROMPT = "prompts are a part of a task's protocol: give the task another variant"
_SENDS_NOTHING = "nothing is sent anywhere; results.json in the run's folder has every number"
REFUSED = {
    "--use-cache": "answers are always kept, in the run's folder below --output: the same command"
    " goes on from there",
    "--gen-kwargs": "how answers are decoded is a part of a task's protocol: give the task another"
    " variant with its own Decoding",
    "--system-instruction": _PROMPT,
    "--fewshot-as-multiturn": _PROMPT,
    "--device": "the engine takes the GPUs that CUDA_VISIBLE_DEVICES names; --tensor-parallel"
    " says how many make one",
    "--max-batch-size": _BATCHES,
    "--cache-requests": "requests are always kept, in the run's folder below --output",
    "--samples": "samples are not chosen by number; --limit takes a language's first ones",
    "--log-samples-suffix": "samples are kept as samples/TASK.parquet in the run's own folder",
    "--wandb-args": _SENDS_NOTHING,
    "--hf-hub-log-args": _SENDS_NOTHING,
    "--check-integrity": "towereval doctor says what is wrong with an installation",
    "--write-out": "samples/TASK.parquet in the run's folder has every prompt",
    "--show-config": "manifest.json in the run's folder has every setting",
    "--verbosity": "--quiet and --json-logs say how much is told; TOWEREVAL_TRACEBACK=1 shows where"
    " something failed",
}
# What they name by --model: a way of asking, which is our engine.
WAYS = frozenset(
    [
        *("hf", "hf-auto", "huggingface", "hf-multimodal", "vllm", "vllm-vlm", "vllm_generate"),
        *("sglang", "accelerate", "local-completions", "local-chat-completions"),
        *("openai-completions", "openai-chat-completions", "openai_compatible"),
    ]
)
# Of --model-args: what says which model it is.
MODEL_KEYS = ("pretrained", "model", "model_version", "path", "revision")
_MODEL = (
    "the model is named by --model, as a name, a folder or ID@REVISION, and the engine by --engine"
)


class RunCommand(TyperCommand):
    def parse_args(self, ctx: typer.Context, args: list[str]) -> list[str]:  # type: ignore[override]
        if ctx.resilient_parsing:  # a shell asks for completions of what is half typed
            return super().parse_args(ctx, args)
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
        if name in ALWAYS and equals:
            raise UsageError(f"{word}: {ALWAYS[name]}; this flag takes no value")
        if name in ALWAYS:
            continue
        if name not in (*ALIASES, *DEFAULTS, "--limit", "--model"):
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
    if name == "--model" and value in WAYS and not Path(value).exists():
        raise UsageError(f"{typed} {value}: {_MODEL}")
    if name == "--model-args":
        named = [key for key in MODEL_KEYS if key in options.pairs([value], typed)]
        if named:
            raise UsageError(f"{typed} {named[0]}=...: {_MODEL}")
    if name == "--output-path" and value.endswith(".json"):
        raise UsageError(f"{typed} {value}: a run is a folder, so this names the folder of runs")
    if name == "--limit" and value.startswith(("0.", ".")):
        raise UsageError(
            f"{typed} {value}: a share is not taken, for samples are not counted before they are"
            " asked; give a number of samples a language"
        )
