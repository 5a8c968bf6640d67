"""One of several; typing narrows the list, arrows move in it, enter takes the marked one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from moore_tui.screens.dialogs.dialog import Dialog, field

Choice = str | tuple[str, str]
"""A value, or a value and what is to be said about it."""


class Choose(Dialog[str | None]):
    """The chosen value; None if it was left. With `free`, a text that fits none of them can be chosen too."""

    DEFAULT_CSS = """
    Choose OptionList {
        height: auto; max-height: 14; margin-top: 1; padding: 0; border: none;
        text-wrap: nowrap; text-overflow: ellipsis;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,ctrl+n", "move('cursor_down')", "next", show=False, priority=True),
        Binding("up,ctrl+p", "move('cursor_up')", "previous", show=False, priority=True),
        Binding("pagedown", "move('page_down')", "page down", show=False, priority=True),
        Binding("pageup", "move('page_up')", "page up", show=False, priority=True),
    ]
    KEYS = "type to narrow   ↑ ↓ move   enter take it   esc cancel"

    def __init__(self, title: str, options: Sequence[Choice], text: str = "", *, free: bool = False) -> None:
        super().__init__(title, text)
        self._free = free
        self._choices = [(each, "") if isinstance(each, str) else each for each in options]
        self._shown: list[str] = []

    def body(self) -> list[Widget]:
        choices = OptionList(compact=True, markup=False)
        choices.can_focus = False
        return [field(placeholder="/ filter"), choices]

    def on_mount(self) -> None:
        super().on_mount()
        self.narrow("")

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        self.narrow(event.value)

    @on(Input.Submitted)
    def submitted(self) -> None:
        marked = self.query_one(OptionList).highlighted
        if marked is not None:
            self.dismiss(self._shown[marked])

    @on(OptionList.OptionSelected)
    def selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self._shown[event.option_index])

    def narrow(self, wanted: str) -> None:
        """Show the choices that hold every word of `wanted`."""
        words = wanted.lower().split()
        found = [each for each in self._choices if all(word in " ".join(each).lower() for word in words)]
        if self._free and not found and wanted.strip():
            found = [(wanted.strip(), "as typed")]
        width = max((len(value) for value, _ in found), default=0)
        self._shown = [value for value, _ in found]
        choices = self.query_one(OptionList)
        choices.clear_options()
        choices.add_options([Option(_line(value, about, width)) for value, about in found])
        if not found:
            choices.add_option(Option(Text("none of them has this in it", "dim"), disabled=True))
        choices.highlighted = 0 if found else None

    def action_move(self, how: str) -> None:
        getattr(self.query_one(OptionList), f"action_{how}")()


def _line(value: str, about: str, width: int) -> Text:
    line = Text(value.ljust(width) if about else value, no_wrap=True, overflow="ellipsis")
    return line.append(f"  {about}", "dim") if about else line
