"""The header: one line that answers whether anything is wrong, without a chart."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text
from textual.reactive import reactive
from textual.widgets import Static


class TopLine(Static):
    """Runs by state; empty until the first facts."""

    DEFAULT_CSS = """
    TopLine { dock: top; height: 1; background: $panel; color: $foreground; }
    """

    line: reactive[str] = reactive("")

    def tell(self, states: Iterable[str]) -> None:
        """Show how many runs are in each state."""
        found = list(states)
        counts = ", ".join(f"{found.count(state)} {state}" for state in dict.fromkeys(found))
        self.line = f" moore · {len(found)} runs  {counts}"

    def watch_line(self) -> None:
        self.update(Text(self.line))
