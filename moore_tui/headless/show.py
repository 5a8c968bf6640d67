"""`status`, `list`, `--version`, and what `moore-console` says where there is no terminal to draw on."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from moore_engine.rundir import EXIT_DONE
from moore_tui.headless import find
from moore_tui.headless.diagnostics import PROGRAM, Failure, nearest, say
from moore_tui.headless.output import answer, answer_json, duration, number, paint, pairs, plain, rate, table
from moore_tui.runs.model import Snapshot, snapshot
from moore_tui.runs.status import STATES

COLOUR = {
    "live": "green", "starting": "blue", "paused": "yellow", "stalled": "yellow", "restarting": "yellow",
    "done": "", "interrupted": "grey", "crashed": "red", "lost": "red",
}  # fmt: skip
HEADER = ("NAME", "STATE", "STAGE", "EPOCH", "RETURN", "SCORE", "SPEED", "ETA", "SEEN", "NOTE")
RIGHT = ("EPOCH", "RETURN", "SCORE", "SPEED", "ETA", "SEEN")


def status(name: str, runs_dir: str | None, *, as_json: bool) -> int:
    """Everything known of one run."""
    shot = snapshot(find.run(name, runs_dir))
    log = shot.last_log_lines(10) if shot.state in ("crashed", "restarting", "lost") else []
    if as_json:
        answer_json({**shot.as_dict(), "log": log})
        return EXIT_DONE
    answer(pairs([(key, value) for key, value in details(shot, log) if value]))
    return EXIT_DONE


def details(shot: Snapshot, log: Sequence[str] = ()) -> list[tuple[str, str]]:
    """What `status` prints, as names and texts; an empty text has nothing to say."""
    now = time.time()
    state = paint(shot.state, COLOUR[shot.state], sys.stdout)
    epochs = f" of {shot.epochs}" if shot.epochs else ""
    stage = f"{shot.stage}, epoch {epoch(shot)}{epochs}" if shot.stage else ""
    if stage and shot.progress is not None:
        stage += f" ({shot.progress:.0%} of the run)"
    evaluation = ""
    if shot.return_mean is not None:
        score = f", score {number(shot.score)}" if shot.score is not None else ""
        evaluation = f"return {number(shot.return_mean)}{score} ({shot.eval_stage} epoch {shot.eval_epoch})"
    saved = shot.path / "checkpoints" / shot.checkpoint if shot.checkpoint else None
    where = f"pid {shot.pid} on {shot.host}" if shot.pid else ""
    tries = f"attempt {shot.attempt}" + (f", {shot.restarts} restarts" if shot.restarts else "") if shot.attempt else ""
    kept = "" if shot.kept or not shot.running else "no keeper: nobody restarts it"
    return [
        ("run", shot.id),
        ("state", f"{state}  {plain(shot.detail)}".rstrip()),
        ("task", ", ".join(part for part in (shot.task, shot.algo, f"seed {shot.seed}") if part)),
        ("data", shot.dataset or ""),
        ("stage", stage),
        ("position", f"update {shot.update}, environment step {shot.env_step}" if shot.update is not None else ""),
        ("doing", plain(shot.doing)),
        ("evaluation", evaluation),
        ("speed", speed(shot, both=True) if shot.running else ""),
        ("time left", duration(shot.eta_s) if shot.eta_s is not None else ""),
        ("memory", f"{shot.rss_mb:.0f} MB" if shot.rss_mb and shot.running else ""),
        ("checkpoint", f"{saved.name}, {age(saved, now)} old" if saved else "none yet"),
        ("requests", ", ".join(shot.pending) + " (not answered yet)" if shot.pending else ""),
        ("process", ", ".join(part for part in (where, tries, kept) if part)),
        ("seen", f"{duration(now - shot.seen)} ago" if shot.seen else ""),
        ("directory", str(shot.path)),
        ("error", plain(shot.error)),
        ("log", "\n".join(plain(line) for line in log)),
        ("remedy", remedy(shot)),
    ]


def remedy(shot: Snapshot) -> str:
    """What to do about a run that stands still."""
    return {
        "crashed": f"{PROGRAM} logs {shot.id} shows more; {PROGRAM} resume {shot.id} goes on from its last checkpoint",
        "interrupted": f"{PROGRAM} resume {shot.id} goes on",
        "paused": f"{PROGRAM} resume {shot.id} goes on",
        "stalled": f"{PROGRAM} kill {shot.id}, then resume {shot.id}, if it stays silent",
    }.get(shot.state, "")


def speed(shot: Snapshot, both: bool = False) -> str:
    """Environment steps a second online, updates a second offline; `both` gives updates beside the steps."""
    updates = rate(shot.updates_per_s, "update/s")
    if shot.stage != "online":
        return updates
    steps = rate(shot.env_steps_per_s, "step/s")
    return f"{steps}, {updates}" if both and shot.env_steps_per_s is not None else steps


def epoch(shot: Snapshot) -> int:
    """The epoch a run is in; at the end of a stage, that stage's last."""
    return min(shot.epoch or 0, shot.epochs or shot.epoch or 0)


def age(path: Path, now: float) -> str:
    """Time since a checkpoint was written."""
    try:
        return duration(now - path.stat().st_mtime)
    except OSError:
        return "-"


def listing(runs_dir: str | None, *, states: Sequence[str] = (), as_json: bool) -> int:
    """One line a run, the newest last; only those in `states` if any are given."""
    for state in states:
        if state not in STATES:
            close = nearest(state, STATES)
            raise Failure(
                f"there is no state {state!r}; {f'did you mean {close}?' if close else 'known: ' + ', '.join(STATES)}"
            )
    shots = [shot for shot in find.snapshots(runs_dir) if not states or shot.state in states]
    if as_json:
        for shot in shots:
            answer_json(shot.as_dict())
        return EXIT_DONE
    if not shots:
        say(f"no runs in {find.runs_dir(runs_dir)}; start one with {PROGRAM} run quickstart")
        return EXIT_DONE
    text = table(HEADER, [row(shot) for shot in shots], RIGHT)
    answer(text)
    return EXIT_DONE


def row(shot: Snapshot) -> tuple[str, ...]:
    """One line of the table; every cell but the last is one word, a dash for nothing."""
    now = time.time()
    figure = shot.env_steps_per_s if shot.stage == "online" else shot.updates_per_s
    return (
        shot.id,
        shot.state,
        shot.stage or "-",
        f"{epoch(shot)}/{shot.epochs or '?'}" if shot.epoch is not None else "-",
        number(shot.return_mean),
        number(shot.score),
        "-" if figure is None else rate(figure, "step/s" if shot.stage == "online" else "update/s").replace(" ", ""),
        duration(shot.eta_s),
        duration(now - shot.seen) if shot.seen else "-",
        plain(shot.detail),
    )


def version() -> int:
    """`moore-console 0.1.0`."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        answer(f"{PROGRAM} {version(PROGRAM)}")
    except PackageNotFoundError:
        answer(f"{PROGRAM} (not installed)")
    return EXIT_DONE


def console(runs_dir: str | None = None) -> int:
    """What `moore-console` alone prints where it cannot draw: the table and how to go on."""
    code = listing(runs_dir, as_json=False)
    say(f"{PROGRAM} --help lists the commands")
    return code
