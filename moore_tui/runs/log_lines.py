"""Lines of a run's log: what the trainer and the keeper wrote, and the events worth a line, each with its level."""

from __future__ import annotations

import re
import time
from typing import Any, NamedTuple

from moore_engine.rundir import EXIT_DONE, EXIT_STOPPED
from moore_tui.runs.status import signal_name
from moore_tui.runs.table import Event, number
from moore_tui.runs.tail import printable

INFO, WARN, ERROR = "info", "warn", "error"

KINDS = ("run", "stage", "eval", "data", "ckpt", "ack", "warn", "end")
"""Events that are told in the log."""

LONGEST = 2000
"""Characters of a line; the rest of a longer one is cut."""

_TRACEBACK = "Traceback (most recent call last)"
_ERROR = re.compile(
    r"\b(error|critical|fatal|segmentation fault|core dumped|out of memory|killed)\b|\b[A-Z]\w*(Error|Exception)\b",
    re.I,
)
_WARN = re.compile(r"\b(warn|warning)\b|\b[A-Z]\w*Warning\b", re.I)
_KEEPER = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) (.*)")
_ATTEMPT = re.compile(r"attempt (\d+)")
_AT = re.compile(r" at \{(.*)\}$")
_PLACE = re.compile(r"'stage': '(\w+)', 'epoch': (\d+), 'update': (\d+)")
_SIGNAL = re.compile(r"\bsignal (\d{1,3})\b")
_DONE = re.compile(r"ended: exit 0\b")
_BAD_END = re.compile(rf"exit (?!{EXIT_STOPPED}\b)[1-9]|SIG|signal|given up|cannot")


class LogLine(NamedTuple):
    """`t` is unix seconds, None for what a program printed without a time; `seq` is an event's number, else 0."""

    text: str
    level: str = INFO
    attempt: int = 0
    t: float | None = None
    source: str = "log"
    seq: int = 0


class Levels:
    """Tells the level of printed lines one after the other: a traceback is an error up to its last line."""

    def __init__(self) -> None:
        self._inside = False

    def __call__(self, text: str) -> str:
        if text.startswith(_TRACEBACK):
            self._inside = True
            return ERROR
        if self._inside:
            self._inside = text.startswith((" ", "\t")) or not text
            return ERROR
        if _WARN.search(text):
            return WARN
        return ERROR if _ERROR.search(text) else INFO


def printed(text: str, attempt: int, levels: Levels) -> LogLine:
    """A line of attempt-<n>.log."""
    text = text[:LONGEST]
    return LogLine(text, levels(text), attempt)


def kept(text: str, attempt: int) -> LogLine:
    """A line of keeper.log; it belongs to the attempt it names, else to `attempt`.

    Where all work is done the position is past the last epoch, so that no epoch is named.
    """
    found = _KEEPER.fullmatch(text)
    t, said = (_local(found[1]), found[2]) if found else (None, text)
    if at := _AT.search(said):
        place = _PLACE.search(at[1])
        said = said[: at.start()]
        if place:
            epoch = "" if _DONE.search(said) else f"{place[1]} epoch {place[2]}, "
            said += f" at {epoch}update {_count(int(place[3]))}"
    said = _SIGNAL.sub(lambda found: signal_name(int(found[1])), said)
    named = _ATTEMPT.search(said)
    level = ERROR if _BAD_END.search(said) else INFO
    return LogLine(said[:LONGEST], level, int(named[1]) if named else attempt, t, "keeper")


def told(event: Event) -> LogLine:
    """An event of KINDS in words."""
    level, text = _WORDS[event["k"]](event)
    attempt, t = event.get("att"), number(event.get("t"))
    return LogLine(
        printable(text.encode("utf-8", "replace"))[:LONGEST],
        level,
        attempt if isinstance(attempt, int) else 0,
        t if t == t else None,
        "event",
        event["seq"],
    )


def _run(event: Event) -> tuple[str, str]:
    source, branch = event.get("resumed_from"), event.get("branched_from")
    if source:
        return INFO, f"attempt {event.get('att')} resumed from {source}"
    text = f"attempt {event.get('att')} began"
    return INFO, text + (f" from {str(branch).partition('#')[0]}" if branch else "")


def _stage(event: Event) -> tuple[str, str]:
    return INFO, f"{event.get('from')} → {event.get('to')} at update {_count(event.get('update'))}"


def _eval(event: Event) -> tuple[str, str]:
    frozen = f" of the frozen policy {_count(event['baseline'])}" if event.get("baseline") else ""
    parts = [f"eval{frozen} return {_figure(event.get('return_mean'))} ±{_figure(event.get('return_std'))}"]
    if event.get("score") is not None:
        parts.append(f"score {_figure(event.get('score'))}")
    parts.append(f"length {_figure(event.get('length_mean'))}")
    if isinstance(returns := event.get("returns"), list):
        parts.append(f"n {len(returns)}")
    return INFO, "  ".join([*parts, f"update {_count(event.get('update'))}"])


def _data(event: Event) -> tuple[str, str]:
    parts = [f"recorded {_count(event.get('rows'))} rows", f"{_count(event.get('episodes'))} episodes"]
    if event.get("return_mean") is not None:
        parts.append(f"return {_figure(event.get('return_mean'))} ±{_figure(event.get('return_std'))}")
    where = [str(event[key]) for key in ("path", "minari") if event.get(key)]
    return INFO, "  ".join([*parts, *(["in " + " and ".join(where)] if where else [])])


def _ckpt(event: Event) -> tuple[str, str]:
    size = number(event.get("bytes")) / 1e6
    return INFO, f"checkpoint {event.get('path')}  {size:.3g} MB in {number(event.get('seconds')):.3g} s"


def _ack(event: Event) -> tuple[str, str]:
    what = str(event.get("verb"))
    if event.get("key"):
        what += f" {event['key']} = {event.get('value')}"
    if event.get("ok"):
        return INFO, f"{what} done at update {_count(event.get('update'))}"
    return WARN, f"{what} refused: {event.get('why') or 'no reason given'}"


def _warn(event: Event) -> tuple[str, str]:
    return WARN, str(event.get("what"))


def _end(event: Event) -> tuple[str, str]:
    return (INFO if event.get("exit") in (EXIT_DONE, EXIT_STOPPED) else ERROR), f"{event.get('state')}, exit {event.get('exit')}"


_WORDS: dict[str, Any] = {
    "run": _run, "stage": _stage, "eval": _eval, "data": _data, "ckpt": _ckpt, "ack": _ack, "warn": _warn, "end": _end,
}  # fmt: skip


def _figure(value: Any) -> str:
    return f"{number(value):.5g}"


def _count(value: Any) -> str:
    """1 234 567."""
    return f"{value:,}".replace(",", " ") if isinstance(value, int) else "?"


def _local(text: str) -> float | None:
    try:
        return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return None
