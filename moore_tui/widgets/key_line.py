"""The footer: one line of the keys that are valid now, as many as fit, telling ones first; help and leave always."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from textual import events
from textual.binding import Binding
from textual.screen import Screen

from moore_tui.keys import KEYS
from moore_tui.widgets.sheet import Piece, Sheet

if TYPE_CHECKING:
    from moore_tui.app import MooreConsole

ORDER = {key.id: place for place, key in enumerate(KEYS)}
KEPT = ("anywhere.help", "anywhere.leave")


class KeyLine(Sheet):
    """Follows the focus and the state of the selected run; a click on a key presses it."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; background: $panel; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def on_resize(self) -> None:
        self.paint()

    def _follow(self, screen: Screen[object]) -> None:
        self.paint()

    def paint(self) -> None:
        """Show the keys that are valid now."""
        width = self.size.width
        if not width or not self.screen.is_current:
            return
        entries = self._entries()
        room, chosen = width - 1, set()
        for place in sorted(range(len(entries)), key=lambda place: _urgency(entries[place][0])):
            cells = len(entries[place][1]) + len(entries[place][2]) + 3
            if cells <= room:
                chosen.add(place)
                room -= cells
        pieces: list[Piece] = [(" ", "")]
        self._places = []
        x = 1
        for binding, key, label in (entries[place] for place in sorted(chosen)):
            pieces += [(key, "key"), (f" {label}  ", "")]
            self._places.append((x, x + len(key) + 1 + len(label), binding.key))
            x += len(key) + len(label) + 3
        self.put([tuple(pieces)])

    def on_click(self, event: events.Click) -> None:
        for start, end, key in self._places:
            if start <= event.x < end:
                self.app.simulate_key(key)

    def _entries(self) -> list[tuple[Binding, str, str]]:
        """(binding, key as shown, label) of what may be pressed, in the order of KEYS, then of other screens' own."""
        console = cast("MooreConsole", self.app)
        found: dict[str, Binding] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            told = binding.show or (binding.id in ORDER and binding.description)
            if told and active.enabled and console.offers(binding):
                found.setdefault(binding.id or binding.key, binding)
        shown = sorted(found.values(), key=lambda binding: ORDER.get(binding.id or "", len(ORDER) - len(KEPT) - 0.5))
        return [(binding, self.app.get_key_display(binding), console.label(binding)) for binding in shown]


def _urgency(binding: Binding) -> int:
    """What is left out last comes first: how to get help and out, what the table shows, then all but steering."""
    if binding.id in KEPT:
        return 0
    return 1 if binding.show else 3 if (binding.id or "").startswith("control.") else 2
