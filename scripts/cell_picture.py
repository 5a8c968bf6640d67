"""A screen of character cells as an SVG that looks the same everywhere: every run of text is stretched to its cells.

Braille dots, blocks and frames are drawn as shapes and not as characters, because fonts disagree about them. Nothing is
loaded from elsewhere.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import NamedTuple

from rich.cells import cell_len
from rich.color import Color, blend_rgb
from rich.color_triplet import ColorTriplet
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

WIDE, HIGH = 10, 20
"""Pixels of a cell."""
EDGE = 12
"""Pixels of ground around the screen."""
FONT = 'font:16.6px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace'
"""Of 0.6 em an advance, as those have, 16.6 pixels make a cell; any other is stretched."""
ASCENT = 15
"""Pixels from the top of a cell to the base of its letters."""
SIXTEEN = TerminalTheme(
    (18, 18, 18),
    (224, 224, 224),
    [(40, 42, 46), (204, 102, 102), (140, 190, 110), (222, 165, 80), (110, 150, 200), (178, 148, 187), (110, 180, 175),
     (197, 200, 198)],
    [(128, 132, 134), (240, 128, 128), (181, 230, 150), (240, 198, 116), (140, 180, 235), (205, 170, 215),
     (138, 210, 205), (255, 255, 255)],
)  # fmt: skip
"""A terminal's sixteen colours, for the themes that use them."""

LINES = {
    "─": "lr", "│": "ud", "┌": "rd", "┐": "ld", "└": "ru", "┘": "lu", "├": "rud", "┤": "lud", "┬": "lrd", "┴": "lru",
    "┼": "lrud", "╴": "l", "╵": "u", "╶": "r", "╷": "d", "━": "LR", "┃": "UD", "╸": "L", "╺": "R",
}  # fmt: skip
"""Directions in which a line leaves the middle of the cell; capitals are heavy."""
CORNERS = {"╭": (1, 1), "╮": (-1, 1), "╰": (1, -1), "╯": (-1, -1)}
DASHED = {"┊": 4, "┆": 3, "╎": 2, "┄": 3, "┅": 3, "┈": 4, "┉": 4, "╌": 2, "╍": 2}
"""Dashes in a cell."""
LEVEL, HEAVY = "┄┅┈┉╌╍", "┅┉╍"
SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
LOWER = "▁▂▃▄▅▆▇█"
LEFT = "▏▎▍▌▋▊▉"
PIECES = {
    "▔": ((0, 0, 10, 2),), "▕": ((9, 0, 1, 20),), "▀": ((0, 0, 10, 10),), "▐": ((5, 0, 5, 20),),
    "▚": ((0, 0, 5, 10), (5, 10, 5, 10)), "▞": ((5, 0, 5, 10), (0, 10, 5, 10)),
}  # fmt: skip
"""Left, top, width and height of what is filled."""
DRAWN = "".join(dict.fromkeys((*LINES, *CORNERS, *DASHED, *SHADES, *LOWER, *LEFT, *PIECES)))
WORDS = re.compile(rf"[^\s{DRAWN}\u2800-\u28ff]+(?: [^\s{DRAWN}\u2800-\u28ff]+)*")
"""What is written and not drawn."""


class Cell(NamedTuple):
    """Where a character stands and how it looks."""

    x: int
    y: int
    text: str
    color: str
    bold: bool


