"""The only place where the console does something to runs: each action in a thread, told pending, then as it ended."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from moore_engine.rundir import RunDir, RunDirError
from moore_tui.launchers import Launcher
from moore_tui.messages import Action, ActionChanged
from moore_tui.runs import control, store
from moore_tui.runs.errors import ConsoleError, LostContact, RunNotFound

if TYPE_CHECKING:
    from textual.app import App

    from moore_tui.runs.launch import Wish

Tell = Callable[[str], None]


class Began(NamedTuple):
    """Runs that there were not before."""

    ids: tuple[str, ...]


Doing = Callable[[RunDir, Tell], "str | Began"]
"""Does it, in a thread, and returns what became of the run, without its name, or others; raises ConsoleError."""

GOING = {
    "pause": "pausing", "resume": "resuming", "checkpoint": "saving a checkpoint of", "stop": "stopping",
    "set": "setting", "kill": "killing", "delete": "deleting", "tag": "tagging", "note": "writing a note on",
    "launch": "launching", "adopt": "adopting", "extend": "extending",
}  # fmt: skip
PAST = {
    "pause": "paused", "resume": "goes on", "checkpoint": "saved", "stop": "stopped",
}  # fmt: skip
RESUMED = {
    "resumed": "goes on", "launched": "started again", "adopted": "has a keeper again", "done": "is done already",
}  # fmt: skip
WHOLE = ("launch", "resume", "adopt", "extend", "delete")
READ_ONLY = "this console is read-only"


class Actions:
    """Every method returns at once; what becomes of it comes as ActionChanged messages to the app, for each run.

    `after` is called, in the thread, once something was done. A launcher other than the command line's is for tests.
    """

    def __init__(
        self,
        app: App[Any],
        runs_dir: Path,
        *,
        readonly: bool = False,
        launcher: Launcher | None = None,
        after: Callable[[], None] = lambda: None,
        timeout: float = control.TIMEOUT_S,
    ) -> None:
        self._app, self._runs_dir, self._launcher, self._after = app, runs_dir, launcher, after
        self._timeout = timeout
        self.readonly = readonly
        self.recent: deque[Action] = deque(maxlen=200)
        self._numbers, self._batches = itertools.count(1), itertools.count(1)
        self._threads: list[threading.Thread] = []

    def request(self, ids: Sequence[str], verb: str, **args: Any) -> None:
        """Ask the trainers for `verb`: pause, resume, checkpoint, stop or set."""

        def ask(run: RunDir, tell: Tell) -> str:
            answer = control.request(run, verb, timeout=self._timeout, **args)
            done = f"{args['key']} = {args['value']}" if verb == "set" else PAST[verb]
            return f"{done}{took_effect(answer)}"

        self._each(ids, verb, ask)

    def set(self, ids: Sequence[str], key: str, value: str) -> None:
        """Change a live key."""
        self.request(ids, "set", key=key, value=value)

    def kill(self, ids: Sequence[str]) -> None:
        """SIGKILL; what is not in a checkpoint is lost."""
        self._each(ids, "kill", lambda run, tell: "killed" if control.kill(run) else "did not run")

    def resume(self, ids: Sequence[str], sets: Mapping[str, str] | None = None, verb: str = "resume") -> None:
        """Let paused runs go on, launch those that have ended, adopt those without a keeper."""

        def go_on(run: RunDir, tell: Tell) -> str:
            return RESUMED[control.resume(run, self._starter(), sets=sets, timeout=self._timeout)]

        self._each(ids, verb, go_on)

    def adopt(self, ids: Sequence[str]) -> None:
        """Give running runs without a keeper one."""
        self.resume(ids, verb="adopt")

    def extend(self, run_id: str, epochs: int) -> None:
        """Make `epochs` the number of online epochs; a run that has ended goes on with them."""
        sets = {"online.epochs": str(epochs)}

        def more(run: RunDir, tell: Tell) -> str:
            if control.judge(run).state in ("live", "paused", "stalled", "starting"):
                answer = control.request(run, "set", timeout=self._timeout, key="online.epochs", value=str(epochs))
                return f"online.epochs = {epochs}{took_effect(answer)}"
            what = control.resume(run, self._starter(), sets=sets, timeout=self._timeout)
            return f"{RESUMED[what]}, to {epochs} online epochs"

        self._each([run_id], "extend", more)

    def delete(self, ids: Sequence[str]) -> None:
        """Remove runs for good."""

        def remove(run: RunDir, tell: Tell) -> str:
            store.delete(run)
            return "deleted"

        self._each(ids, "delete", remove)

    def tag(self, ids: Sequence[str], tags: Sequence[str]) -> None:
        """Give the runs these tags in place of those they have."""

        def write(run: RunDir, tell: Tell) -> str:
            from moore_tui.runs import notes

            kept = notes.tag(_existing(run), tags).tags
            return f"tagged {' '.join(kept)}" if kept else "has no tags now"

        self._each(ids, "tag", write)

    def note(self, run_id: str, text: str) -> None:
        """Give the run this note in place of the one it has."""

        def write(run: RunDir, tell: Tell) -> str:
            from moore_tui.runs import notes

            return "note kept" if notes.say(_existing(run), text).note else "note taken away"

        self._each([run_id], "note", write)

    def launch(self, wish: Wish) -> None:
        """Check, make and start what was wished for; takes seconds and tells how it goes."""

        from moore_tui.runs import launch

        def begin(run: RunDir, tell: Tell) -> Began:
            return Began(tuple(each.id for each in launch.launch(wish, self._runs_dir, tell)))

        self._each([str(wish.flags.get("name") or launch.stem(wish))], "launch", begin)

    def _each(self, ids: Sequence[str], verb: str, doing: Doing) -> None:
        batch = next(self._batches)
        for run_id in ids:
            going = f"{GOING[verb]} {run_id} ..."
            action = Action(next(self._numbers), run_id, verb, "pending", going, time.time(), batch)
            self._tell(action)
            if self.readonly:
                self._tell(replace(action, state="refused", text=f"cannot {verb} {run_id}: {READ_ONLY}"))
                continue
            thread = threading.Thread(target=self._do, args=(action, doing), name=f"{verb} {run_id}", daemon=True)
            self._threads = [each for each in self._threads if each.is_alive()] + [thread]
            thread.start()

    def finish(self, timeout: float) -> None:
        """Wait for what should not be left half done when the console ends; an unanswered request is no such thing."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            if thread.name.partition(" ")[0] in WHOLE:
                thread.join(max(0.0, deadline - time.monotonic()))

    def _do(self, action: Action, doing: Doing) -> None:
        """In a thread of its own: whatever happens, the action comes to an end that is told."""

        def tell(text: str) -> None:
            self._tell(replace(action, text=f"{action.run_id}: {text}", t=time.time()))

        try:
            came = doing(RunDir(self._runs_dir / action.run_id), tell)
            if isinstance(came, Began):
                ended = replace(action, run_id=came.ids[0], made=came.ids, text=f"started {', '.join(came.ids)}")
            else:
                ended = replace(action, text=f"{action.run_id} {came}")
            ended = replace(ended, state="done")
        except LostContact as error:
            ended = replace(action, state="timeout", text=_sentence(error))
        except (ConsoleError, RunDirError, ValueError) as error:
            ended = replace(action, state="refused", text=_sentence(error))
        except Exception as error:
            ended = replace(action, state="refused", text=f"cannot {action.verb} {action.run_id}: {_sentence(error)}")
        self._after()
        self._tell(replace(ended, t=time.time()))

    def _tell(self, action: Action) -> None:
        self.recent.append(action)
        with suppress(RuntimeError):  # the application has ended
            self._app.post_message(ActionChanged(action))

    def _starter(self) -> Launcher:
        if self._launcher is None:
            from moore_tui.runs.launch import launcher

            self._launcher = launcher(())
        return self._launcher


def took_effect(answer: control.Answer | None) -> str:
    """Where an acknowledged request took effect: ` @ 12 340`, the update, and which checkpoint it wrote."""
    if answer is None:
        return ""
    where = "" if answer.update is None else f" @ {answer.update:,}".replace(",", " ")
    return where + (f" ({answer.path})" if answer.path else "") + (f", {answer.why}" if answer.why else "")


def _existing(run: RunDir) -> RunDir:
    if not run.exists():
        raise RunNotFound(f"the run {run.id} is gone")
    return run


def _sentence(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'a file'}: {error.strerror}"
    return " ".join(str(error).split()) or type(error).__name__
