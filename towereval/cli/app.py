"""`towereval`: puts the commands together and turns errors into one line and an exit status.

Exit status: 0 done, 2 a wrong request, 4 something failed, 130 stopped by the user. 1 is what was
looked for: a regression by `compare`, a fault by `data validate`, and nothing else.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from typing import Annotated

import typer

from towereval import __version__
from towereval.cli import (
    analyse,
    compare,
    convert,
    data,
    diagnose,
    doctor,
    export,
    export_task,
    fidelity,
    import_logs,
    leaderboard,
    listing,
    merge,
    plot,
    published,
    run,
    score,
    setup,
    smpqa,
    train,
    view,
)
from towereval.cli.progress import event
from towereval.cli.spellings import RunCommand, dashed
from towereval.errors import TowerevalError, UsageError
from towereval.printable import visible

app = typer.Typer(
    name="towereval",
    help="Score vision-language models on multilingual benchmarks, per language.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"token_normalize_func": dashed},
)
app.command("run", cls=RunCommand)(run.run)
app.command("score")(score.score)
app.add_typer(import_logs.app, name="import")
app.command("compare")(compare.compare)
app.command("baseline")(compare.baseline)
app.command("leaderboard")(leaderboard.leaderboard)
app.command("published")(published.published)
app.command("export")(export.export)
app.command("export-task")(export_task.export_task)
app.command("fidelity")(fidelity.fidelity)
app.add_typer(diagnose.app, name="diagnose")
app.add_typer(analyse.app, name="analyse")
app.add_typer(plot.app, name="plot")
app.command("tasks")(listing.tasks)
app.command("models")(listing.models)
app.command("convert")(convert.convert)
app.command("train")(train.train)
app.command("merge")(merge.merge)
app.command("doctor")(doctor.doctor)
app.add_typer(setup.app, name="setup")
app.add_typer(smpqa.app, name="smpqa")
app.add_typer(data.app, name="data")
app.command("view")(view.view)


def _show_version(asked: bool) -> None:
    if asked:
        print(f"towereval {__version__}")
        raise typer.Exit


@app.callback()
def everywhere(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Score vision-language models on multilingual benchmarks, per language."""


def main() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors == "strict":
            # A terminal without a sign (PYTHONIOENCODING=ascii) is shown its number.
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except UsageError as error:
        _fail(str(error), 2)
    except TowerevalError as error:
        _fail(str(error), 4)
    except SystemExit as stop:
        if stop.code == 130:  # what typer makes of Ctrl-C
            print("stopped; the same command goes on from here", file=sys.stderr)
        elif stop.code == 1 and not isinstance(stop.__context__, typer.Exit):
            # What typer makes of a closed pipe, or of an input that ended.
            sys.exit(4)
        raise
    except Exception as error:  # noqa: BLE001 the command's border: else Python would exit with 1
        if os.environ.get("TOWEREVAL_TRACEBACK"):
            traceback.print_exc()
        hint = "not foreseen; TOWEREVAL_TRACEBACK=1 shows where"
        _fail(f"{type(error).__name__}: {error} ({hint})", 4)


def _fail(message: str, status: int) -> None:
    if "--json-logs" in map(dashed, sys.argv):
        event("error", message=message, status=status)
    else:
        print(f"error: {visible(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(status)
