"""Text for people: aligned columns, names with their values, and nothing in them that a terminal would obey."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence

_ESCAPE = re.compile(r"\x1b(?:\[[0-9;?<=>]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[0-Z\\^-~])")


def plain(text: str) -> str:
    """Text of a file or a server as one line without anything that a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in _ESCAPE.sub("", text))


def folded(line: str, width: int | None) -> str:
    """A sentence in lines of at most `width` columns; a line of a table, which has gaps in it, stays as it is."""
    if width is None or len(line) <= width or "  " in line:
        return line
    return textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False)


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Columns two spaces apart, those named in `right` flush right; nothing trails."""
    lines = []
    shown = [[plain(cell) for cell in row] for row in (header, *rows)]
    width = [max(len(row[i]) for row in shown) for i in range(len(header))]
    for row in shown:
        cells = [cell.rjust(width[i]) if header[i] in right else cell.ljust(width[i]) for i, cell in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """A name and its value a line, the values aligned."""
    width = max((len(name) for name, _ in entries), default=0)
    return "\n".join(f"{name.ljust(width)}  {plain(value)}".rstrip() for name, value in entries)
