"""Every command of `moore-console`: its name, options and help; what each does lives in the modules beside this one."""

from __future__ import annotations

import os
from typing import Annotated, NoReturn

import typer

from moore_engine.rundir import EXIT_DONE
from moore_tui.headless import diagnostics, quick
from moore_tui.headless import options as o
from moore_tui.headless.data_commands import data_app

app = typer.Typer(
    name=diagnostics.PROGRAM,
    help="Train offline, fine-tune online, watch and steer the runs. Alone, it opens the console.",
    epilog="Exit codes: 0 done, 1 run failed, 2 usage, 3 no such run, 4 already running, 5 lost contact, "
    "75 stopped and resumable, 130 Ctrl-C.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="What a run would be made of: values, keys, presets.", rich_markup_mode=None)
app.add_typer(config_app, name="config")
app.add_typer(data_app, name="data")


@app.command()
def run(
    source: o.Source,
    data: o.Data = None,
    algo: o.Algo = None,
    task: o.Task = None,
    name: o.Name = None,
    runs_dir: o.RunsDir = None,
    seed: o.Seed = None,
    sets: o.Sets = None,
    profile: o.Profile = None,
    from_: o.From = None,
    trust_code: o.Trust = None,
    detach: o.Detach = False,
    watch: o.Watch = False,
    as_json: o.Json = False,
) -> int:
    """Start a run and follow it to its end.

    Ctrl-C stops it with a checkpoint (again within 5 s kills it); closing the terminal leaves it running. With --watch
    the console shows it, and leaving the console leaves it running.
    """
    from moore_tui.headless import start
    from moore_tui.runs.launch import Wish

    flags = {"algo": algo, "data": data, "task": task, "name": name, "seed": seed, "from": from_}
    wish = Wish(source, sets or (), flags, profile, trust_code or ())
    return start.run(wish, runs_dir, detach=detach, watch=watch, as_json=as_json)


@app.command()
def resume(
    run: o.RunName,
    sets: o.Sets = None,
    data: o.MovedData = None,
    runs_dir: o.RunsDir = None,
    trust_code: o.Trust = None,
    detach: o.Detach = False,
    watch: o.Watch = False,
    wait: o.Wait = False,
    timeout: o.Timeout = None,
    as_json: o.Json = False,
) -> int:
    """Go on with a run that is paused or has ended.

    A stopped or crashed run starts from its last checkpoint and is followed as by `run`. A finished one needs more
    epochs: --set online.epochs=200.
    """
    from moore_tui.headless import start

    changes = start.Changes(sets or (), data, trust_code or ())
    return start.resume(run, runs_dir, changes, detach=detach, watch=watch, wait=wait, timeout=timeout, as_json=as_json)


@app.command()
def pause(
    run: o.RunName, wait: o.Wait = False, timeout: o.Timeout = None, runs_dir: o.RunsDir = None, as_json: o.Json = False
) -> int:
    """Ask a run to hold where it is, in memory."""
    return quick.ask("pause")(run, runs_dir, wait=wait, timeout=timeout, as_json=as_json)


@app.command()
def checkpoint(
    run: o.RunName, wait: o.Wait = False, timeout: o.Timeout = None, runs_dir: o.RunsDir = None, as_json: o.Json = False
) -> int:
    """Ask a run to save a checkpoint now."""
    return quick.ask("checkpoint")(run, runs_dir, wait=wait, timeout=timeout, as_json=as_json)


@app.command()
def stop(
    run: o.RunName, wait: o.Wait = False, timeout: o.Timeout = None, runs_dir: o.RunsDir = None, as_json: o.Json = False
) -> int:
    """Ask a run to save a checkpoint and end."""
    return quick.ask("stop")(run, runs_dir, wait=wait, timeout=timeout, as_json=as_json)


@app.command()
def kill(run: o.RunName, runs_dir: o.RunsDir = None, as_json: o.Json = False) -> int:
    """Kill a run at once, without a checkpoint.

    `resume` goes on from the last checkpoint there is.
    """
    return quick.kill(run, runs_dir, as_json)


@app.command("set")
def set_(
    run: o.RunName,
    setting: o.Setting,
    wait: o.Wait = False,
    timeout: o.Timeout = None,
    runs_dir: o.RunsDir = None,
    as_json: o.Json = False,
) -> int:
    """Change a key of a run while it goes on.

    `config keys` marks the keys that can be.
    """
    return quick.change(run, setting, runs_dir, wait=wait, timeout=timeout, as_json=as_json)


@app.command("wait")
def wait_(run: o.RunName, timeout: o.Patience = None, runs_dir: o.RunsDir = None, as_json: o.Json = False) -> int:
    """Wait for a run's end; exit with its code.

    At the time-out the exit code is 4, for it is still running.
    """
    return quick.wait(run, runs_dir, timeout, as_json)


@app.command()
def status(run: o.OneOrAll = None, runs_dir: o.RunsDir = None, as_json: o.Json = False) -> int:
    """Where a run is, how well it does, what ails it."""
    return quick.listing(runs_dir, as_json) if run is None else quick.status(run, runs_dir, as_json)


@app.command("list")
def list_(state: o.States = None, runs_dir: o.RunsDir = None, as_json: o.Json = False) -> int:
    """All runs, one a line."""
    return quick.listing(runs_dir, as_json, state or ())


@app.command()
def logs(
    run: o.RunName,
    follow: o.Follow = False,
    lines: o.Lines = 100,
    attempt: o.Attempt = None,
    runs_dir: o.RunsDir = None,
    as_json: o.Json = False,
) -> int:
    """What a run's trainer printed."""
    return quick.logs(run, runs_dir, follow=follow, lines=lines, attempt=attempt, as_json=as_json)


@app.command()
def events(
    run: o.RunName,
    follow: o.Follow = False,
    kind: o.Kinds = None,
    runs_dir: o.RunsDir = None,
    as_json: o.Json = False,
) -> int:
    """A run's facts as JSON lines (with or without --json).

    What a dead attempt did past the checkpoint that the next one began from is left out.
    """
    from moore_tui.headless import records

    return records.events(run, runs_dir, follow=follow, kinds=kind or ())


@app.command("eval")
def eval_(
    run: o.RunName,
    checkpoint: o.Which = "latest",
    episodes: o.Episodes = None,
    seed: o.EpisodeSeed = None,
    video: o.Video = None,
    runs_dir: o.RunsDir = None,
    as_json: o.Json = False,
) -> NoReturn:
    """Evaluate a saved policy in its environment."""
    from moore_tui.headless import find, tools

    folder = str(find.run(run, runs_dir).path)
    tools.become("eval", folder, checkpoint=checkpoint, episodes=episodes, seed=seed, video=video, json=as_json)


@app.command()
def export(
    run: o.RunName,
    checkpoint: o.Which = "latest",
    tensorboard: o.TensorBoard = False,
    output: o.Output = None,
    runs_dir: o.RunsDir = None,
    as_json: o.Json = False,
) -> int:
    """Write a saved policy for other programs, or the curves for TensorBoard."""
    from moore_tui.headless import find, tools

    if tensorboard:
        from moore_tui.headless import tensorboard_command

        return tensorboard_command.write(run, runs_dir, checkpoint=checkpoint, output=output, as_json=as_json)
    tools.become("export", str(find.run(run, runs_dir).path), checkpoint=checkpoint, output=output, json=as_json)


@app.command()
def report(
    runs: o.Runs,
    folder: o.ReportFolder,
    step: o.Step = None,
    runs_dir: o.RunsDir = None,
    as_json: o.Json = False,
) -> int:
    """Figures, tables and a page of what several runs came to.

    RUNS are runs, folders of runs, or patterns such as 'moore-*'.
    """
    from pathlib import Path

    from moore_tui.headless import report_command

    return report_command.report(runs, runs_dir, Path(folder), step=step, as_json=as_json)


@config_app.command("show")
def config_show(
    source: o.Source,
    data: o.Data = None,
    algo: o.Algo = None,
    task: o.Task = None,
    sets: o.Sets = None,
    profile: o.Profile = None,
    as_json: o.Json = False,
) -> int:
    """Every key of a run to be, its value, its source."""
    from moore_tui.headless import settings
    from moore_tui.runs.launch import Wish

    return settings.show(Wish(source, sets or (), {"algo": algo, "data": data, "task": task}, profile), as_json)


@config_app.command("keys")
def config_keys(as_json: o.Json = False) -> int:
    """Every key there is, and which can be set live."""
    from moore_tui.headless import settings

    return settings.list_keys(as_json)


@config_app.command("presets")
def config_presets(as_json: o.Json = False) -> int:
    """Every preset, with where its numbers come from."""
    from moore_tui.headless import settings

    return settings.list_presets(as_json)


@app.command()
def doctor(as_json: o.Json = False) -> NoReturn:
    """Check this machine: libraries, CPU, threads, GPU."""
    from moore_tui.headless import tools

    tools.become("doctor", json=as_json)


@app.command()
def bench(quick: o.Quick = False, as_json: o.Json = False) -> NoReturn:
    """Measure this machine's speed in each phase."""
    from moore_tui.headless import tools

    tools.become("bench", quick=quick, json=as_json)


@app.command()
def attach(
    run: o.RunName,
    runs_dir: o.RunsDir = None,
    hz: o.Hz = 4.0,
    slow_link: o.SlowLink = False,
    no_mouse: o.NoMouse = False,
    ascii: o.Ascii = False,
    readonly: o.Readonly = False,
) -> int:
    """Open the console on one run; leaving it ends nothing."""
    return quick.attach(
        run=run, runs_dir=runs_dir, hz=hz, slow_link=slow_link, no_mouse=no_mouse, ascii=ascii, readonly=readonly
    )


@app.command()
def replay(
    run: o.RunName,
    speed: o.Speed = 60.0,
    runs_dir: o.RunsDir = None,
    hz: o.Hz = 4.0,
    slow_link: o.SlowLink = False,
    no_mouse: o.NoMouse = False,
    ascii: o.Ascii = False,
    readonly: o.Readonly = False,
) -> int:
    """Play a run's events again in the console.

    `replay example` plays one that comes with the console.
    """
    return quick.replay(
        run=run,
        speed=speed,
        runs_dir=runs_dir,
        hz=hz,
        slow_link=slow_link,
        no_mouse=no_mouse,
        ascii=ascii,
        readonly=readonly,
    )


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks (also MOORE_DEBUG=1).")] = False,
    runs_dir: o.RunsDir = None,
    hz: o.Hz = 4.0,
    slow_link: o.SlowLink = False,
    no_mouse: o.NoMouse = False,
    ascii: o.Ascii = False,
    readonly: o.Readonly = False,
) -> int:
    if debug:
        os.environ["MOORE_DEBUG"] = "1"
    if version:
        raise typer.Exit(quick.version())
    view = {"hz": hz, "slow_link": slow_link, "no_mouse": no_mouse, "ascii": ascii, "readonly": readonly}
    if context.invoked_subcommand is None:
        raise typer.Exit(quick.console(runs_dir=runs_dir, **view))
    if runs_dir is not None:
        os.environ["MOORE_RUNS_DIR"] = runs_dir
    if any(value != quick.VIEW[name] for name, value in view.items()):
        raise typer.BadParameter("how the console looks is said without a command, or after attach or replay", context)
    return EXIT_DONE