def svg(rows: Sequence[Iterable[Segment]], width: int, title: str) -> str:
    """The picture of a screen `width` cells wide; `title` says what is on it."""
    ground = Grounds(width)
    pieces = [piece for y, row in enumerate(rows) for piece in ground.looked_at(y, row)]
    shapes, letters = Shapes(), defaultdict[tuple[str, bool], list[str]](list)
    for cell in pieces:
        for run in WORDS.finditer(cell.text):
            letters[cell.color, cell.bold].append(text(cell.x + cell_len(cell.text[: run.start()]), cell.y, run[0]))
        for at, character in enumerate(cell.text):
            if character in DRAWN or "\u2800" < character <= "\u28ff":
                before = cell_len(cell.text[:at])
                shapes.draw(character, WIDE * (cell.x + before), HIGH * cell.y, cell.color)
    across, down = WIDE * width + 2 * EDGE, HIGH * len(rows) + 2 * EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across} {down}" width="{across}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>text{{{FONT};white-space:pre}}.b{{font-weight:bold}}</style>",
        f'<rect width="{across}" height="{down}" rx="8" fill="{ground.main}"/>',
        f'<g transform="translate({EDGE} {EDGE})">',
        *ground.drawn(),
        *shapes.drawn(),
    ]
    for (color, bold), found in letters.items():
        parts += [f'<g fill="{color}"{chr(32) + "class=" + chr(34) + "b" + chr(34) if bold else ""}>', *found, "</g>"]
    return "\n".join([*parts, "</g>", "</svg>", ""])


def text(x: int, y: int, said: str) -> str:
    """A run of letters at a cell."""
    cells = cell_len(said)
    stretch = f' textLength="{WIDE * cells}"' if cells > 1 else ""
    return f'<text x="{WIDE * x}" y="{HIGH * y + ASCENT}"{stretch}>{escape(said, quote=False)}</text>'


