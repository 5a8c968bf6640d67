"""The footer: one line of the keys that are valid now, as many as fit."""

from __future__ import annotations

from rich.text import Text
from textual.app import RenderResult
from textual.screen import Screen
from textual.widget import Widget


class KeyLine(Widget):
    """Follows the focus and `check_action`; a key that would do nothing is not shown."""

    DEFAULT_CSS = """
    KeyLine { dock: bottom; height: 1; background: $panel; color: $foreground; }
    """

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._follow)

    def _follow(self, screen: Screen[object]) -> None:
        if screen is self.screen:
            self.refresh()

    def render(self) -> RenderResult:
        text, room = Text(" "), self.size.width - 1
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not (binding.show and active.enabled):
                continue
            key = self.app.get_key_display(binding)
            cells = len(key) + 1 + len(binding.description) + 2
            if cells > room:
                break
            room -= cells
            text.append(key, "bold").append(f" {binding.description}  ")
        return text
