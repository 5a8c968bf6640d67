"""What every screen of the console has: the line on top, its own body, the line of keys below."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult
from textual.screen import Screen

from moore_tui.widgets.key_line import KeyLine
from moore_tui.widgets.top_line import TopLine

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole
    from moore_tui.messages import Action


class Framed(Screen[None]):
    """Fill in `body`; the console calls `facts_changed` whenever there are newer facts and this screen is shown."""

    @property
    def console(self) -> MooreConsole:
        """The application, by its own class."""
        return cast("MooreConsole", self.app)

    def compose(self) -> ComposeResult:
        yield TopLine()
        yield from self.body()
        yield KeyLine()

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def facts_changed(self) -> None:
        """Newer facts: show them. Also called when the screen comes to the front."""

    def action_changed(self, action: Action) -> None:
        """An action was asked for, or has come to its end."""
