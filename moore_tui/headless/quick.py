"""The console, the looking and the steering commands without the command line library, whose import costs 200 ms.

Only plain, complete lines are understood; anything else (help, an unknown option, a missing word) is left to
moore_tui.headless.commands, which says what is wrong. A test holds that both read a line alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Line(NamedTuple):
    """A command of this table: the names of its words and what its options begin with."""

    words: tuple[str, ...]
    options: dict[str, Any]
    call: Callable[..., int]


HZ, SPEED = (0.1, 30.0), (0.01, 100_000.0)
"""Least and most of a console's looks a second, and of a replay's speed."""


def within(text: str, limits: tuple[float, float]) -> float:
    """A number within limits; ValueError for anything else."""
    value = float(text)
    if not limits[0] <= value <= limits[1]:
        raise ValueError(text)
    return value


SPELLING: dict[str, tuple[str, Callable[[str], Any] | None]] = {
    "--json": ("as_json", None),
    "--wait": ("wait", None),
    "-w": ("wait", None),
    "--follow": ("follow", None),
    "-f": ("follow", None),
    "--runs-dir": ("runs_dir", str),
    "--timeout": ("timeout", float),
    "--lines": ("lines", int),
    "-n": ("lines", int),
    "--attempt": ("attempt", int),
    "--hz": ("hz", lambda text: within(text, HZ)),
    "--speed": ("speed", lambda text: within(text, SPEED)),
    "--slow-link": ("slow_link", None),
    "--no-mouse": ("no_mouse", None),
    "--ascii": ("ascii", None),
    "--readonly": ("readonly", None),
}
"""Each option's name in the call, and how its value is read; None for a flag."""


def read(arguments: Sequence[str]) -> tuple[Callable[..., int], dict[str, Any]] | None:
    """The call that a command line means and its values, or None if it is not one of the simple ones."""
    rest = list(arguments)
    line = TABLE.get(rest[0]) if rest else CONSOLE
    if line is None:
        line = CONSOLE if rest[0].startswith("--") else None
    elif rest:
        del rest[0]
    if line is None:
        return None
    words, values = [], dict(line.options)
    while rest:
        word = rest.pop(0)
        if not word.startswith("-"):
            words.append(word)
            continue
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        name, reader = SPELLING.get(option, ("", None))
        if name not in values:
            return None
        if reader is None:
            if equals:
                return None
            values[name] = True
            continue
        if not equals:
            if not rest:
                return None
            value = rest.pop(0)
        try:
            values[name] = reader(value)
        except ValueError:
            return None
        if value.startswith("-") or (isinstance(values[name], float) and not values[name] >= 0) or values[name] == "":
            return None
    if len(words) != len(line.words) or values.get("attempt") == 0:
        return None
    return line.call, {**dict(zip(line.words, words, strict=True)), **values}


def version() -> int:
    from moore_tui.headless import show

    return show.version()


def console(**values: Any) -> int:
    from moore_tui import opening

    return opening.console(**values)


def attach(**values: Any) -> int:
    from moore_tui import opening

    return opening.attach(**values)


def replay(**values: Any) -> int:
    from moore_tui import opening

    return opening.replay(**values)


def listing(runs_dir: str | None, as_json: bool, states: Sequence[str] = ()) -> int:
    from moore_tui.headless import show

    return show.listing(runs_dir, states=states, as_json=as_json)


def status(run: str, runs_dir: str | None, as_json: bool) -> int:
    from moore_tui.headless import show

    return show.status(run, runs_dir, as_json=as_json)


def logs(run: str, runs_dir: str | None, **values: Any) -> int:
    from moore_tui.headless import records

    return records.logs(run, runs_dir, **values)


def kill(run: str, runs_dir: str | None, as_json: bool) -> int:
    from moore_tui.headless import verbs

    return verbs.kill(run, runs_dir, as_json=as_json)


def wait(run: str, runs_dir: str | None, timeout: float | None, as_json: bool) -> int:
    from moore_tui.headless import verbs

    return verbs.wait(run, runs_dir, timeout=timeout, as_json=as_json)


def change(run: str, setting: str, runs_dir: str | None, **values: Any) -> int:
    from moore_tui.headless import verbs

    return verbs.change(run, runs_dir, setting, **values)


def ask(verb: str) -> Callable[..., int]:
    """The call that posts one request."""

    def call(run: str, runs_dir: str | None, **values: Any) -> int:
        from moore_tui.headless import verbs

        return verbs.request(run, runs_dir, verb, **values)

    return call


WHERE = {"runs_dir": None, "as_json": False}
ASKING = {**WHERE, "wait": False, "timeout": None}

VIEW = {
    "runs_dir": None, "hz": 4.0, "slow_link": False, "no_mouse": False, "ascii": False, "readonly": False,
}  # fmt: skip
"""How the console looks and what it may do, unless told."""

CONSOLE = Line((), VIEW, console)
"""What a line without a command means."""

TABLE = {
    "attach": Line(("run",), VIEW, attach),
    "replay": Line(("run",), {**VIEW, "speed": 60.0}, replay),
    "--version": Line((), {}, version),
    "list": Line((), WHERE, listing),
    "status": Line(("run",), WHERE, status),
    "logs": Line(("run",), {**WHERE, "follow": False, "lines": 100, "attempt": None}, logs),
    "pause": Line(("run",), ASKING, ask("pause")),
    "checkpoint": Line(("run",), ASKING, ask("checkpoint")),
    "stop": Line(("run",), ASKING, ask("stop")),
    "set": Line(("run", "setting"), ASKING, change),
    "kill": Line(("run",), WHERE, kill),
    "wait": Line(("run",), {**WHERE, "timeout": None}, wait),
}
