"""`towereval run`: score a model on benchmarks."""

from __future__ import annotations

import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from towereval.cli import completion, options
from towereval.errors import UsageError

if TYPE_CHECKING:
    from towereval.plan import Plan

# What each option may be in a TOML file.
OPTIONS: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "tasks": (str, list),
    "languages": (str, list),
    "limit": (int,),
    "split": (str,),
    "engine": (str,),
    "engine_args": (str, list, dict),
    "include_path": (str,),
    "data": (str, list, dict),
    "output": (str,),
    "fresh": (bool,),
    "seed": (int,),
    "predict_only": (bool,),
    "judge": (str,),
    "judge_engine": (str,),
    "judge_engine_args": (str, list, dict),
    "checkpoint": (str, list, dict),
    "trust_remote_code": (bool,),
    "replicas": (int,),
    "tensor_parallel": (int,),
    "verify_determinism": (int,),
    "retries": (int,),
    "max_failed": (str, int, float),
    "locked": (bool,),
    "dry_run": (bool,),
    "quiet": (bool,),
    "json_logs": (bool,),
}


def run(
    context: typer.Context,
    model: Annotated[
        str,
        typer.Option(
            help="A name of `towereval models`, a path or a hub id.",
            autocompletion=completion.model,
        ),
    ] = "",
    tasks: Annotated[
        str,
        typer.Option(
            help="Names of `towereval tasks`, as a,b@variant.", autocompletion=completion.tasks
        ),
    ] = "",
    languages: Annotated[
        str,
        typer.Option(
            help="Codes or groups, as de,core,tier:T3.", autocompletion=completion.languages
        ),
    ] = "",
    limit: Annotated[int, typer.Option(help="At most so many samples a language; 0: all.")] = 0,
    split: Annotated[
        str,
        typer.Option(
            help="full, or sample: the small bundled one.", autocompletion=completion.split
        ),
    ] = "full",
    engine: Annotated[
        str,
        typer.Option(
            help="vllm, ray, transformers, openai, replay.", autocompletion=completion.engine
        ),
    ] = "vllm",
    engine_args: Annotated[list[str] | None, typer.Option(help="For the engine, as k=v,..")] = None,
    include_path: Annotated[str, typer.Option(help="A folder of lmms-eval's tasks.")] = "",
    data: Annotated[list[str] | None, typer.Option(help="A local data set, as TASK=PATH.")] = None,
    output: Annotated[Path, typer.Option(help="Where runs are kept.")] = Path("results"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask everything again.")] = False,
    seed: Annotated[int, typer.Option(help="For sampling.")] = 0,
    predict_only: Annotated[bool, typer.Option("--predict-only", help="Do not score.")] = False,
    judge: Annotated[
        str,
        typer.Option(help="A model that judges open answers.", autocompletion=completion.model),
    ] = "",
    judge_engine: Annotated[
        str, typer.Option(help="The judge's engine.", autocompletion=completion.engine)
    ] = "vllm",
    judge_engine_args: Annotated[list[str] | None, typer.Option(help="For it, as k=v,..")] = None,
    checkpoint: Annotated[list[str] | None, typer.Option(help="A metric's, as NAME=PATH.")] = None,
    trust_remote_code: Annotated[
        bool, typer.Option("--trust-remote-code", help="Run the model's own code, at a commit.")
    ] = False,
    replicas: Annotated[int, typer.Option(help="Engines side by side, with ray.")] = 0,
    tensor_parallel: Annotated[int, typer.Option(help="GPUs of one engine.")] = 0,
    verify_determinism: Annotated[int, typer.Option(help="Ask so many again, and compare.")] = 0,
    retries: Annotated[int, typer.Option(help="Ask what failed so many times again.")] = 0,
    max_failed: Annotated[
        str, typer.Option(help="The share of a task's samples that may fail, as 1%.")
    ] = "0",
    locked: Annotated[bool, typer.Option("--locked", help="Refuse other data or model.")] = False,
    from_manifest: Annotated[Path | None, typer.Option(help="Repeat the run of this file.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, and ask nothing.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print errors and where the results are.")
    ] = False,
    json_logs: Annotated[
        bool, typer.Option("--json-logs", help="Tell progress and errors as lines of JSON.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="These options in a TOML file.")] = None,
) -> None:
    """Score a model on benchmarks; the same command again asks only what is missing."""
    given = dict(context.params)
    given.pop("config")
    in_file: dict[str, Any] = {"like": {}}
    if given.pop("from_manifest") is not None and from_manifest is not None:
        in_file = repeated(from_manifest)
    if config is not None:
        in_file |= options.from_file(config, OPTIONS)
    typed = {k for k in given if str(context.get_parameter_source(k)).endswith("COMMANDLINE")}
    given |= {key: value for key, value in in_file.items() if key not in typed}
    raise typer.Exit(start(given))


def start(given: dict[str, Any]) -> int:
    """Run a plan made of option values; the exit status."""
    most_failed = options.share(str(given["max_failed"]), "--max-failed")
    if given["retries"] < 0:
        raise UsageError(f"--retries is a number of times, not {given['retries']}")
    from towereval.cli.console import (
        exit_status,
        quiet_libraries,
        show_failures,
        show_results,
        write_report,
    )
    from towereval.cli.progress import event, listener
    from towereval.forecast import forecast
    from towereval.judging import find_judge
    from towereval.plan import chosen_tasks
    from towereval.run import run

    plan = _plan(given)
    quiet_libraries()
    if plan.judge.model and not plan.predict_only:
        chosen_tasks(plan)
        find_judge(plan.judge)  # what is wrong with it is told before the hours of asking
    with closing(listener(quiet=given["quiet"], json_logs=given["json_logs"])) as progress:
        if given["dry_run"]:
            expected = forecast(plan, progress)
        else:
            outcome = run(plan, progress)
    if given["dry_run"]:
        print(expected)
        return 0
    if outcome.results and not given["quiet"]:
        show_results(outcome.results)
    show_failures(outcome.failures, json_logs=given["json_logs"])
    if outcome.results:
        write_report(outcome.folder)
    if not given["quiet"] and (outcome.folder / "report.html").exists():
        folder = shlex.quote(str(outcome.folder))
        print(f"page: {outcome.folder}/report.html; to open it: towereval view {folder}")
    if outcome.asked and not given["quiet"]:
        print(outcome.performance.speed)
    if plan.verify_determinism:
        print(outcome.performance.determinism)
    print(
        f"{outcome.asked} asked, {outcome.folder}/results.json"
        if outcome.results
        else outcome.folder
    )
    status = exit_status(outcome, most_failed)
    if given["json_logs"]:
        named = {"results": "results.json", "page": "report.html"}
        files = {
            key: str(file)
            for key, name in named.items()
            if (file := outcome.folder / name).exists()
        }
        event("finished", folder=str(outcome.folder), **files, asked=outcome.asked, status=status)
    return status


def _plan(given: dict[str, Any]) -> Plan:
    """Raises `UsageError` for values that are none."""
    from towereval.judging import JudgePlan
    from towereval.plan import Plan

    if not given["model"] or not _listed(given["tasks"]):
        raise UsageError("run wants --model and --tasks; see towereval models, towereval tasks")
    if given["split"] not in ("full", "sample"):
        raise UsageError(f"--split is full or sample, not {given['split']!r}")
    if given["limit"] < 0:
        raise UsageError(f"--limit is a number of samples, not {given['limit']}")
    if given["verify_determinism"] < 0:
        count = given["verify_determinism"]
        raise UsageError(f"--verify-determinism is a number of requests, not {count}")
    return Plan(
        model=given["model"],
        tasks=_tasks(given),
        languages=_listed(given["languages"]),
        limit=given["limit"] or None,
        split=given["split"],
        engine=given["engine"],
        engine_args=_engine_args(given),
        data={k: Path(str(v)) for k, v in _table(given["data"], "--data", options.pairs).items()},
        output=Path(given["output"]),
        fresh=given["fresh"],
        seed=given["seed"],
        predict_only=given["predict_only"],
        verify_determinism=given["verify_determinism"],
        retries=given["retries"],
        locked=given["locked"],
        like=given["like"],
        judge=JudgePlan(
            given["judge"],
            given["judge_engine"],
            _table(given["judge_engine_args"], "--judge-engine-args", options.values),
        ),
        checkpoints=_table(given["checkpoint"], "--checkpoint", options.pairs),
    )


def _tasks(given: dict[str, Any]) -> tuple[str, ...]:
    """With the tasks of lmms-eval's groups and tags in their place."""
    names = _listed(given["tasks"])
    if not given["include_path"] and not any(name.startswith("lmms:") for name in names):
        return names
    from towereval.bridges.lmms_tasks import named, within

    if given["include_path"]:
        folder = Path(given["include_path"])
        if not folder.is_dir():
            raise UsageError(f"--include-path {folder}: no such folder")
        names = tuple(within(name, folder) for name in names)
    return tuple(task for name in names for task in named(name))


def repeated(file: Path) -> dict[str, Any]:
    """The options of the run whose manifest this is, and the manifest itself as `like`."""
    from towereval.manifest import read_manifest

    if file.name != "manifest.json":
        raise UsageError(f"--from-manifest wants a run's manifest.json, not {file}")
    manifest = read_manifest(file.parent)
    command = manifest.get("command")
    if not isinstance(command, dict):
        raise UsageError(f"--from-manifest {file}: it does not say how the run was asked for")
    return {**{key: command[key] for key in command if key in OPTIONS}, "like": manifest}


def _engine_args(given: dict[str, Any]) -> dict[str, Any]:
    """Those of --engine-args, and those that are options of their own."""
    if given["replicas"] and given["engine"] != "ray":
        raise UsageError("--replicas goes with --engine ray")
    named = {
        "trust_remote_code": given["trust_remote_code"],
        "replicas": given["replicas"],
        "tensor_parallel_size": given["tensor_parallel"],
    }
    found = _table(given["engine_args"], "--engine-args", options.values)
    return found | {key: value for key, value in named.items() if value}


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return options.names(value) if isinstance(value, str) else tuple(value)


def _table(value: Any, option: str, read: Any) -> dict[str, Any]:
    """`k=v` texts of the command line, or what a TOML file has: one text, several or a table."""
    if isinstance(value, dict):
        return value
    return dict(read([value] if isinstance(value, str) else value or (), option))
