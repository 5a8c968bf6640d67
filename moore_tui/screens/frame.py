"""What every screen of the console has: the line on top, its own body, the line of keys below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from textual.app import ComposeResult

from moore_tui.messages import Action, Machine, PaneBroke
from moore_tui.runs.model import Snapshot
from moore_tui.screens.exact import ExactScreen
from moore_tui.widgets.answer_line import AnswerLine
from moore_tui.widgets.key_line import KeyLine
from moore_tui.widgets.pane import Pane
from moore_tui.widgets.top_line import TopLine

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole


class Framed(ExactScreen[None]):
    """A subclass fills in `body`; the console calls `facts_changed` when there are newer facts and it is in front."""

    stands = False
    """Its widgets are there."""
    zooms = True
    """One of its parts can have the whole screen."""

    def on_mount(self) -> None:
        self.stands = True

    def on_resize(self) -> None:
        """Paint all: a terminal made smaller and larger again has lost cells, though its size is what it was before."""
        self.refresh()

    @property
    def console(self) -> MooreConsole:
        """The application, by its own class."""
        return cast("MooreConsole", self.app)

    def compose(self) -> ComposeResult:
        yield TopLine()
        yield from self.body()
        yield KeyLine()
        yield AnswerLine()

    def body(self) -> ComposeResult:
        """The screen's own widgets."""
        yield from ()

    def facts_changed(self) -> None:
        """Newer facts: show them. Also called when the screen comes to the front."""

    def action_changed(self, action: Action) -> None:
        """An action was asked for, or has come to its end; the line above the keys tells it already."""

    def copied(self) -> str:
        """What `y` copies; empty for the path of the run."""
        return ""

    def on_pane_broke(self, message: PaneBroke) -> None:
        message.stop()
        self.console.pane_broke(message.title, message.error)

    def on_screen_resume(self) -> None:
        self.console.show_facts()

    def _compositor_refresh(self) -> None:
        """While the console opens nothing is painted: a blank screen would cost as much as the first full one."""
        if not self.console.opening:
            super()._compositor_refresh()

    def top(self, shots: Mapping[str, Snapshot], machine: Machine | None, note: str) -> None:
        """The line on top."""
        where = str(self.console.feed.runs_dir)
        self.query_one(TopLine).tell(shots, where=where, machine=machine, note=note, ascii=self.console.ascii)

    def keys_changed(self) -> None:
        """Other keys may be valid now."""
        self.query_one(KeyLine).paint()

    def answer(self, text: str, state: str) -> None:
        """One line above the keys."""
        self.query_one(AnswerLine).say(text, state)

    def answer_to(self, action: Action) -> None:
        """What becomes of an action, above the keys."""
        self.query_one(AnswerLine).tell(action)

    def go_to(self, number: int) -> None:
        """Give a pane the focus."""
        pane = next((pane for pane in self.query(Pane) if pane.number == number), None)
        target = next((each for each in pane.query("*") if each.focusable), None) if pane is not None else None
        if target is not None:
            self.set_focus(target)

    def maximise(self) -> None:
        """The pane with the focus on the whole screen, or back in its place."""
        if self.maximized is not None:
            self.minimize()
            return
        focused = self.focused
        pane = next((each for each in focused.ancestors_with_self if isinstance(each, Pane)), None) if focused else None
        if pane is not None:
            self.maximize(pane, container=False)

    def close_layer(self) -> bool:
        """Take away what lies over the screen; whether there was anything."""
        line = self.query_one(AnswerLine)
        if line.shown:
            line.hide()
            return True
        if self.maximized is not None:
            self.minimize()
            return True
        return False
