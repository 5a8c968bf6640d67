"""The only place where the console does something to runs: each action in a thread, told pending, then as it ended."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from moore_engine.rundir import RunDir
from moore_tui.launchers import Launcher
from moore_tui.messages import Action, ActionChanged
from moore_tui.runs import control, store
from moore_tui.runs.errors import ConsoleError, LostContact

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole

Doing = Callable[[RunDir], str]
"""Does it, in a thread, and says where it took effect; raises ConsoleError."""


class Actions:
    """Every method returns at once; what becomes of it is told by ActionChanged messages, one run at a time."""

    def __init__(
        self, app: MooreConsole, runs_dir: Path, *, launcher: Launcher | None = None, readonly: bool = False
    ) -> None:
        self._app, self._runs_dir, self._launcher = app, runs_dir, launcher
        self.readonly = readonly
        self.recent: deque[Action] = deque(maxlen=50)
        self._numbers = itertools.count(1)

    def request(self, ids: Sequence[str], verb: str, **args: Any) -> None:
        """Ask the trainers for `verb`: pause, resume, checkpoint, stop, set."""
        self._each(ids, verb, lambda run: _took_effect(control.request(run, verb, **args)))

    def kill(self, ids: Sequence[str]) -> None:
        """SIGKILL; what is not in a checkpoint is lost."""
        self._each(ids, "kill", lambda run: "killed" if control.kill(run) else "did not run")

    def resume(self, ids: Sequence[str], sets: Mapping[str, str] | None = None) -> None:
        """Let paused runs go on, launch interrupted ones, adopt those without a keeper."""
        launcher = self._starter()
        self._each(ids, "resume", lambda run: control.resume(run, launcher, sets=sets))

    def delete(self, ids: Sequence[str]) -> None:
        """Remove runs for good."""

        def remove(run: RunDir) -> str:
            store.delete(run)
            return "deleted"

        self._each(ids, "delete", remove)

    def adopt(self, ids: Sequence[str]) -> None:
        """Give runs without a keeper one."""
        self.resume(ids)

    def extend(self, run_id: str, epochs: int) -> None:
        """More online epochs for a run: `epochs` is the new total."""
        self.resume([run_id], {"online.epochs": str(epochs)})

    def set(self, ids: Sequence[str], key: str, value: str) -> None:
        """Change a live key."""
        self.request(ids, "set", key=key, value=value)

    def tag(self, ids: Sequence[str], tags: Sequence[str]) -> None:
        """Give runs these tags."""
        from moore_tui.runs import notes

        def write(run: RunDir) -> str:
            raise ConsoleError(str(notes))

        self._each(ids, "tag", write)

    def note(self, run_id: str, text: str) -> None:
        """Write a note about a run."""
        self.tag([run_id], [text])

    def launch(self, wish: Any) -> None:
        """Make and start a new run, off another one's checkpoint if the wish says so."""

    def _each(self, ids: Sequence[str], verb: str, doing: Doing) -> None:
        for run_id in ids:
            number = next(self._numbers)
            if self.readonly:
                self._tell(number, run_id, verb, "refused", "this console is read-only")
                continue
            self._tell(number, run_id, verb, "pending", "")
            run = RunDir(self._runs_dir / run_id)
            self._app.run_worker(
                lambda run=run, number=number: self._do(number, run, verb, doing),  # type: ignore[misc]
                thread=True,
                exit_on_error=False,
                group="actions",
            )

    def _do(self, number: int, run: RunDir, verb: str, doing: Doing) -> None:
        try:
            self._tell(number, run.id, verb, "done", doing(run))
        except LostContact as error:
            self._tell(number, run.id, verb, "timeout", str(error))
        except (ConsoleError, OSError) as error:
            self._tell(number, run.id, verb, "refused", str(error))

    def _tell(
        self, number: int, run_id: str, verb: str, state: Literal["pending", "done", "refused", "timeout"], text: str
    ) -> None:
        action = Action(number, run_id, verb, state, text, time.time())
        self._app.post_message(ActionChanged(action))

    def _starter(self) -> Launcher:
        if self._launcher is None:
            from moore_tui.runs.launch import launcher

            self._launcher = launcher(())
        return self._launcher


def _took_effect(answer: control.Answer | None) -> str:
    """Where in the run an acknowledged request took effect."""
    return "" if answer is None or answer.update is None else f"@ {answer.update:,}".replace(",", " ")
