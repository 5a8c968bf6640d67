"""Yes or no; and, for what cannot be undone, yes only by typing the run's name."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Button, Input, Static

from moore_tui.screens.dialogs.dialog import Dialog, field


class Confirm(Dialog[bool]):
    """True for enter on yes or the key y; False for anything that closes it otherwise."""

    DEFAULT_CSS = """
    Confirm .dialog-answers { height: 1; align-horizontal: center; }
    Confirm .dialog-answers Button { margin: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "yes"),
        Binding("n", "answer(False)", "no"),
        Binding("left,h", "app.focus_previous", "previous", show=False),
        Binding("right,l", "app.focus_next", "next", show=False),
    ]
    KEYS = "y yes   n or esc no   enter the marked one"

    def body(self) -> list[Widget]:
        yes = Button("Yes", id="yes", compact=True, classes="dialog-first")
        return [Horizontal(yes, Button("No", id="no", compact=True), classes="dialog-answers")]

    @on(Button.Pressed)
    def pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")

    def action_answer(self, yes: bool) -> None:
        self.dismiss(yes)

    def action_no(self) -> None:
        self.dismiss(False)


class ConfirmName(Dialog[bool]):
    """True once `name` has been typed exactly and enter pressed; anything else leaves everything as it is."""

    DEFAULT_CSS = """
    ConfirmName .dialog-box { border: solid $error; }
    ConfirmName .dialog-label { height: auto; }
    ConfirmName .dialog-error { height: 1; color: $text-error; }
    """
    KEYS = "enter do it   esc cancel"

    def __init__(self, title: str, text: str, name: str) -> None:
        super().__init__(title, text)
        self._wanted = name

    def body(self) -> list[Widget]:
        return [
            Static(f"Type {self._wanted} to go on:", classes="dialog-label", markup=False),
            field(),
            Static("", classes="dialog-error", markup=False),
        ]

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        wrong = bool(event.value) and not self._wanted.startswith(event.value)
        self.complain("that is not its name" if wrong else "")

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        if event.value == self._wanted:
            self.dismiss(True)
        else:
            self.complain(f"not done: type {self._wanted} exactly, or leave with escape")

    def complain(self, text: str) -> None:
        """One line under the field."""
        self.query_one(".dialog-error", Static).update(text)

    def action_no(self) -> None:
        self.dismiss(False)
