"""What can be typed after `:` and found in the palette: one table of commands, each by its name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple

from moore_tui.steering import split

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole

Words = Callable[["MooreConsole"], Iterable[str]]


def nothing(console: MooreConsole) -> Iterable[str]:
    """No word can be proposed."""
    return ()


class Command(NamedTuple):
    """`do` gets what stands after the name; `takes` is how that is written, in brackets if it may be missing.

    `key` is the id of the binding that does the same; `words` proposes what may follow.
    """

    name: str
    about: str
    do: Callable[[MooreConsole, str], Awaitable[None] | None]
    takes: str = ""
    key: str = ""
    words: Words = nothing


class Wrong(Exception):
    """A command line that cannot be done; the message is one sentence."""


def runs(console: MooreConsole) -> Iterable[str]:
    return console.feed.snapshots


def themes(console: MooreConsole) -> Iterable[str]:
    return console.available_themes


def settings(console: MooreConsole) -> Iterable[str]:
    from moore_engine.config import LIVE_KEYS

    return [f"{key}=" for key in sorted(LIVE_KEYS)]


def steer(verb: str) -> Callable[[MooreConsole, str], Awaitable[None]]:
    """The same as the key of this verb."""

    def do(console: MooreConsole, rest: str) -> Awaitable[None]:
        return console.steering.steer(verb)

    return do


def _set(console: MooreConsole, rest: str) -> Awaitable[None] | None:
    if not rest:
        return console.steering.steer("set")
    ids = [shot.id for shot in console.steering.targets]
    if wrong := console.steering.wrong_setting(ids, rest):
        raise Wrong(wrong)
    console.actions.set(_some(ids), *split(rest))
    return None


def _extend(console: MooreConsole, rest: str) -> Awaitable[None] | None:
    if not rest:
        return console.steering.steer("extend")
    if not rest.isdecimal():
        raise Wrong(f"extend takes the new number of online epochs, not {rest!r}")
    console.actions.extend(_some([shot.id for shot in console.steering.targets])[0], int(rest))
    return None


def _tag(console: MooreConsole, rest: str) -> Awaitable[None] | None:
    if not rest:
        return console.steering.tag()
    console.actions.tag(_some([shot.id for shot in console.steering.targets]), rest.split())
    return None


def _note(console: MooreConsole, rest: str) -> Awaitable[None] | None:
    if not rest:
        return console.steering.note()
    console.actions.note(_some([shot.id for shot in console.steering.targets])[0], rest)
    return None


def _theme(console: MooreConsole, rest: str) -> None:
    if not rest:
        return console.action_change_theme()
    if rest not in console.available_themes:
        raise Wrong(f"there is no theme {rest!r}{_nearest(rest, themes(console))}")
    console.theme = rest


def _run(console: MooreConsole, rest: str) -> None:
    found = [each for each in console.feed.snapshots if each.startswith(rest)] if rest else []
    if rest not in console.feed.snapshots and len(found) != 1:
        raise Wrong(f"there is no run {rest!r}{_nearest(rest, runs(console))}" if not found else
                    f"{rest!r} begins the names of {len(found)} runs")  # fmt: skip
    console.select(rest if rest in console.feed.snapshots else found[0])


def _filter(console: MooreConsole, rest: str) -> None:
    use = getattr(console.framed, "use_filter", None)
    if use is None:
        raise Wrong("there is no list of runs on this screen")
    use(rest)


def _speed(console: MooreConsole, rest: str) -> None:
    try:
        speed = float(rest.removesuffix("x"))
    except ValueError:
        raise Wrong(f"speed takes how many times faster than it happened, such as 60, not {rest!r}") from None
    console.player.hurry(speed)


def _seek(console: MooreConsole, rest: str) -> None:
    try:
        share = float(rest.removesuffix("%")) / 100.0
    except ValueError:
        raise Wrong(f"seek takes a place in percent, such as 50, not {rest!r}") from None
    console.player.seek(share)


COMMANDS = (
    Command("pause", "Pause", steer("pause"), key="control.pause"),
    Command("resume", "Resume an interrupted run, adopt one without a keeper", steer("resume"), key="control.resume"),
    Command("checkpoint", "Save a checkpoint now", steer("checkpoint"), key="control.checkpoint"),
    Command("stop", "Save a checkpoint and end", steer("stop"), key="control.stop"),
    Command("kill", "Kill, without a checkpoint", steer("kill"), key="control.kill"),
    Command("delete", "Delete for good", steer("delete"), key="control.delete"),
    Command("set", "Set a value while the run goes on", _set, "[KEY=VALUE]", "control.set", settings),
    Command("branch", "Branch off a checkpoint", steer("branch"), key="control.branch"),
    Command("extend", "Give the run more online epochs", _extend, "[EPOCHS]", "control.extend"),
    Command("tag", "Give the run tags", _tag, "[WORDS]", "runs.tag"),
    Command("note", "Write a note on the run", _note, "[TEXT]", "runs.note"),
    Command("new", "New run", lambda console, rest: console.action_new_run(), key="runs.new"),
    Command("duplicate", "Duplicate the run and edit the copy", lambda console, rest: console.action_duplicate(),
            key="runs.duplicate"),
    Command("compare", "Compare the marked runs", lambda console, rest: console.action_compare(), key="runs.compare"),
    Command("logs", "Logs of the run on the whole screen", lambda console, rest: console.action_logs(),
            key="runs.logs"),
    Command("run", "Go to a run", _run, "NAME", words=runs),
    Command("filter", "List only some runs, such as stage:online ret>2000", _filter, "[TERMS]", "anywhere.filter"),
    Command("theme", "Choose the colours", _theme, "[NAME]", words=themes),
    Command("seek", "Go to a place of a replay", _seek, "PERCENT"),
    Command("speed", "Replay so many times faster than it happened", _speed, "TIMES"),
    Command("help", "Help on the pane", lambda console, rest: console.action_help(), key="anywhere.help"),
    Command("quit", "Leave; the runs go on", lambda console, rest: console.action_leave(), key="anywhere.leave"),
)  # fmt: skip
BY_NAME = {command.name: command for command in COMMANDS}
SHORT = {"q": "quit", "quit!": "quit", "exit": "quit", "h": "help", "r": "run", "ckpt": "checkpoint"}


def execute(console: MooreConsole, line: str) -> Awaitable[None] | None:
    """Do what the line says; an awaitable if there is more to ask. Raises Wrong."""
    name, _, rest = line.strip().removeprefix(":").partition(" ")
    name = SHORT.get(name, name)
    fitting = [each for each in BY_NAME if each.startswith(name)]
    if name not in BY_NAME and len(fitting) != 1:
        raise Wrong(f"there is no command {name!r}{_nearest(name, BY_NAME)}")
    command, rest = BY_NAME[name if name in BY_NAME else fitting[0]], rest.strip()
    if rest and not command.takes:
        raise Wrong(f":{command.name} stands alone, without {rest!r}")
    if not rest and command.takes and not command.takes.startswith("["):
        raise Wrong(f"write :{command.name} {command.takes}")
    return command.do(console, rest)


def complete(console: MooreConsole, line: str) -> str | None:
    """The whole line that a beginning may become."""
    name, space, rest = line.partition(" ")
    if not space:
        found = next((each for each in BY_NAME if name and each.startswith(name)), None)
        return found
    command = BY_NAME.get(SHORT.get(name, name))
    words = command.words(console) if command and rest else ()
    word = next((each for each in words if each.startswith(rest)), None)
    return None if word is None else f"{name} {word}"


def shown(command: Command) -> str:
    """The command as it is typed."""
    return f":{command.name} {command.takes}".rstrip()


def _some(ids: list[str]) -> list[str]:
    if not ids:
        raise Wrong("no run is under the cursor")
    return ids


def _nearest(name: str, known: Iterable[str]) -> str:
    found = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {found[0]}?" if found else ""
