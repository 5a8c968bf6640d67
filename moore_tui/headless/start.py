"""`run` and `resume`: make a run or take one up again, see that a keeper has it, and follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from moore_engine import config as configs
from moore_engine.rundir import EXIT_DONE, EXIT_STOPPED, RunDir, write_atomic
from moore_tui import opening
from moore_tui.headless import find, verbs
from moore_tui.headless.diagnostics import PROGRAM, Failure, say
from moore_tui.headless.follow import Signals, Terminated, follow
from moore_tui.headless.output import answer, answer_json
from moore_tui.runs import control, launch
from moore_tui.runs.errors import RunIsLive
from moore_tui.runs.launch import Wish
from moore_tui.runs.model import snapshot


def run(wish: Wish, runs_dir: str | None, *, detach: bool, watch: bool, as_json: bool) -> int:
    """Resolve, check, create, launch and, unless `detach`, follow to the end; with `watch` in the console."""
    runs = find.runs_dir(runs_dir)
    if watch:
        _check_watch(detach or as_json)
    with Signals() as signals:
        try:
            made = _make(wish, runs, signals)
        except KeyboardInterrupt:
            say("interrupted before the run began; nothing is left of it")
            raise
        except Terminated:
            raise Failure("terminated before the run began; nothing is left of it", EXIT_STOPPED) from None
        if detach:
            return _detached(made, as_json)
        if not watch:
            say(f"run {made.id} in {made.path}; Ctrl-C stops it with a checkpoint, closing the terminal does not")
            say(f"{PROGRAM} attach {made.id} shows it in the console")
            return follow(made, signals, as_json=as_json)
    return _watched(made)


def _make(wish: Wish, runs: Path, signals: Signals) -> RunDir:
    checked = launch.check(wish, runs, say)
    signals.armed = True
    return launch.create_and_start(wish, checked, runs)


@dataclass(frozen=True)
class Changes:
    """What a run that goes on shall do differently: KEY=VALUE settings, where its data lies, whose code to trust."""

    sets: Sequence[str] = ()
    data: str | None = None
    trust: Sequence[str] = ()


def resume(
    name: str,
    runs_dir: str | None,
    changes: Changes,
    *,
    detach: bool,
    watch: bool,
    wait: bool,
    timeout: float | None,
    as_json: bool,
) -> int:
    """Let a paused run go on, or launch one that has ended; one that is done needs more online.epochs."""
    if watch:
        _check_watch(detach or as_json)
    found = find.run(name, runs_dir)
    shot = snapshot(found)
    settings = dict(verbs.split(each) for each in changes.sets)
    if shot.running and (settings or changes.data):
        raise RunIsLive(
            f"run {found.id} is {shot.state}; change it with {PROGRAM} set {found.id} KEY=VALUE, or stop it first"
        )
    if shot.kept and (shot.state == "paused" or "pause" in shot.pending):
        code = verbs.ask(found, "resume", wait=wait, timeout=timeout, as_json=as_json)
        return _watched(found) if watch else code
    _check_settings(found, settings, done=shot.state == "done", epochs=shot.epochs)
    if changes.data:
        _move_data(found, changes.data, changes.trust)
    if shot.state == "done" and not settings:
        how = f"; {PROGRAM} resume {found.id} --set online.epochs=N extends it"
        say(f"run {found.id} is done{'' if shot.algo == 'collect' else how}")
        if as_json:
            answer_json({"run": found.id, "path": str(found.path), "state": "done"})
        return EXIT_DONE
    with Signals() as signals:
        signals.armed = True
        try:
            what = control.resume(found, launch.launcher(changes.trust), sets=settings)
        except RunIsLive:
            raise RunIsLive(f"run {found.id} is running already; {PROGRAM} wait {found.id} waits for its end") from None
        if what == "adopted":
            say(f"run {found.id} was running without a keeper; it has one again")
        if not watch:
            if detach or what == "resumed":
                return _detached(found, as_json)
            say(f"run {found.id} goes on; Ctrl-C stops it with a checkpoint, closing the terminal does not")
            return follow(found, signals, as_json=as_json)
    return _watched(found)


def _check_watch(otherwise: bool) -> None:
    """Refuse --watch before anything is started if there is nothing to draw on, or another output was asked for."""
    if otherwise:
        raise Failure("--watch opens the console, so it goes with neither --detach nor --json; leave one of them out")
    if not opening.drawable():
        raise Failure("--watch needs a terminal to draw on; leave it out, or use --detach")


def _watched(run: RunDir) -> int:
    """The console on the run; leaving it ends nothing."""
    code = opening.attach(str(run.path), None)
    shot = snapshot(run)
    how = f"goes on; {PROGRAM} attach {run.id} shows it again" if shot.running else f"is {shot.state}"
    say(f"run {run.id} {how}")
    return code


def _detached(made: RunDir, as_json: bool) -> int:
    """The run's name on stdout, and how to see it again on stderr."""
    if as_json:
        answer_json({"run": made.id, "path": str(made.path), "pid": snapshot(made).pid})
    else:
        answer(made.id)
    say(f"{PROGRAM} status {made.id} shows it, {PROGRAM} stop {made.id} stops it")
    return EXIT_DONE


def _check_settings(found: RunDir, settings: Mapping[str, str], *, done: bool, epochs: int | None) -> None:
    """Refuse a key or value before anything is started; a run that is done can only be made longer."""
    config = configs.load(found.config)
    for key, value in settings.items():
        config = configs.set_value(config, key, value, live=True)
    if done and settings and not ("online.epochs" in settings and config.online.epochs > (epochs or 0)):
        raise Failure(
            f"run {found.id} is done with {epochs} epochs; extend it with --set online.epochs=N, N above {epochs}"
        )


def _move_data(found: RunDir, data: str, trust: Sequence[str]) -> None:
    """Point a run to where its data set lies now; the content must be the one it was made with."""
    config = configs.load(found.config)
    moved = configs.set_value(configs.set_value(config, "data.path", data), "run.from", "")
    say("checking the data set ...")
    checked = launch.parse(launch.prepare(moved, trust)["config"])
    if checked.data.sha256 != config.data.sha256:
        raise Failure(
            f"{data} is not the data set of run {found.id}: its sha256 is {checked.data.sha256[:12]}, "
            f"the run began with {config.data.sha256[:12]}"
        )
    text = configs.dumps(configs.set_value(config, "data.path", checked.data.path))
    write_atomic(found.config, _with_origins(text, found.config.read_text(encoding="utf-8"), "resume --data"))


def _with_origins(new: str, old: str, origin: str) -> str:
    """The lines of `new` with the comments of `old`; a line that changed says `origin`. Both list the same keys."""
    before = old.splitlines()
    lines = new.splitlines()
    if len(before) != len(lines):
        return new
    merged = [
        was if was.partition("  # ")[0] == line else f"{line}  # {origin}"
        for was, line in zip(before, lines, strict=True)
    ]
    return "\n".join(merged) + "\n"
