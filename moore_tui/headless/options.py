"""The words of the command line: arguments and options that commands share, each with its help."""

from __future__ import annotations

from typing import Annotated

import typer

RunName = Annotated[str, typer.Argument(metavar="RUN", help="A run's name, or the path of its directory.")]
Source = Annotated[str, typer.Argument(metavar="PRESET|FILE", help="A preset's name or a TOML file.")]
RunsDir = Annotated[
    str | None,
    typer.Option("--runs-dir", metavar="DIR", help="Where runs lie; else MOORE_RUNS_DIR, else ./runs."),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a key (section.key=value); may be repeated."),
]
Data = Annotated[str | None, typer.Option("--data", metavar="FILE|ID", help="Offline data set.")]
Algo = Annotated[
    str | None,
    typer.Option("--algo", metavar="NAME", help="Another algorithm on the same data, with its own preset's settings."),
]
Task = Annotated[str | None, typer.Option(metavar="TASK", help="Gymnasium task, if neither preset nor data name it.")]
Profile = Annotated[str | None, typer.Option(metavar="NAME", help="Reduce the preset for a smaller machine (cpu).")]
Trust = Annotated[
    list[str] | None,
    typer.Option("--trust-code", metavar="NAME", help="Allow this task or this function of a run from outside."),
]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout: one object, or one a line.")]
Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return at once; the run goes on.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait for the run's answer and print it.")]
Timeout = Annotated[
    float | None, typer.Option(metavar="SECONDS", min=0, help="Longest wait for the answer; 60 if not given.")
]
Which = Annotated[str, typer.Option(metavar="NAME", help="Checkpoint: latest, switch, final or its name.")]
Name = Annotated[str | None, typer.Option(metavar="NAME", help="Name of the run and its directory.")]
Seed = Annotated[int | None, typer.Option(metavar="N", min=0, help="Seed of all random streams.")]
From = Annotated[
    str | None, typer.Option("--from", metavar="RUN@WHERE", help="Branch off RUN@switch or RUN@CHECKPOINT.")
]
MovedData = Annotated[
    str | None, typer.Option("--data", metavar="PATH", help="Where the data set lies now; its digest must match.")
]
Setting = Annotated[str, typer.Argument(metavar="KEY=VALUE", help="A live key and its new value.")]
Patience = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", min=0, help="Longest wait; for ever if not given.")
]
OneOrAll = Annotated[str | None, typer.Argument(metavar="[RUN]", help="A run; all of them if not given.")]
States = Annotated[
    list[str] | None, typer.Option("--state", metavar="STATE", help="Only runs in this state; may be repeated.")
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows, until the run ends.")]
Lines = Annotated[int, typer.Option("--lines", "-n", min=0, help="Last lines to print; 0 prints all.")]
Attempt = Annotated[int | None, typer.Option(metavar="N", min=1, help="Attempt; the last if not given.")]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", metavar="KIND", help="Only this kind (eval, loss, ...); may be repeated."),
]
Episodes = Annotated[int | None, typer.Option(metavar="N", min=1, help="Number of episodes.")]
EpisodeSeed = Annotated[int | None, typer.Option("--seed", metavar="N", min=0, help="Seed of the episodes.")]
Video = Annotated[str | None, typer.Option(metavar="FILE", help="Record the first episode here.")]
Output = Annotated[str | None, typer.Option("--output", "-o", metavar="DIR", help="Where to write it.")]
TensorBoard = Annotated[bool, typer.Option("--tensorboard", help="Write the events as TensorBoard reads them.")]
Quick = Annotated[bool, typer.Option("--quick", help="A few seconds instead of a minute.")]
Watch = Annotated[bool, typer.Option("--watch", help="Open the console on it; leaving that ends nothing.")]
Hz = Annotated[
    float, typer.Option("--hz", metavar="N", min=0.1, max=30.0, help="Looks a second while it has the focus.")
]
SlowLink = Annotated[bool, typer.Option("--slow-link", help="Send little: one look a second.")]
NoMouse = Annotated[bool, typer.Option("--no-mouse", help="Leave the mouse to the terminal.")]
Ascii = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII; chosen by itself where the locale is no UTF-8.")]
Readonly = Annotated[bool, typer.Option("--readonly", help="Only look: nothing is asked of a run, none is started.")]
Speed = Annotated[float, typer.Option(metavar="N", min=0.01, max=1e5, help="Times faster than it happened.")]
Runs = Annotated[list[str], typer.Argument(metavar="RUNS", help="Runs, folders of runs, or patterns of names.")]
ReportFolder = Annotated[str, typer.Option("-o", "--output", metavar="DIR", help="Where to write the report.")]
Step = Annotated[
    int | None,
    typer.Option("--step", metavar="N", min=1, help="Compare at N environment steps; else at the last common one."),
]
