"""Colours of series, marks and axes, distinguishable for colour-blind people, on dark, light and 16-colour screens.

The hues are those of Okabe and Ito (2008), lighter on dark ground and darker on light. A theme replaces one by a
variable of the same name (`series-1`, `offline`, ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from rich.color import Color as RichColor
from rich.style import Style
from textual.color import Color

SERIES = tuple(f"series-{number}" for number in range(1, 9))

DARK = dict(
    zip(
        SERIES,
        ("#56b4e9", "#e69f00", "#1fbf8f", "#f0e442", "#f0743e", "#d98cb8", "#6f8dff", "#b8b8b8"),
        strict=True,
    )
)
LIGHT = dict(
    zip(
        SERIES,
        ("#0072b2", "#b35c00", "#00755a", "#7a6a00", "#c03a00", "#a8437f", "#3d3fb5", "#5a5a5a"),
        strict=True,
    )
)
SIXTEEN = dict(
    zip(
        SERIES,
        ("bright_cyan", "yellow", "green", "bright_yellow", "red", "magenta", "bright_blue", "white"),
        strict=True,
    )
)
SIXTEEN_LIGHT = dict(zip(SERIES, ("blue", "yellow", "green", "cyan", "red", "magenta", "black", "black"), strict=True))
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
    base = dict((SIXTEEN if dark else SIXTEEN_LIGHT) if sixteen else (DARK if dark else LIGHT))
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
