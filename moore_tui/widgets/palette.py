"""Colours of series, marks and axes, distinguishable for colour-blind people, on dark, light and 16-colour screens.

The hues follow Okabe and Ito (2008); their lightness is spread so that they stay apart under each colour blindness: the
first four from each other, every series from that with the same dash. A theme replaces a colour by a variable of its
name (`series-1`, `offline`, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color

SERIES = tuple(f"series-{number}" for number in range(1, 9))

DARK = ("#97c1ff", "#d1921b", "#39ebad", "#ffe312", "#e9705b", "#b58ba9", "#9485ff", "#d8e2f2")
LIGHT = ("#1c4894", "#9e1f00", "#00807e", "#806f42", "#a85600", "#81074a", "#3c056f", "#454e67")
DARK_16 = ("bright_cyan", "yellow", "magenta", "bright_green", "red", "bright_blue", "green", "bright_yellow")
LIGHT_16 = ("blue", "red", "cyan", "magenta", "green", "bright_blue", "bright_red", "black")
GREYS = {
    "offline": ("#9a9a9a", "#6e6e6e", "white", "bright_black"),
    "muted": ("#7a7a7a", "#7d7d7d", "bright_black", "bright_black"),
    "boundary": ("#8a8a8a", "#767676", "bright_black", "bright_black"),
    "axis": ("#6c6c6c", "#8a8a8a", "bright_black", "bright_black"),
    "label": ("#a8a8a8", "#555555", "default", "default"),
    "cursor": ("#ffffff", "#000000", "default", "default"),
}
"""Names that are not series: on dark, on light, and of the sixteen on dark and on light."""

DIM = 0.5
"""Share of its own colour that a dim series keeps over the ground."""


@dataclass(frozen=True)
class Palette:
    """`colors` by name, as hex or as one of the sixteen; `ground` is what lies below, where it is known."""

    colors: Mapping[str, str]
    ground: Color | None = None

    def style(self, name: str, dim: bool = False, bold: bool = False, reverse: bool = False) -> Style:
        """The style of a name, without a ground; what no name is known for looks like a label."""
        color = self.colors.get(name) or self.colors["label"]
        if dim and self.ground is not None and color.startswith("#"):
            return Style(color=self.ground.blend(Color.parse(color), DIM).rich_color, bold=bold, reverse=reverse)
        return Style(color=RichColor.parse(color), dim=dim or None, bold=bold or None, reverse=reverse or None)


def palette(variables: Mapping[str, str], dark: bool, sixteen: bool, ground: Color | None = None) -> Palette:
    """The palette of a theme: `variables` are the theme's, `sixteen` asks for the terminal's own sixteen colours."""
    hues = (DARK_16 if dark else LIGHT_16) if sixteen else (DARK if dark else LIGHT)
    base = dict(zip(SERIES, hues, strict=True))
    column = (2 if sixteen else 0) + (not dark)
    base |= {name: greys[column] for name, greys in GREYS.items()}
    base["online"] = base["series-1"]
    base |= {name: _plain(variables[name]) for name in base if variables.get(name)}
    return Palette(base, None if sixteen else ground)


@lru_cache(64)
def _plain(text: str) -> str:
    """A theme's colour as the styles want it."""
    color = Color.parse(text)
    return text.removeprefix("ansi_") if color.ansi is not None else color.hex6.lower()
