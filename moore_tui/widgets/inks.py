"""The few styles of text on a ground, from a theme's variables; made once for all widgets that share them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style
from textual.color import Color, ColorParseError

VARIABLES = {
    "good": "text-success", "warn": "text-warning", "bad": "text-error", "info": "text-primary",
    "key": "text-accent", "on": "text-primary", "frame-focus": "border", "cursor": "surface-lighten-2",
}  # fmt: skip
"""Styles that take their colour from a variable of the theme; of "cursor" it is the ground."""

NAMES = ("text", "dim", "strong", "off", "frame", *VARIABLES)
"""Every style; "" is "text", "off" and "on" are the stages."""

DIM, FRAME = 0.4, 0.7
"""Shares of the ground in what is dim, and in frames."""


@lru_cache(32)
def inks(chosen: tuple[str, ...], ground: Color, base: Style) -> Mapping[str, Style]:
    """Styles by name: `chosen` are the values of VARIABLES, `base` is plain text on that ground."""
    native = ground.ansi is not None or base.color is None or base.color.triplet is None
    foreground = Color.from_rich_color(base.color) if base.color is not None and not native else None

    def faint(share: float) -> Style:
        if foreground is None:
            return base + Style(dim=True)
        return base + Style(color=foreground.blend(ground, share).rich_color)

    colors = {name: _color(value) for name, value in zip(VARIABLES, chosen, strict=True)}
    found = {name: base + Style(color=color.rich_color) if color else base for name, color in colors.items()}
    under = colors["cursor"]
    lit = base + Style(bgcolor=under.rich_color) if under is not None and not native else base + Style(reverse=True)
    return {
        **found,
        "text": base,
        "dim": faint(DIM),
        "off": faint(DIM),
        "frame": faint(FRAME),
        "strong": base + Style(bold=True),
        "bad": found["bad"] + Style(bold=True),
        "cursor": lit + Style(bold=True),
    }


def _color(text: str) -> Color | None:
    """A theme's colour; None for what only a stylesheet can resolve."""
    try:
        return Color.parse(text)
    except ColorParseError:
        return None