class Grounds:
    """What lies behind the characters; `main` is what most cells have."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._runs: list[tuple[str, int, int, int]] = []

    def looked_at(self, y: int, row: Iterable[Segment]) -> Iterator[Cell]:
        """The characters of a row, whose grounds are kept."""
        x = 0
        for segment in row:
            if segment.control or not segment.text:
                continue
            color, behind, bold = colors(segment.style or Style())
            cells = cell_len(segment.text)
            self._runs.append((behind, x, y, cells))
            yield Cell(x, y, segment.text, color, bold)
            x += cells

    @property
    def main(self) -> str:
        shares = defaultdict[str, int](int)
        for color, _, _, cells in self._runs:
            shares[color] += cells
        return max(shares, key=lambda color: shares[color], default="#000000")

    def drawn(self) -> Iterator[str]:
        """A rectangle for each stretch of a row that has another ground."""
        joined: list[tuple[str, int, int, int]] = []
        for color, x, y, cells in self._runs:
            if joined and joined[-1][0] == color and joined[-1][2] == y and joined[-1][1] + joined[-1][3] == x:
                joined[-1] = (color, joined[-1][1], y, joined[-1][3] + cells)
            else:
                joined.append((color, x, y, cells))
        for color, x, y, cells in joined:
            if color != self.main:
                yield f'<rect x="{WIDE * x}" y="{HIGH * y}" width="{WIDE * cells}" height="{HIGH}" fill="{color}"/>'


class Shapes:
    """Dots, lines and areas by colour."""

    def __init__(self) -> None:
        self._dots = defaultdict[str, list[tuple[int, int]]](list)
        self._thin = defaultdict[str, list[str]](list)
        self._heavy = defaultdict[str, list[str]](list)
        self._areas = defaultdict[tuple[str, float], list[str]](list)

    def draw(self, character: str, x: int, y: int, color: str) -> None:
        """One character of lines, blocks or dots whose cell begins at pixel (x, y)."""
        middle, half = x + WIDE // 2, y + HIGH // 2
        if character >= "\u2800":
            bits = ord(character) - 0x2800
            places = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))
            self._dots[color] += [
                (x + 3 + 5 * a, y + 3 + 5 * b) for bit, (a, b) in enumerate(places) if bits >> bit & 1
            ]
        elif character in LINES:
            ends = {"l": (x, half), "r": (x + WIDE, half), "u": (middle, y), "d": (middle, y + HIGH)}
            for way in LINES[character]:
                to = ends[way.lower()]
                (self._heavy if way.isupper() else self._thin)[color].append(f"M{middle} {half}L{to[0]} {to[1]}")
        elif character in CORNERS:
            right, down = CORNERS[character]
            self._thin[color].append(f"M{middle} {half + 10 * down}Q{middle} {half} {middle + 5 * right} {half}")
        elif character in DASHED:
            level, many = character in LEVEL, DASHED[character]
            step = (WIDE if level else HIGH) / many
            dashes = (
                f"M{x + step * n + step / 4:g} {half}h{step / 2:g}"
                if level
                else f"M{middle} {y + step * n + 1:g}v{step / 2:g}"
                for n in range(many)
            )
            (self._heavy if character in HEAVY else self._thin)[color] += dashes
        else:
            self._areas[color, SHADES.get(character, 1.0)] += (
                f"M{x + left:g} {y + top:g}h{wide:g}v{high:g}h-{wide:g}z" for left, top, wide, high in pieces(character)
            )

    def drawn(self) -> Iterator[str]:
        for (color, share), paths in self._areas.items():
            opacity = f' fill-opacity="{share:g}"' if share < 1.0 else ""
            yield f'<path fill="{color}"{opacity} d="{"".join(paths)}"/>'
        for width, lines in ((1.3, self._thin), (2.6, self._heavy)):
            for color, paths in lines.items():
                yield f'<path fill="none" stroke="{color}" stroke-width="{width}" d="{merged(paths)}"/>'
        for color, dots in self._dots.items():
            yield f'<path fill="none" stroke="{color}" stroke-width="3.2" stroke-linecap="round" d="{points(dots)}"/>'


def pieces(character: str) -> Sequence[tuple[float, float, float, float]]:
    """Left, top, width and height of what a block fills of its cell."""
    if character in LOWER:
        high = HIGH * (LOWER.index(character) + 1) / 8
        return ((0, HIGH - high, WIDE, high),)
    if character in LEFT:
        return ((0, 0, WIDE * (LEFT.index(character) + 1) / 8, HIGH),)
    return PIECES.get(character, ((0, 0, WIDE, HIGH),))


def merged(paths: Sequence[str]) -> str:
    """Straight halves of lines, joined where one goes on as another."""
    ends: dict[tuple[bool, float], list[tuple[float, float]]] = defaultdict(list)
    others: list[str] = []
    for path in paths:
        found = re.fullmatch(r"M(\d+) (\d+)L(\d+) (\d+)", path)
        if found is None:
            others.append(path)
            continue
        x1, y1, x2, y2 = map(int, found.groups())
        level = y1 == y2
        low, high = sorted((x1, x2) if level else (y1, y2))
        ends[level, y1 if level else x1].append((low, high))
    for (level, at), stretches in ends.items():
        whole: list[tuple[float, float]] = []
        for low, high in sorted(stretches):
            if whole and low <= whole[-1][1]:
                whole[-1] = whole[-1][0], max(high, whole[-1][1])
            else:
                whole.append((low, high))
        others += [f"M{low} {at}H{high}" if level else f"M{at} {low}V{high}" for low, high in whole]
    return "".join(others)


def points(dots: Sequence[tuple[int, int]]) -> str:
    """Lines without length, which round ends make dots, each placed from the one before."""
    found, before = [], (0, 0)
    for x, y in sorted(dots, key=lambda dot: (dot[1], dot[0])):
        found.append(f"m{x - before[0]} {y - before[1]}h0")
        before = x, y
    return "".join(found)


def colors(style: Style) -> tuple[str, str, bool]:
    """(colour, ground, bold) of a style, dimmed and reversed already."""
    front, behind = triplet(style.color, True), triplet(style.bgcolor, False)
    if style.reverse:
        front, behind = behind, front
    if style.dim:
        front = blend_rgb(behind, front, 0.55)
    return front.hex, behind.hex, bool(style.bold)


def triplet(color: Color | None, foreground: bool) -> ColorTriplet:
    return (color or Color.default()).get_truecolor(SIXTEEN, foreground=foreground)
