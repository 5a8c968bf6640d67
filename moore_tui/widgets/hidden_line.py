"""One line with the numbers of the panes that are not on screen."""

from __future__ import annotations

from collections.abc import Sequence

from moore_tui.messages import PaneBroke
from moore_tui.widgets.pane import Pane, RunView
from moore_tui.widgets.sheet import Line, Sheet, cut


class HiddenLine(Sheet):
    """`[5] q loss 0.91  [6] 245 up/s  [7] log 3 warn`: the key that shows each, and its figure."""

    DEFAULT_CSS = """
    HiddenLine { height: 1; }
    """

    def show(self, panes: Sequence[Pane], view: RunView | None) -> None:
        """Sum these panes up."""
        line: Line = ()
        for pane in panes:
            said = self._summary(pane, view) or pane.title.lower()
            line += ((f" {pane.number} ", "key"), (f"{said} ", "dim"))
        self.put([cut(line, self.size.width)])

    def _summary(self, pane: Pane, view: RunView | None) -> str:
        try:
            return pane.summary(view) if view else ""
        except Exception as error:
            self.post_message(PaneBroke(pane.title, error))
            return ""
