"""Showing everything with characters of ASCII only, cell by cell, for terminals that have no others."""

from __future__ import annotations

from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

TABLE = {
    **dict.fromkeys("─━═┄┅╌╍┈┉▔▁▂▃▄╶╴╸╺", "-"),
    **dict.fromkeys("│┃║┆┇╎╏┊┋▏▕▎▍▌▐╵╷", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯╔╗╚╝┏┓┗┛┣┫┳┻╋╠╣╦╩╬", "+"),
    **dict.fromkeys("█▓▉▊▋▆▇▅■▀", "#"),
    **dict.fromkeys("▒", "="),
    **dict.fromkeys("░□", "."),
    **dict.fromkeys("·…•⋅∙", "."),
    **dict.fromkeys("●◉◆◼", "*"),
    **dict.fromkeys("○◌◔◯◇", "o"),
    **dict.fromkeys("▸▶→⏎›❯►", ">"),
    **dict.fromkeys("◂◀←‹⌫◄", "<"),
    **dict.fromkeys("▴▲↑⇧", "^"),
    **dict.fromkeys("▾▼↓", "v"),
    **dict.fromkeys("✓✔", "v"),
    **dict.fromkeys("✗✘×", "x"),
    **dict.fromkeys("–—−‐‑", "-"),
    **dict.fromkeys("‘’′", "'"),
    **dict.fromkeys("“”″", '"'),
    **dict.fromkeys("\u00a0\u2007\u2009\u202f\u2800", " "),
    "‖": "=", "±": "~", "≤": "<", "≥": ">", "≈": "~", "∞": "i", "↻": "@", "␣": "_", "⚠": "!", "α": "a", "λ": "l",
    "σ": "s", "μ": "u", "φ": "p", "γ": "g", "τ": "t", "η": "n", "Δ": "D",
}  # fmt: skip


class PlainFilter(LineFilter):
    """Changes what is painted, not what is meant: every character becomes one that looks alike and is as wide."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment if segment.control or segment.text.isascii() else Segment(plain(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(4096)
def plain(text: str) -> str:
    """`text` in ASCII and in the same number of cells; braille dots become `*`, what is unknown `?`."""
    return "".join(each if each.isascii() else _alike(each) for each in text)


def _alike(character: str) -> str:
    if character in TABLE:
        return TABLE[character]
    return ("*" if "\u2801" <= character <= "\u28ff" else "?") * cell_len(character)
