"""A run's state for the eye: a glyph, a letter where there is only ASCII, a style, and honest words."""

from __future__ import annotations

import re

from moore_tui.runs.alerts import unkept
from moore_tui.runs.model import Snapshot
from moore_tui.widgets.figures import count

GLYPHS = {
    "starting": "◔", "live": "●", "paused": "‖", "stalled": "◌", "restarting": "↻",
    "done": "✓", "interrupted": "✗", "crashed": "✗", "lost": "?",
}  # fmt: skip
LETTERS = {
    "starting": "S", "live": "L", "paused": "P", "stalled": "H", "restarting": "R",
    "done": "D", "interrupted": "I", "crashed": "X", "lost": "?",
}  # fmt: skip
STYLE = {
    "starting": "info", "live": "good", "paused": "warn", "stalled": "warn", "restarting": "warn",
    "done": "dim", "interrupted": "warn", "crashed": "bad", "lost": "bad",
}  # fmt: skip
"""Names of styles of a Sheet."""


def glyph(state: str, ascii: bool = False) -> str:
    """One cell for a state."""
    return (LETTERS if ascii else GLYPHS).get(state, "?")


def words(shot: Snapshot) -> str:
    """What the state means for this run, the most telling words first; empty for a live run that is kept."""
    detail = plain(shot.detail)
    if shot.state == "paused":
        text = f"paused @ {position(shot)}" + (f", {detail}" if detail else "")
    elif shot.state == "stalled":
        text = f"stalled: alive, {detail.replace('silent for', 'silent')}"
    elif shot.state == "interrupted":
        text = f"interrupted · {_resumable(detail)}"
    elif shot.state in ("live", "done"):
        text = detail
    else:
        text = f"{shot.state}: {detail}" if detail else shot.state
    if unkept(shot):
        text = ", ".join(part for part in (text, "unkept · r adopts") if part)
    return text


def word(shot: Snapshot) -> str:
    """The first of the words."""
    return re.split(r"[:,·]", words(shot))[0].strip() or shot.state


def position(shot: Snapshot) -> str:
    """Where the run is: its updates so far, short."""
    return count(shot.update) if shot.update is not None else "the start"


def _resumable(detail: str) -> str:
    """`killed, resumable from ckpt-260000` as `killed, r → 260k`."""
    before, found, place = detail.partition("resumable from ")
    if not found:
        return f"{detail} · r starts" if detail else "r resumes"
    step = place.removeprefix("ckpt-").partition(".")[0]
    return f"{before}r → {count(int(step)) if step.isdecimal() else place}"


def plain(text: str) -> str:
    """Text of a run without anything a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
