"""Which theme suits the terminal, and the filters that everything painted goes through."""

from __future__ import annotations

from typing import Any

from textual.app import App
from textual.filter import LineFilter, Monochrome, NoColor

from moore_tui.widgets.plain import PlainFilter

FEW = ("standard", "windows", None)
"""Colour systems in which mixed colours come out wrong: 16 colours, or none known."""
NATIVE = "ansi-dark"
"""Speaks in the terminal's own 16 colours; with any other theme NO_COLOR would still send greys as RGB."""


def theme(app: App[Any], chosen: str) -> str:
    """The theme that was chosen, or one of the terminal's own colours where that is all there is."""
    name = chosen if chosen in app.available_themes else app.theme
    few = app.no_color or app.console.color_system in FEW
    return NATIVE if few and not app.available_themes[name].ansi else name


def filters(app: App[Any], ascii: bool) -> list[LineFilter]:
    """Textual's own, but with NO_COLOR no colour at all rather than greys; and with `ascii` ASCII only."""
    found = [each for each in App.get_line_filters(app) if not isinstance(each, Monochrome | NoColor)]
    return [*found, *([NoColor()] if app.no_color else []), *([PlainFilter()] if ascii else [])]
