"""Aligned text for people: columns, and names with their values."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """Columns two spaces apart, those named in `right` flush right; nothing trails."""
    width = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    lines = []
    for row in (header, *rows):
        cells = [cell.rjust(width[i]) if header[i] in right else cell.ljust(width[i]) for i, cell in enumerate(row)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """A name and its value a line, the values aligned."""
    width = max((len(name) for name, _ in entries), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}".rstrip() for name, value in entries)
