"""What a command answers, on stdout: aligned text for people, JSON for programs, and how numbers read."""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, TextIO

COLOURS = {"red": 31, "green": 32, "yellow": 33, "blue": 34, "grey": 90}

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[0-Z\\^-~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def answer(text: str) -> None:
    """Lines of data on stdout."""
    sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
    sys.stdout.flush()


def answer_json(value: Any) -> None:
    """One JSON value on one line of stdout; NaN and infinities as strings."""
    from moore_engine.events import finite

    answer(json.dumps(finite(value), ensure_ascii=False, default=str))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Columns two spaces apart, no lines drawn, those named in `right` flush right; nothing trails."""
    width = [max([len(head), *(len(row[i]) for row in rows)]) for i, head in enumerate(header)]
    lines = []
    for cells in (header, *rows):
        padded = [cell.rjust(width[i]) if header[i] in right else cell.ljust(width[i]) for i, cell in enumerate(cells)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """Name and value a line, the values aligned; further lines of a value are indented below it."""
    width = max((len(name) for name, _ in entries), default=0)
    indent = "\n" + " " * (width + 2)
    return "\n".join(f"{name.ljust(width)}  {value.replace(chr(10), indent)}".rstrip() for name, value in entries)


def plain(text: str) -> str:
    """Text of a run without anything a terminal would obey: escape sequences and control characters are gone."""
    return _CONTROL.sub("", _ESCAPE.sub("", text.replace("\t", "    ")))


def colourful(stream: TextIO) -> bool:
    """Whether colour may go to this stream: a terminal, not a dumb one, and no NO_COLOR."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def paint(text: str, colour: str, stream: TextIO) -> str:
    """`text` in a colour where the stream takes one."""
    return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if colour and colourful(stream) else text


def number(value: Any, digits: int = 1) -> str:
    """A figure to read: `digits` decimals, a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.{digits}f}" if math.isfinite(value) else str(value)


def rate(value: float | None, unit: str) -> str:
    """A speed to read, such as `41.5 step/s`."""
    if value is None:
        return "-"
    return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"


def duration(seconds: float | None) -> str:
    """Seconds to read: 8s, 3m05s, 2h07m, 4d03h; a dash for none."""
    if seconds is None or not math.isfinite(seconds):
        return "-"
    whole = max(0, round(seconds))
    for unit, below, size, part in (("d", "h", 86400, 3600), ("h", "m", 3600, 60), ("m", "s", 60, 1)):
        if whole >= size:
            return f"{whole // size}{unit}{whole % size // part:02d}{below}"
    return f"{whole}s"
