"""Lines of text in few styles, of which only the cells that changed are painted again.

A line is a sequence of (text, style) pieces; styles are names of inks.NAMES. The text is shown as it is, never parsed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from moore_tui.widgets.inks import VARIABLES, inks

Piece = tuple[str, str]
Line = tuple[Piece, ...]

GAP = 8
"""Unchanged cells that cost less to send again than to jump over."""


class Sheet(Widget):
    """Shows lines from the top; what does not fit is cut off."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: list[Line] = []
        self._styles: Mapping[str, Style] | None = None

    def put(self, lines: Sequence[Line]) -> None:
        """Show these lines instead of those shown now; those below its edge show if it grows."""
        width, height = self.size
        old, self.lines = self.lines, list(lines)
        if not width or not self.is_attached:
            return
        for y in range(min(height, max(len(old), len(self.lines)))):
            before = old[y] if y < len(old) else ()
            after = self.lines[y] if y < len(self.lines) else ()
            for x, end in changed(before, after, width):
                self.refresh(Region(x, y, end - x, 1))

    def render_line(self, y: int) -> Strip:
        return self.strip(self.lines[y] if y < len(self.lines) else ())

    def strip(self, line: Line) -> Strip:
        """The line in this widget's width and styles."""
        base = self.style_of("text")
        segments = [Segment(text, self.style_of(style)) for text, style in line if text]
        return Strip(segments).adjust_cell_length(self.size.width, base)

    def style_of(self, name: str) -> Style:
        """The style of a name on this widget's ground."""
        if self._styles is None:
            variables = self.app.theme_variables
            chosen = tuple(variables.get(each, "") for each in VARIABLES.values())
            self._styles = inks(chosen, self.background_colors[1], self.rich_style)
        return self._styles[name or "text"]

    def notify_style_update(self) -> None:
        self._styles = None
        super().notify_style_update()


def changed(before: Line, after: Line, width: int) -> Iterator[tuple[int, int]]:
    """Runs of cells [start, end) that differ; the whole line where characters of two cells are in it."""
    if before == after:
        return
    old, new = cells(before, width), cells(after, width)
    if old is None or new is None:
        yield 0, width
        return
    start = end = -1
    for x in range(width):
        if old[x] != new[x]:
            if start < 0:
                start = x
            elif x - end > GAP:
                yield start, end
                start = x
            end = x + 1
    if start >= 0:
        yield start, end


def cells(line: Line, width: int) -> list[Piece] | None:
    """(character, style) of each cell; None where a character takes another number of cells than one."""
    found: list[Piece] = []
    for text, style in line:
        if not text.isascii() and cell_len(text) != len(text):
            return None
        found += [(character, style) for character in text]
    return (found + [(" ", "")] * (width - len(found)))[:width]


def length(line: Line) -> int:
    """Cells that the line takes."""
    return sum(cell_len(text) for text, _ in line)


def cut(line: Line, width: int) -> Line:
    """The line in at most `width` cells, an ellipsis where something is missing."""
    if length(line) <= width:
        return line
    kept: list[Piece] = []
    room = width - 1
    for text, style in line:
        if cell_len(text) > room:
            return (*kept, (set_cell_size(text, max(0, room)) + "…", style)) if width > 0 else ()
        kept.append((text, style))
        room -= cell_len(text)
    return tuple(kept)


def fitting(parts: Sequence[Sequence[Line]], width: int, gap: int = 2) -> Line:
    """The parts that fit whole, `gap` cells between them; of each its first form that does, the first parts before."""
    found: Line = ()
    for forms in parts:
        space: Line = ((" " * gap, ""),) if found else ()
        form = next((each for each in forms if each and length((*found, *space, *each)) <= width), ())
        found += (*space, *form) if form else ()
    return found


def pad(text: str, width: int) -> str:
    """`text` in exactly `width` cells, an ellipsis where something is missing."""
    if cell_len(text) <= width:
        return text + " " * (width - cell_len(text))
    return set_cell_size(text, width - 1) + "…" if width > 0 else ""


def longest(texts: Sequence[str], width: int) -> str:
    """The first text that fits, they become shorter; the last one, cut, if none does."""
    return next((text for text in texts if cell_len(text) <= width), pad(texts[-1], max(0, width)))


def spread(left: Line, right: Line, width: int, fill: Piece = (" ", "")) -> Line:
    """`left` at the left, `right` at the right, between them the fill; the right one goes first where room is short."""
    right = right if length(left) + length(right) <= width else ()
    left = cut(left, width - length(right))
    between = max(0, width - length(left) - length(right))
    return (*left, (fill[0] * between, fill[1]), *right)


def wrapped(text: str, width: int) -> list[str]:
    """The text in lines of at most `width` cells, broken between words where that can be."""
    import textwrap

    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        lines += textwrap.wrap(paragraph, max(1, width)) or [""]
    return lines
