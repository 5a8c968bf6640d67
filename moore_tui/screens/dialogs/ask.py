"""One line of text, checked as it is typed; what is wrong with it stands under the field."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import on
from textual.suggester import Suggester
from textual.widget import Widget
from textual.widgets import Input, Static

from moore_tui.screens.dialogs.dialog import Dialog, field

Check = Callable[[str], str | None]
"""What there is to say about a text, in one sentence; None if nothing is."""


def nothing(text: str) -> str | None:
    """The check that lets every text pass."""
    return None


class Ask(Dialog[str | None]):
    """The text once `check` finds nothing wrong with it and enter is pressed; None if it was left.

    What `remark` says stands under the field too, but hinders nothing. `complete` gives the texts that begin with what
    is typed; the first is offered in grey, and the right arrow takes it.
    """

    DEFAULT_CSS = """
    Ask .dialog-label { height: auto; }
    Ask .dialog-said { height: 3; color: $text-error; }
    Ask .dialog-said.-remark { color: $text-warning; }
    """
    KEYS = "enter accept   esc cancel"

    def __init__(
        self,
        title: str,
        label: str,
        value: str = "",
        check: Check = nothing,
        *,
        remark: Check = nothing,
        complete: Callable[[str], Sequence[str]] | None = None,
    ) -> None:
        super().__init__(title)
        self._label, self._value = label, value
        self._check, self._remark, self._complete = check, remark, complete
        if complete:
            self.keys = "enter accept   → complete   esc cancel"

    def body(self) -> list[Widget]:
        return [
            Static(self._label, classes="dialog-label", markup=False),
            field(self._value),
            Static("", classes="dialog-said", markup=False),
        ]

    def on_mount(self) -> None:
        if self._complete:
            self.query_one(Input).suggester = Completion(self._complete)

    @on(Input.Changed)
    def typed(self, event: Input.Changed) -> None:
        wrong = self._check(event.value)
        self.say(wrong or self._remark(event.value) or "", remark=wrong is None)

    @on(Input.Submitted)
    def submitted(self, event: Input.Submitted) -> None:
        wrong = self._check(event.value)
        if wrong is None:
            self.dismiss(event.value)
        else:
            self.say(wrong)

    def say(self, text: str, *, remark: bool = False) -> None:
        """Under the field: what is wrong, or only a remark."""
        said = self.query_one(".dialog-said", Static)
        said.set_class(remark, "-remark")
        said.update(text)


class Completion(Suggester):
    """Offers the first of the texts that begin with what is typed."""

    def __init__(self, complete: Callable[[str], Sequence[str]]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self._complete = complete

    async def get_suggestion(self, value: str) -> str | None:
        return next(iter(self._complete(value)), None) if value else None
