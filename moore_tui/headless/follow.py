"""The foreground view of a run: narrates its events until it ends, and turns the terminal's signals into requests.

Ctrl-C and SIGTERM stop the run with a checkpoint, a second Ctrl-C within 5 s kills it, a hang-up leaves it running.
"""

from __future__ import annotations

import json
import os
import signal
import time
from types import FrameType, TracebackType
from typing import Any

from moore_engine.rundir import EXIT_CTRL_C, EXIT_DONE, RunDir
from moore_tui.headless.diagnostics import PROGRAM, say
from moore_tui.headless.output import answer, answer_json, duration, number, pairs, plain
from moore_tui.headless.progress import Live, Progress
from moore_tui.headless.show import epoch, speed
from moore_tui.headless.summary import Summary, collected, summarise
from moore_tui.headless.verbs import exit_code
from moore_tui.runs import algorithms, control, tail
from moore_tui.runs.errors import ConsoleError
from moore_tui.runs.model import RunModel, Snapshot
from moore_tui.runs.written import real

POLL_S = 0.15
MADE = {"data set": "path", "sha256": "sha256", "Minari": "minari"}
"""Lines about what a collection has written, and the fields of its last `data` event."""
QUIET_S = 60.0
"""Without a terminal: between two lines about a run that as yet makes no updates."""
AGAIN_S = 5.0
"""A second Ctrl-C within these seconds kills the run."""


class Signals:
    """Counts what the terminal asks for, while it is in force. A signal that the caller ignores (nohup) stays ignored.

    Before `armed` there is no run yet: Ctrl-C and SIGTERM end the command at once.
    """

    def __init__(self) -> None:
        self.armed = False
        self.interrupts: list[float] = []
        self.terminated = False
        self.hung_up = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            before = signal.getsignal(each)
            if before is not signal.SIG_IGN:
                self._before[each] = before
                signal.signal(each, self._on)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)

    def _on(self, which: int, frame: FrameType | None) -> None:
        if which == signal.SIGHUP:
            self.hung_up = True
        elif not self.armed:
            raise KeyboardInterrupt if which == signal.SIGINT else Terminated
        elif which == signal.SIGINT:
            self.interrupts.append(time.monotonic())
        else:
            self.terminated = True


class Terminated(Exception):
    """SIGTERM before there was a run."""


