"""The log of the run under the cursor on the whole screen: every attempt or one, from a level on."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from moore_tui.keys import bindings
from moore_tui.screens.frame import Framed
from moore_tui.widgets.log_pane import LogPane
from moore_tui.widgets.log_rows import LEVELS


class LogsScreen(Framed):
    """`run_id` is that under the cursor if none is given."""

    BINDINGS: ClassVar[list[BindingType]] = list(bindings("logs"))
    AUTO_FOCUS = "LogView"

    def __init__(self, run_id: str | None = None) -> None:
        super().__init__()
        self._run_id = run_id
        self.pane = LogPane(id="log")

    def body(self) -> ComposeResult:
        yield self.pane

    @property
    def run_id(self) -> str:
        """The run whose log is shown."""
        return self._run_id or self.console.selected or ""

    def facts_changed(self) -> None:
        feed = self.console.feed
        if self.run_id in feed.snapshots:
            feed.open([self.run_id])
            book = feed.log(self.run_id)
            self.pane.show_log(self.run_id, book)
            if book is None or book.more:
                self.console.nudge()
        else:
            self.pane.clear()

    def action_attempt(self, by: int) -> None:
        """The next attempt's lines alone; after the last one those of all."""
        shot = self.console.feed.snapshots.get(self.run_id)
        rows = self.pane.log_view.rows
        every = (shot.attempt if shot else 0) + 1
        self.pane.log_view.only((rows.attempt + by) % max(1, every), rows.level)

    def action_level(self) -> None:
        """From the next level on: all lines, warnings and errors, errors."""
        rows = self.pane.log_view.rows
        self.pane.log_view.only(rows.attempt, LEVELS[(LEVELS.index(rows.level) + 1) % len(LEVELS)])

    def action_filter(self) -> None:
        """Search the log."""
        self.pane.search()

    def close_layer(self) -> bool:
        return super().close_layer() or self.pane.back()

    def copied(self) -> str:
        """The line of the log that was found."""
        return self.pane.log_view.copied()
