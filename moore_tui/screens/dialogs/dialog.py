"""A box in the middle of the terminal: its title, a text that is never read as markup, what is asked, the keys."""

from __future__ import annotations

from functools import reduce
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, ScreenResultType
from textual.widget import Widget
from textual.widgets import Input, Static


class Dialog(ModalScreen[ScreenResultType]):
    """Base of all: a subclass gives `body` and the line of its `keys`; escape leaves it, which answers None."""

    DEFAULT_CSS = """
    Dialog { align: center middle; }
    Dialog .dialog-box {
        width: 72; max-width: 100%; height: auto; max-height: 100%;
        padding: 0 1; border: solid $primary; background: $surface;
    }
    Dialog.-ascii .dialog-box { border: ascii $primary; }
    Dialog .dialog-text-frame { height: auto; max-height: 40vh; margin-bottom: 1; }
    Dialog .dialog-text-frame.-empty { display: none; }
    Dialog .dialog-text { height: auto; }
    Dialog .dialog-field { height: 1; }
    Dialog .dialog-prompt { width: 2; color: $text-accent; text-style: bold; }
    Dialog .dialog-field Input { width: 1fr; background: $panel; }
    Dialog .dialog-keys { height: 1; margin-top: 1; color: $text-muted; text-wrap: nowrap; text-overflow: ellipsis; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "no", "cancel", priority=True),
        Binding("pagedown", "text('down')", "more of the text", show=False),
        Binding("pageup", "text('up')", "back in the text", show=False),
    ]
    KEYS: ClassVar[str] = "enter accept   esc cancel"
    AUTO_FOCUS = ".dialog-first"

    def __init__(self, title: str, text: str = "") -> None:
        super().__init__()
        self._title, self._text = title, text
        self.keys = self.KEYS

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog-box") as box:
            box.border_title = Content(self._title)
            with VerticalScroll(classes="dialog-text-frame", can_focus=False) as frame:
                frame.set_class(not self._text, "-empty")
                yield Static(self._text, classes="dialog-text", markup=False)
            yield from self.body()
            yield Static(self._key_line(), classes="dialog-keys", markup=False)

    def on_mount(self) -> None:
        self.set_class(self.plain, "-ascii")

    @property
    def plain(self) -> bool:
        """Only characters of ASCII."""
        return bool(getattr(self.app, "ascii", False))

    def _key_line(self) -> str:
        arrows = (("↑ ↓", "up down"), ("→", "right"))
        return reduce(lambda line, arrow: line.replace(*arrow), arrows, self.keys) if self.plain else self.keys

    def body(self) -> list[Widget]:
        """The widgets between the text and the keys; the one of class dialog-first has the focus."""
        return []

    def action_text(self, way: str) -> None:
        """A page of a text that is too long for the box."""
        getattr(self.query_one(".dialog-text-frame", VerticalScroll), f"scroll_page_{way}")(animate=False)

    def action_no(self) -> None:
        self.dismiss(None)


def field(value: str = "", *, placeholder: str = "") -> Horizontal:
    """A line to type in, behind a prompt, without a border and a blinking cursor."""
    typed = Input(value, placeholder=placeholder, compact=True, select_on_focus=False, classes="dialog-first")
    typed.cursor_blink = False
    return Horizontal(Static(">", classes="dialog-prompt", markup=False), typed, classes="dialog-field")
