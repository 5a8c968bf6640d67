"""Steering from the keyboard: which runs are meant, whether it makes sense now, what is asked first, then the act."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from moore_engine.rundir import RunDir
from moore_tui.actions import READ_ONLY
from moore_tui.runs import algorithms
from moore_tui.runs.model import Snapshot
from moore_tui.runs.status import RUNNING
from moore_tui.widgets.states import unkept

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole

IN_TOUCH = ("live", "paused", "stalled", "starting")
"""States in which there is a trainer to ask."""

VALID: dict[str, Callable[[Snapshot], bool]] = {
    "pause": lambda shot: shot.state in IN_TOUCH,
    "checkpoint": lambda shot: shot.state in IN_TOUCH,
    "resume": lambda shot: shot.state in ("paused", "interrupted", "crashed") or unkept(shot),
    "stop": lambda shot: shot.state in RUNNING,
    "kill": lambda shot: shot.state in RUNNING,
    "delete": lambda shot: shot.state not in RUNNING and shot.state != "lost",
    "set": lambda shot: shot.state in IN_TOUCH,
    "branch": lambda shot: shot.checkpoint is not None,
    "extend": lambda shot: shot.state != "lost" and "online" in algorithms.stages(shot.algo),
}
"""Verbs, and whether one makes sense for a run now."""

ASKED = ("pause", "checkpoint", "resume", "stop")
"""Verbs that ask once when several runs are meant; kill and delete always ask for the name."""


NO_RUN = "no run is under the cursor"


class Steering:
    """What the keys of the context `control` do."""

    def __init__(self, console: MooreConsole) -> None:
        self._console = console

    @property
    def targets(self) -> list[Snapshot]:
        """The marked runs, else the one under the cursor."""
        console = self._console
        ids = sorted(console.marked) or ([console.selected] if console.selected else [])
        return [shot for each in ids if (shot := console.feed.snapshots.get(each))]

    def can(self, verb: str) -> bool:
        """Whether the verb makes sense for any of the runs that are meant."""
        if self._console.actions.readonly:
            return False
        return any(VALID[verb](shot) for shot in self.targets)

    async def steer(self, verb: str) -> None:
        """Ask what has to be asked, then do it; what cannot be is told with its reason."""
        console, meant = self._console, self.targets
        fit = [shot for shot in meant if VALID[verb](shot)]
        if console.actions.readonly:
            console.answer(f"cannot {verb}: {READ_ONLY}", "refused")
        elif not meant:
            console.answer(f"{NO_RUN}, so there is none to {verb}", "refused")
        elif not fit:
            console.answer(why_not(verb, meant), "refused")
        else:
            ids = [shot.id for shot in fit]
            if await self._sure(verb, fit, len(meant)):
                await getattr(self, f"_{verb}", self._ask_trainers)(verb, ids)

    async def _sure(self, verb: str, fit: Sequence[Snapshot], meant: int) -> bool:
        """One question for all the runs; a single one is asked about only if it cannot be undone."""
        from moore_tui.screens.dialogs import Confirm, ConfirmName

        many = len(fit) > 1
        which = f"{len(fit)} runs" if many else fit[0].id
        text = "\n".join(f"{shot.id}  {shot.state}" for shot in fit)
        if len(fit) < meant:
            text += f"\n{meant - len(fit)} other marked run{'s' if meant - len(fit) > 1 else ''}: not possible now"
        if verb in ("kill", "delete"):
            risk = {
                "kill": "What is not in a checkpoint is lost; r goes on from the last one.",
                "delete": "The directory goes for good, with its checkpoints.",
            }[verb]
            title = f"{verb.capitalize()} {which}?"
            return await self._console.push_screen_wait(ConfirmName(title, f"{risk}\n{text}", which))
        if many and verb in ASKED:
            return await self._console.push_screen_wait(Confirm(f"{verb.capitalize()} {which}?", text))
        return True

    async def _ask_trainers(self, verb: str, ids: Sequence[str]) -> None:
        self._console.actions.request(ids, verb)

    async def _pause(self, verb: str, ids: Sequence[str]) -> None:
        """Pause; runs that are all paused already go on."""
        shots = [self._console.feed.snapshots[each] for each in ids]
        paused = [shot.id for shot in shots if shot.state == "paused"]
        if len(paused) == len(ids):
            self._console.actions.resume(paused)
        else:
            self._console.actions.request([each for each in ids if each not in paused], "pause")

    async def _resume(self, verb: str, ids: Sequence[str]) -> None:
        self._console.actions.resume(ids)

    async def _kill(self, verb: str, ids: Sequence[str]) -> None:
        self._console.actions.kill(ids)

    async def _delete(self, verb: str, ids: Sequence[str]) -> None:
        self._console.actions.delete(ids)

    async def _set(self, verb: str, ids: Sequence[str]) -> None:
        from moore_engine.config import LIVE_KEYS
        from moore_tui.screens.dialogs import Ask

        label = f"KEY=VALUE; live are {', '.join(sorted(LIVE_KEYS))}"
        title = f"Set a value of {ids[0] if len(ids) == 1 else f'{len(ids)} runs'}"
        text = await self._console.push_screen_wait(
            Ask(title, label, "online.alpha=", lambda typed: self.wrong_setting(ids, typed))
        )
        if text:
            self._console.actions.set(ids, *split(text))

    async def _branch(self, verb: str, ids: Sequence[str]) -> None:
        from moore_tui.screens.dialogs import Choose

        run = RunDir(self._console.feed.runs_dir / ids[0])
        names = saved(run)
        where = await self._console.push_screen_wait(Choose(f"Branch off which state of {run.id}?", names))
        if where:
            from moore_tui.runs import draft

            self._console.open_launch(draft.branch(run, where))

    async def _extend(self, verb: str, ids: Sequence[str]) -> None:
        from moore_tui.screens.dialogs import Ask

        planned = self._console.feed.plan(ids[0]).online_epochs or 0

        def wrong(typed: str) -> str | None:
            return None if typed.strip().isdecimal() and int(typed) > planned else f"a number above {planned}"

        title = f"How many online epochs shall {ids[0]} have?"
        text = await self._console.push_screen_wait(Ask(title, f"It has {planned} now.", "", wrong))
        if text:
            self._console.actions.extend(ids[0], int(text))

    async def tag(self) -> None:
        """Ask for the tags of the marked runs, or of the one under the cursor."""
        from moore_tui.screens.dialogs import Ask

        console, ids = self._console, [shot.id for shot in self.targets]
        if not ids:
            return console.answer(NO_RUN, "refused")
        known = " ".join(console.feed.note(ids[0]).tags)
        title = f"Tags of {ids[0] if len(ids) == 1 else f'{len(ids)} runs'}"
        text = await console.push_screen_wait(Ask(title, "Words with blanks between; none takes them away.", known))
        if text is not None:
            console.actions.tag(ids, text.split())

    async def note(self) -> None:
        """Ask for the note on the run under the cursor."""
        from moore_tui.screens.dialogs import Ask

        console, run_id = self._console, self._console.selected
        if not run_id:
            return console.answer(NO_RUN, "refused")
        text = await console.push_screen_wait(Ask(f"Note on {run_id}", "One line.", console.feed.note(run_id).note))
        if text is not None:
            console.actions.note(run_id, text)

    def duplicate(self) -> None:
        """A copy of the run under the cursor, to be edited before it starts."""
        console = self._console
        if not console.selected:
            return console.answer(NO_RUN, "refused")
        from moore_tui.runs import draft

        console.open_launch(draft.copy(RunDir(console.feed.runs_dir / console.selected)))

    def wrong_setting(self, ids: Sequence[str], typed: str) -> str | None:
        """What is wrong with KEY=VALUE as a live setting of these runs; None if nothing is."""
        from moore_engine import config as configs

        try:
            key, value = split(typed)
            for each in ids:
                run = RunDir(self._console.feed.runs_dir / each)
                configs.set_value(configs.load(run.config), key, value, live=True)
        except (configs.ConfigError, ValueError, OSError) as error:
            return str(error)
        return None


def why_not(verb: str, meant: Sequence[Snapshot]) -> str:
    """Why a verb makes no sense for the runs that are meant."""
    if len(meant) > 1:
        return f"none of the {len(meant)} marked runs can be asked to {verb} now"
    shot = meant[0]
    if verb == "branch":
        return f"cannot branch off {shot.id}: it has no checkpoint yet"
    if verb == "extend" and "online" not in algorithms.stages(shot.algo):
        return f"cannot extend {shot.id}: it has no online stage"
    hint = {"delete": "; stop it first (x)", "resume": "; e sets a value, E extends"}.get(verb, "")
    hint = "; r resumes it" if verb in ("pause", "stop") and shot.state in ("interrupted", "crashed") else hint
    return f"cannot {verb} {shot.id}: it is {shot.state}{hint}"


def split(setting: str) -> tuple[str, str]:
    """Key and value of KEY=VALUE; ValueError for anything else."""
    key, equals, value = (part.strip() for part in setting.partition("="))
    if not (key and equals and value):
        raise ValueError(f"write KEY=VALUE, such as online.alpha=0.5, not {setting!r}")
    return key, value


def saved(run: RunDir) -> list[str]:
    """Names of the states that a run can be branched off, the newest first, `switch` before all."""
    try:
        names = [path.name for path in run.checkpoints.iterdir() if not path.name.startswith((".", "tmp-"))]
    except OSError:
        names = []

    def step(name: str) -> tuple[bool, int]:
        number = name.removeprefix("ckpt-").partition(".")[0]
        return name == "switch", int(number) if number.isdecimal() else -1

    return sorted(names, key=step, reverse=True)
