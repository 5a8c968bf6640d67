"""The commands of `moore-console data`: each is a program of the engine, which this process becomes."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from moore_tui.headless import options as o
from moore_tui.headless.collect_command import collect
from moore_tui.headless.exchange_commands import export, import_

data_app = typer.Typer(help="Data sets: find, fetch, look at, check, convert, collect.", rich_markup_mode=None)
data_app.command()(collect)
data_app.command("import")(import_)
data_app.command()(export)

Reference = Annotated[
    str, typer.Argument(metavar="REF", help="A file, a D4RL name, minari:NAMESPACE/NAME-vN or bundled:NAME.")
]
Task = Annotated[str | None, typer.Option(metavar="TASK", help="Gymnasium task; else the one the data set says.")]
Policy = Annotated[str | None, typer.Option("--run", metavar="RUN", help="Compare the offline policy of this run.")]
Rows = Annotated[int | None, typer.Option(metavar="N", min=1, help="Rows to replay; 2000 if not given.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="D4RL names or Minari ids.")]
Remote = Annotated[bool, typer.Option("--remote", help="Those to download instead of those here.")]


@data_app.command("list")
def list_(remote: Remote = False, as_json: o.Json = False) -> NoReturn:
    """The data sets on this machine, or those to download."""
    from moore_tui.headless import tools

    tools.become("data_list", remote=remote, json=as_json)


@data_app.command()
def info(
    reference: Reference,
    task: Task = None,
    run: Policy = None,
    runs_dir: o.RunsDir = None,
    as_json: o.Json = False,
) -> NoReturn:
    """What a data set is like: returns, coverage, origin.

    With --run, whether that run's offline policy is better than the data it learned from.
    """
    from moore_tui.headless import find, tools

    folder = str(find.run(run, runs_dir).path) if run else None
    tools.become("data_info", reference, task=task, run=folder, json=as_json)


@data_app.command()
def validate(reference: Reference, task: Task = None, as_json: o.Json = False) -> NoReturn:
    """Check whether a run can use a data set.

    Every check is a line; the exit code is 2 if one fails.
    """
    from moore_tui.headless import tools

    tools.become("data_validate", reference, task=task, json=as_json)


@data_app.command("check-physics")
def check_physics(reference: Reference, task: Task = None, rows: Rows = None, as_json: o.Json = False) -> NoReturn:
    """Check which version of its task made a data set.

    Rows are replayed in the simulator from their states; the exit code is 2 if they are another version's.
    """
    from moore_tui.headless import tools

    tools.become("data_check_physics", reference, task=task, rows=rows, json=as_json)


@data_app.command()
def download(names: Names, as_json: o.Json = False) -> NoReturn:
    """Fetch data sets by name into the cache.

    What was interrupted is gone on with; sizes and checksums are checked.
    """
    from moore_tui.headless import tools

    tools.become("data_download", *names, json=as_json)