def leave_terminal() -> None:
    """Point both outputs at nothing: what is still to be flushed would fail on a terminal that has gone."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    for fd in (1, 2):
        os.dup2(nothing, fd)


def follow(run: RunDir, signals: Signals, *, as_json: bool) -> int:
    """Show a run until it ends; the exit code to leave with."""
    return _View(run, signals, as_json).watch()


class _View:
    def __init__(self, run: RunDir, signals: Signals, as_json: bool) -> None:
        self.run, self.signals, self.as_json = run, signals, as_json
        self.model, self.log, self.live = RunModel(run), tail.EventLog(run.events), Live()
        self._served = 0
        self._stopping = self._interrupted = False
        self._told = ""
        self._quiet_until = 0.0

    def watch(self) -> int:
        self._skip_old()
        while True:
            shot = self.model.snapshot()
            self._read(shot)
            if self.signals.hung_up:
                leave_terminal()
                return EXIT_DONE
            if not shot.running:
                break
            self._obey()
            self._tell(shot)
            time.sleep(POLL_S)
        self._read(shot)
        self.live.clear()
        return self._end(shot)

    def _skip_old(self) -> None:
        """A resumed run's earlier events are not told again (as JSON they are: one stream holds the whole run)."""
        batch = self.log.read_all()
        if self.as_json:
            self._print(batch)

    def _read(self, shot: Snapshot) -> None:
        while True:
            batch = self.log.poll()
            if self.as_json:
                self._print(batch.events)
            for event in batch.events:
                self._narrate(event, shot)
            if not batch.more:
                return

    def _print(self, events: list[dict[str, Any]]) -> None:
        if events:
            answer("\n".join(json.dumps(event, separators=(",", ":")) for event in events))

    def _obey(self) -> None:
        """Post what the signals ask for."""
        new = self.signals.interrupts[self._served :]
        for at in new:
            earlier = self.signals.interrupts[self._served - 1] if self._served else None
            self._served += 1
            self._interrupted = True
            if earlier is not None and at - earlier <= AGAIN_S:
                self._kill()
            else:
                self._stop("again within 5 s kills it")
        if self.signals.terminated and not self._stopping:
            self._stop("SIGTERM")

    def _stop(self, hint: str) -> None:
        self.live.above(f"stopping {self.run.id}, checkpoint ... ({hint})")
        if not self._stopping:
            self._stopping = True
            try:
                control.request(self.run, "stop", wait=False)
            except ConsoleError as error:
                say(str(error))

    def _kill(self) -> None:
        self.live.above(f"killing {self.run.id}")
        try:
            control.kill(self.run)
        except ConsoleError as error:
            say(str(error))

    def _tell(self, shot: Snapshot) -> None:
        """The progress line, and a line when the state changes to one that a person should know of."""
        if shot.state in ("restarting", "paused", "stalled") and self._told != shot.state:
            self.live.above(f"{shot.id} is {shot.state}{': ' + shot.detail if shot.detail else ''}")
        elif shot.state == "live" and self._told in ("restarting", "paused", "stalled"):
            self.live.above(f"{shot.id} goes on")
        self._told = shot.state if shot.state != "starting" else self._told
        online = shot.stage == "online" and bool(shot.env_steps_per_s)
        note = "stopping" if self._stopping else {"live": shot.detail}.get(shot.state, shot.state)
        self.live.show(
            Progress(
                stage=shot.stage or "",
                epoch=epoch(shot),
                epochs=shot.epochs or 0,
                done=shot.progress or 0.0,
                result=shot.return_mean,
                score=shot.score,
                speed=shot.env_steps_per_s if online else shot.updates_per_s,
                unit="step/s" if online else "update/s",
                eta_s=shot.eta_s,
                doing=plain(shot.doing),
                note=plain(note),
            )
        )

    def _narrate(self, event: dict[str, Any], shot: Snapshot) -> None:
        kind = event["k"]
        if kind == "run":
            came = f" from {event['resumed_from']}" if event.get("resumed_from") else ""
            work, data = event["algo"], algorithms.rows_of(event["algo"], event.get("rows", "?"), event["dataset"])
            if event.get("collects"):
                work, data = f"collecting {event['collects']}", f"into {event['dataset']}"
            self.live.above(
                f"attempt {event.get('att')}{came}: {work} on {event['task']}, seed {event['seed']}, {data}"
            )
        elif kind == "stage":
            was = summarise(self.log.events)
            told = f" ({was.unit} {number(was.offline)} so far)" if was.offline is not None else ""
            self.live.above(f"{event['from']} stage done{told}; {event['to']} stage begins")
        elif kind == "warn":
            self.live.above(f"warning: {plain(str(event['what']))}")
        elif kind == "ckpt" and self._stopping:
            self.live.above(f"saved {event['path']}")
        elif kind == "eval" and not self.live.on and not event.get("baseline"):
            self.live.above(evaluation(event, shot))
        elif kind == "perf" and not self.live.on and not event.get("updates_per_s"):
            self._meanwhile(event)

    def _meanwhile(self, event: dict[str, Any]) -> None:
        """What is being done meanwhile, now and then."""
        t = real(event.get("t")) or 0.0
        if t >= self._quiet_until:
            if self._quiet_until and event.get("doing"):
                self.live.above(f"{event.get('stage')} epoch {event.get('epoch')}: {plain(str(event['doing']))}")
            self._quiet_until = t + QUIET_S

    def _end(self, shot: Snapshot) -> int:
        code = exit_code(self.run, shot)
        summary = summarise(self.log.events)
        made = collected(self.log.events)
        if self.as_json:
            answer_json({"k": "summary", **report(self.run, shot, summary), **made, "exit": code})
        elif shot.state == "done":
            answer(pairs(collection(self.run, made) if made else lines(self.run, shot, summary)))
        if shot.state != "done":
            say(f"run {self.run.id} is {shot.state}{': ' + plain(shot.detail) if shot.detail else ''}")
            for line in shot.last_log_lines(10) if shot.state == "crashed" else []:
                say(f"  {plain(line)}")
            say(f"{PROGRAM} resume {self.run.id} goes on")
        return EXIT_CTRL_C if self._interrupted and shot.state != "done" else code


def evaluation(event: dict[str, Any], shot: Snapshot) -> str:
    """One plain line an evaluation, for logs."""
    epochs = f"/{shot.epochs}" if shot.epochs and shot.stage == event.get("stage") else ""
    score = f", score {number(event['score'])}" if event.get("score") is not None else ""
    paces = (speed(shot), f"ETA {duration(shot.eta_s)}" if shot.eta_s else "-")
    pace = ", ".join(each for each in paces if each != "-")
    text = f"{event.get('stage')} epoch {event.get('epoch')}{epochs}: return {number(event['return_mean'])}"
    return f"{text} +- {number(event['return_std'])}{score}{f' ({pace})' if pace else ''}"


def report(run: RunDir, shot: Snapshot, summary: Summary) -> dict[str, Any]:
    """What `run --json` ends with."""
    return {"run": run.id, "path": str(run.path), "state": shot.state, **summary.as_dict()}


def collection(run: RunDir, made: dict[str, Any]) -> list[tuple[str, str]]:
    """What a collecting run that is done has made."""
    spread = f"{number(made['return_mean'])} +- {number(made['return_std'])}"
    return [
        ("rows", f"{made['rows']}, {made['episodes']} episodes"),
        ("return", spread),
        *[(name, plain(str(made[key]))) for name, key in MADE.items() if key in made],
        ("directory", str(run.path)),
    ]


def lines(run: RunDir, shot: Snapshot, summary: Summary) -> list[tuple[str, str]]:
    """What a run that is done came to."""
    unit = summary.unit
    return [
        (f"offline {unit}", number(summary.offline)),
        (f"final {unit}", number(summary.final)),
        ("net dip", f"{number(summary.net_dip if summary.net_dip is not None else summary.dip)}"),
        ("directory", str(run.path)),
    ]
