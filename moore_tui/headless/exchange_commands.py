"""`data import` and `data export`: D4RL files as Minari sets and back, by programs of the engine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from moore_tui.headless import options as o

Reference = Annotated[str, typer.Argument(metavar="REF", help="A D4RL file, or the name of a downloaded one.")]
Id = Annotated[str, typer.Option("--id", metavar="ID", help="Minari id to write, NAMESPACE/NAME-vN.")]
Minari = Annotated[str, typer.Argument(metavar="ID", help="A local Minari set, NAMESPACE/NAME-vN.")]
Output = Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="HDF5 file to write.")]
Task = Annotated[str | None, typer.Option(metavar="TASK", help="Gymnasium task; else the one the file says.")]
Algorithm = Annotated[str | None, typer.Option(metavar="NAME", help="What made it; else what the file says.")]
Author = Annotated[list[str] | None, typer.Option(metavar="NAME", help="Who made it; may be given again.")]
Email = Annotated[list[str] | None, typer.Option(metavar="ADDRESS", help="Of the authors; may be given again.")]
Permalink = Annotated[str | None, typer.Option(metavar="URL", help="The code that made it, at its version.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="What it is.")]
RefMin = Annotated[float | None, typer.Option(metavar="RETURN", help="Return of score 0; else the task's.")]
RefMax = Annotated[float | None, typer.Option(metavar="RETURN", help="Return of score 100; else the task's.")]


def import_(
    reference: Reference,
    dataset_id: Id,
    task: Task = None,
    algorithm: Algorithm = None,
    author: Author = None,
    author_email: Email = None,
    code_permalink: Permalink = None,
    description: Description = None,
    ref_min: RefMin = None,
    ref_max: RefMax = None,
    as_json: o.Json = False,
) -> NoReturn:
    """Make a Minari set of a D4RL file.

    Nothing is lost: `data export` gives equal arrays back.
    """
    from moore_tui.headless import tools

    named = [("author", each) for each in author or ()] + [("author-email", each) for each in author_email or ()]
    words = [f"--{flag}={value}" for flag, value in named]
    for flag, value in (("ref-min", ref_min), ("ref-max", ref_max)):  # a separate word -20 would be taken as a flag
        words += [] if value is None else [f"--{flag}={value}"]
    tools.become(
        "data_import", reference, *words, id=dataset_id, task=task, algorithm=algorithm,
        code_permalink=code_permalink, description=description, json=as_json,
    )  # fmt: skip


def export(dataset_id: Minari, output: Output, as_json: o.Json = False) -> NoReturn:
    """Write a Minari set as a file in D4RL's layout."""
    from moore_tui.headless import tools

    tools.become("data_export", dataset_id, output=output, json=as_json)
