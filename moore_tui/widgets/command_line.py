"""The command line at the bottom: `:` and what is typed, completed as it goes; the arrows bring earlier lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

Complete = Callable[[str], str | None]
"""The whole line that a beginning may become; None if there is none."""


class CommandLine(Horizontal):
    """Posts `Entered` once and goes away; the focus returns to where it was."""

    DEFAULT_CSS = """
    CommandLine { dock: bottom; layer: above; height: 1; background: $panel; }
    CommandLine Static { width: 2; padding: 0 0 0 1; }
    CommandLine Input { width: 1fr; border: none; padding: 0; background: $panel; }
    """

    class Entered(Message):
        """A line was entered; empty if it was left."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, value: str, complete: Complete, earlier: Sequence[str] = ()) -> None:
        super().__init__()
        self._value, self._complete, self._earlier = value, complete, earlier
        self._before: Widget | None = None
        self._over = False

    def compose(self) -> ComposeResult:
        yield Static(":", markup=False)
        yield Typed(self._value, self._complete, self._earlier)

    def on_mount(self) -> None:
        self._before = self.screen.focused
        self.query_one(Typed).focus(scroll_visible=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        self.end(event.value.strip())

    def end(self, text: str = "") -> None:
        """Go away; with a text it is what was entered."""
        if self._over:
            return
        self._over = True
        self.post_message(self.Entered(text))
        self.screen.set_focus(self._before if self._before and self._before.is_attached else None)
        self.remove()


class Typed(Input):
    """The line itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "leave", show=False, priority=True),
        Binding("up", "earlier(1)", "earlier", show=False),
        Binding("down", "earlier(-1)", "later", show=False),
        Binding("tab", "cursor_right", "complete", show=False, priority=True),
    ]

    def __init__(self, value: str, complete: Complete, earlier: Sequence[str]) -> None:
        super().__init__(value, compact=True, select_on_focus=False, suggester=_Completion(complete))
        self.cursor_blink = False
        self._earlier, self._back, self._typed = list(earlier), 0, value

    def on_mount(self) -> None:
        self.cursor_position = len(self.value)

    def on_blur(self) -> None:
        if self.app.app_focus:
            self.action_leave()

    def action_leave(self) -> None:
        if isinstance(self.parent, CommandLine):
            self.parent.end()

    def action_delete_left(self) -> None:
        """In an empty line, leave it."""
        if self.value:
            super().action_delete_left()
        else:
            self.action_leave()

    def action_earlier(self, step: int) -> None:
        """Put an earlier line in the place of this one; what was typed comes back below the newest."""
        if self._back == 0:
            self._typed = self.value
        self._back = min(len(self._earlier), max(0, self._back + step))
        self.value = self._earlier[-self._back] if self._back else self._typed
        self.cursor_position = len(self.value)


class _Completion(Suggester):
    def __init__(self, complete: Complete) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        return self._complete(value)
