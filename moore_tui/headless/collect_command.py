"""`data collect`: make a data set of one's own, as a run like any other."""

from __future__ import annotations

from typing import Annotated

import typer

from moore_tui.headless import options as o

KINDS = "random, medium, medium-replay, expert or medium-expert"

Task = Annotated[str, typer.Option(metavar="TASK", help="Gymnasium task, such as Hopper-v5.")]
Kind = Annotated[str, typer.Option(metavar="KIND", help=f"What to collect: {KINDS}.")]
Steps = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Rows of the set; most rows of a replay buffer. 1 million.")
]
Target = Annotated[
    str | None,
    typer.Option(
        metavar="R|none",
        help="Evaluated return at which SAC is medium; else a third of the way to the expert's.",
    ),
]
TrainSteps = Annotated[
    int | None, typer.Option(metavar="N", min=1, help="Environment steps of SAC's whole training. 1 million.")
]
RandomSteps = Annotated[
    int | None, typer.Option(metavar="N", min=0, help="Uniform steps before SAC acts and learns. 1000.")
]
RefMin = Annotated[float | None, typer.Option(metavar="R", help="Return that scores 0, where the task has none.")]
RefMax = Annotated[float | None, typer.Option(metavar="R", help="Return that scores 100.")]
OutFile = Annotated[
    str | None, typer.Option("--output", "-o", metavar="FILE", help="HDF5 file; else it lies in the run's directory.")
]
MinariId = Annotated[str | None, typer.Option("--id", metavar="ID", help="Minari data set to write.")]
Author = Annotated[str | None, typer.Option(metavar="NAME", help="Who made the Minari data set, for its metadata.")]
Permalink = Annotated[str | None, typer.Option(metavar="URL", help="Where the code that made it can be read.")]


def collect(
    task: Task,
    kind: Kind,
    steps: Steps = None,
    seed: o.Seed = None,
    target_return: Target = None,
    train_steps: TrainSteps = None,
    random_steps: RandomSteps = None,
    ref_min: RefMin = None,
    ref_max: RefMax = None,
    output: OutFile = None,
    minari_id: MinariId = None,
    author: Author = None,
    code_permalink: Permalink = None,
    name: o.Name = None,
    runs_dir: o.RunsDir = None,
    sets: o.Sets = None,
    trust_code: o.Trust = None,
    detach: o.Detach = False,
    watch: o.Watch = False,
    as_json: o.Json = False,
) -> int:
    """Make a data set in a task by D4RL's protocol.

    It is a run: watch it, pause it, stop it, resume it. SAC's keys are changed by --set.
    """
    from moore_tui.headless import start
    from moore_tui.runs.launch import Wish

    flags = {
        "data": "",
        "task": task,
        "kind": kind,
        "steps": steps,
        "seed": seed,
        "target-return": _number(target_return),
        "train-steps": train_steps,
        "random-steps": random_steps,
        "ref-min": ref_min,
        "ref-max": ref_max,
        "output": output,
        "id": minari_id,
        "author": author,
        "code-permalink": code_permalink,
        "name": name,
    }
    stem = f"{task.rpartition('-')[0] or task}-{kind}".lower()
    wish = Wish("collect", sets or (), flags, trust=trust_code or (), stem=stem)
    return start.run(wish, runs_dir, detach=detach, watch=watch, as_json=as_json)


def _number(text: str | None) -> float | str | None:
    """A number where the text is one; the configuration judges the rest."""
    try:
        return None if text is None else float(text)
    except ValueError:
        return text
