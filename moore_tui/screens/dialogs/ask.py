"""One line of text, checked as it is typed; what is wrong with it stands under the field."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.widget import Widget
from textual.widgets import Input, Static

from moore_tui.screens.dialogs.dialog import Dialog, field

Check = Callable[[str], str | None]
"""What is wrong with a text, in one sentence; None if nothing is."""


def anything(text: str) -> str | None:
    """The check that lets every text pass."""
    return None


class Ask(Dialog[str | None]):
    """The text once `check` finds nothing wrong with it and enter is pressed; None if it was left."""

    DEFAULT_CSS = """
    Ask .dialog-label { height: auto; }
    Ask .dialog-error { height: 3; color: $text-error; }
    """
    KEYS = "enter accept   esc cancel"

    def __init__(self, title: str, label: str, value: str = "", check: Check = anything) -> None:
        super().__init__(title)
        self._label, self._value, self._check = label, value, check

    def body(self) -> list[Widget]:
        return [
            Static(self._label, classes="dialog-label", markup=False),
            field(self._value),
            Static("", classes="dialog-error", markup=False),
        ]

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        self.query_one(".dialog-error", Static).update(self._check(event.value) or "")

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        wrong = self._check(event.value)
        if wrong is None:
            self.dismiss(event.value)
        else:
            self.query_one(".dialog-error", Static).update(wrong)
