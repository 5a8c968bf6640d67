"""One run as a line of a table, in whatever width there is; and the orders in which runs can stand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import isnan
from typing import Any

from moore_tui.runs.model import Snapshot
from moore_tui.runs.status import STATES
from moore_tui.widgets.figures import DASH, coarse, number, percent, rate, span
from moore_tui.widgets.sheet import Line, cut, pad
from moore_tui.widgets.states import STYLE, glyph, word, words

WIDE, MEDIUM = 70, 44
"""Cells from which a line has a progress bar and all figures, or stage and time left."""
BAR = 4, 12
"""Cells of the bar at least, and at most."""
RET, SPEED, ETA = 12, 10, 9
"""Cells of "2914 ±121", "1.9k st/s" and "eta 1h52"."""

URGENCY = ("crashed", "lost", "stalled", "restarting", "live", "starting", "paused", "interrupted", "done")
_ORDERS: dict[str, Callable[[Snapshot], Any]] = {
    "state": lambda shot: URGENCY.index(shot.state) if shot.state in STATES else len(URGENCY),
    "age": lambda shot: 0,
    "name": lambda shot: shot.id,
    "return": lambda shot: -_known(shot.return_mean),
    "progress": lambda shot: -_known(shot.progress),
}
SORTS = tuple(_ORDERS)
"""Names of the orders; within one, the newest run comes first."""


def ordered(shots: Iterable[Snapshot], sort: str) -> list[Snapshot]:
    """The runs in this order."""
    newest = sorted(shots, key=lambda shot: (-(shot.created or 0.0), shot.id))
    return sorted(newest, key=_ORDERS[sort])


def row(
    shot: Snapshot, width: int, cursor: bool, marked: bool, focus: bool, ascii: bool = False, longest: int = 20
) -> Line:
    """The line of a run: cursor, mark and state, then what fits; words instead of figures that say nothing now.

    `longest` is the length of the longest name in the list: its room is taken from the bar.
    """
    pointer, box = "▸ "[not cursor], "■ "[not marked]
    name = "cursor" if cursor and focus else "strong" if cursor else ""
    head: Line = ((pointer, "key"), (box, "key"), (glyph(shot.state, ascii), STYLE.get(shot.state, "")), (" ", name))
    room = max(0, width - 4)
    if width >= WIDE:
        return cut(head + _wide(shot, room, name, longest), width)
    return cut(head + (_medium(shot, room, name, longest) if width >= MEDIUM else _narrow(shot, room, name)), width)


def heading(width: int, longest: int = 20) -> Line:
    """Names of the columns."""
    room = max(0, width - 4)
    if width >= WIDE:
        wide, bar_width = _split(room, longest)
        text = pad("run", wide) + pad(" stage", 9) + pad("progress", bar_width + 7) + "return"
    elif width >= MEDIUM:
        wide, stage = _with_stage(room, longest)
        text = pad("run", wide) + (pad(" stage", 9) if stage > 4 else "    ") + "done      return  left"
    else:
        text = pad("run", room - 14) + " done   return"
    return (("    " + pad(text, room), "dim"),)


def bar(share: float | None, width: int) -> str:
    """A progress bar in eighths of a cell."""
    share = 0.0 if share is None or isnan(share) else min(1.0, max(0.0, share))
    eighths = int(share * width * 8)
    full, part = divmod(eighths, 8)
    partial = " ▏▎▍▌▋▊▉"[part] if part else ""
    return "█" * full + partial + "░" * (width - full - len(partial))


def speed(shot: Snapshot) -> str:
    """Environment steps a second online, updates a second offline."""
    if shot.stage == "online":
        return f"{rate(shot.env_steps_per_s)} st/s" if shot.env_steps_per_s is not None else ""
    return f"{rate(shot.updates_per_s)} up/s" if shot.updates_per_s is not None else ""


def result(shot: Snapshot) -> str:
    """The newest evaluation: 2914 ±121."""
    if shot.return_mean is None:
        return DASH
    spread = f" ±{number(shot.return_std)}" if shot.return_std is not None else ""
    return number(shot.return_mean) + spread


def left(shot: Snapshot) -> str:
    """Time left, changing seldom."""
    return "" if shot.eta_s is None else coarse(shot.eta_s) if shot.eta_s < 60 else span(shot.eta_s)


def _split(room: int, longest: int) -> tuple[int, int]:
    """Cells of the name and of the bar."""
    free = room - (9 + 7 + 4 + RET + 1 + SPEED + 1 + ETA)
    wide = max(8, free - BAR[1], min(longest, free - BAR[0]))
    return wide, free - wide


def _wide(shot: Snapshot, room: int, name: str, longest: int) -> Line:
    wide, bar_width = _split(room, longest)
    first = (
        (pad(shot.id, wide), name),
        (pad(f" {shot.stage or ''}", 9), _stage_style(shot)),
        (bar(shot.progress, bar_width), _stage_style(shot)),
        (f"{percent(shot.progress):>5}  ", ""),
    )
    return first + _end(shot, room - wide - bar_width - 16, ("ret ", pad(result(shot), RET)))


def _end(shot: Snapshot, rest: int, figures: tuple[str, str]) -> Line:
    label, value = figures
    said = words(shot)
    if not said and shot.state == "live":
        eta = f"eta {left(shot)}" if left(shot) else ""
        return ((label, "dim"), (value, "strong"), (f" {speed(shot):>{SPEED}}", ""), (f" {eta:>{ETA}}", ""))
    said = said or shot.state
    taken = len(label) + len(value) + 1
    if shot.return_mean is not None and taken + len(said) <= rest:
        return ((label, "dim"), (value, ""), (pad(f" {said}", rest - taken + 1), STYLE.get(shot.state, "")))
    return ((pad(said, rest), STYLE.get(shot.state, "")),)


def _medium(shot: Snapshot, room: int, name: str, longest: int) -> Line:
    said = words(shot)
    if said or shot.state not in ("live", "done"):
        wide = max(8, room - 6 - max(14, min(len(said) + 1, room // 2)))
        rest = room - wide - 6
        return ((pad(shot.id, wide), name), (f"{percent(shot.progress):>5} ", ""), (pad(said, rest), STYLE[shot.state]))
    wide, stage = _with_stage(room, longest)
    end = left(shot) if shot.state == "live" else shot.state
    return (
        (pad(shot.id, wide), name),
        (pad(f" {shot.stage or ''}" if stage > 4 else f" {(shot.stage or '')[:-4]}", stage), _stage_style(shot)),
        (f"{percent(shot.progress):>4} ", ""),
        (f"{result(shot):>11}", "strong"),
        (f"{end:>6}", ""),
    )


def _with_stage(room: int, longest: int) -> tuple[int, int]:
    """Cells of the name and of the stage, which is shortened (`off`, `on`) where a name would be cut."""
    free = room - 22
    return (free - 9, 9) if longest <= free - 9 else (free - 4, 4)


def _narrow(shot: Snapshot, room: int, name: str) -> Line:
    if words(shot) or shot.state not in ("live", "done"):
        said = pad(word(shot), min(len(word(shot)), room // 2))
        return ((pad(shot.id, room - len(said) - 1), name), (f" {said}", STYLE[shot.state]))
    return (
        (pad(shot.id, room - 14), name),
        (f"{percent(shot.progress):>5} ", ""),
        (f"{number(shot.return_mean):>8}", "strong"),
    )


def _stage_style(shot: Snapshot) -> str:
    return {"offline": "off", "online": "on"}.get(shot.stage or "", "")


def _known(value: float | None) -> float:
    return float("-inf") if value is None or isnan(value) else value
